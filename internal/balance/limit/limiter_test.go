package limit_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/polymath-run/polymath/internal/balance/forward"
	"github.com/polymath-run/polymath/internal/balance/limit"
)

// facts are the header fields of a request.
type facts map[string]string

func (f facts) Header(name string) string { return f[strings.ToLower(name)] }
func (facts) Target() string              { return "/" }
func (facts) Client() netip.Addr          { return netip.Addr{} }

func request(client string, f facts) *forward.Exchange {
	return &forward.Exchange{Facts: f, Client: netip.MustParseAddr(client)}
}

func limiter(t testing.TB, limits ...limit.Limit) *limit.Limiter {
	t.Helper()
	l, err := limit.New(limit.NewTable(0), limits)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func by(t testing.TB, text string) limit.By {
	t.Helper()
	b, err := limit.ParseBy(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestFields spells the fields of the answers out (W4, W11).
func TestFields(t *testing.T) {
	l := limiter(t,
		limit.Limit{Rule: limit.Rule{Name: "per-client", Algorithm: limit.SlidingWindow, Limit: 2, Window: time.Minute}},
		limit.Limit{Rule: limit.Rule{Name: "burst", Limit: 10, Window: time.Second, Burst: 20}},
	)
	const policy = "RateLimit-Policy: \"per-client\";q=2;w=60, \"burst\";q=20;w=2\r\n"
	x := request("192.0.2.1", nil)
	for _, want := range []string{
		policy + "RateLimit: \"per-client\";r=1;t=64\r\n",
		policy + "RateLimit: \"per-client\";r=0;t=64\r\n",
	} {
		x.Fields = x.Fields[:0]
		if r := l.Begin(x, 0); r != nil {
			t.Fatalf("refused with %+v", r)
		}
		if string(x.Fields) != want {
			t.Errorf("got %q, want %q", x.Fields, want)
		}
	}
	x.Fields = x.Fields[:0]
	r := l.Begin(x, 10*time.Second)
	if r == nil {
		t.Fatal("the third request was let in")
	}
	want := forward.Refusal{
		Status: 429, Title: "Too Many Requests",
		Header: "Retry-After: 54\r\n" + policy + "RateLimit: \"per-client\";r=0;t=54\r\n",
		Detail: `the limit "per-client" lets in 2 requests in 1m0s for each client address: try again in 54 s`,
	}
	if *r != want || len(x.Fields) > 0 {
		t.Errorf("refused with %+v and the fields %q, want %+v", *r, x.Fields, want)
	}
	if again := l.Begin(x, 10*time.Second); again != r {
		t.Error("the refusal was made twice")
	}
	if r := l.Begin(x, 64*time.Second); r != nil {
		t.Errorf("after what was told to wait: %+v", r)
	}
	if got := l.Refused(); got[0] != (limit.Refused{Name: "per-client", Requests: 2}) || got[1].Requests != 0 {
		t.Errorf("counted %+v", got)
	}
}

// TestWhose shows which requests count together.
func TestWhose(t *testing.T) {
	for _, c := range []struct {
		by       string
		one, two *forward.Exchange
		together bool
	}{
		{"client", request("192.0.2.1", nil), request("192.0.2.1", nil), true},
		{"client", request("192.0.2.1", nil), request("192.0.2.2", nil), false},
		{"client", request("192.0.2.1", nil), request("::ffff:192.0.2.1", nil), true},
		{"client", request("2001:db8::1", nil), request("2001:db8::ffff:1:2:3", nil), true},
		{"client", request("2001:db8::1", nil), request("2001:db8:0:1::1", nil), false},
		{"client", request("fe80::1%eth0", nil), request("fe80::1", nil), true},
		{"header:X-Key", request("192.0.2.1", facts{"x-key": "a"}), request("192.0.2.2", facts{"x-key": "a"}), true},
		{"header:X-Key", request("192.0.2.1", facts{"x-key": "a"}), request("192.0.2.1", facts{"x-key": "b"}), false},
		{"header:X-Key", request("192.0.2.1", facts{}), request("192.0.2.1", facts{}), true},
		{"header:X-Key", request("192.0.2.1", facts{}), request("192.0.2.2", facts{}), false},
		{"tenant", request("192.0.2.1", facts{"polymath-tenant": "a"}), request("192.0.2.1", facts{"polymath-tenant": "b"}), false},
		{"tenant", request("192.0.2.1", facts{}), request("192.0.2.2", facts{"polymath-tenant": "default"}), true},
	} {
		l := limiter(t, limit.Limit{Rule: limit.Rule{Name: "r", Limit: 1, Window: time.Minute}, By: by(t, c.by)})
		if l.Begin(c.one, 0) != nil {
			t.Errorf("%s: the first request was refused", c.by)
		}
		if got := l.Begin(c.two, 0) != nil; got != c.together {
			t.Errorf("%s: %v and %v count together: %v, want %v", c.by, c.one, c.two, got, c.together)
		}
	}
}

func TestNew(t *testing.T) {
	good := limit.Limit{Rule: limit.Rule{Name: "r", Limit: 1, Window: time.Minute}}
	bad := good
	bad.Limit = 0
	for want, limits := range map[string][]limit.Limit{
		"two rate limits are called": {good, good},
		"rate limit 2: limit is 0":   {good, bad},
		"at most 16":                 make([]limit.Limit, 17),
	} {
		if _, err := limit.New(limit.NewTable(0), limits); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
	none := limiter(t)
	x := request("192.0.2.1", nil)
	if r := none.Begin(x, 0); r != nil || len(x.Fields) > 0 {
		t.Errorf("without limits: %v, %q", r, x.Fields)
	}
}

// TestBeginAllocatesNothing covers requests that are let in and those that are
// refused.
func TestBeginAllocatesNothing(t *testing.T) {
	l := limiter(t,
		limit.Limit{Rule: limit.Rule{Name: "per-client", Limit: 1000, Window: time.Second}},
		limit.Limit{Rule: limit.Rule{Name: "per-key", Algorithm: limit.SlidingWindow, Limit: 500, Window: time.Second}, By: by(t, "header:x-key")},
	)
	x := request("2001:db8::1", facts{"x-key": "a"})
	now, refused := time.Duration(0), 0
	if got := testing.AllocsPerRun(10_000, func() {
		now += 800 * time.Microsecond
		x.Fields = x.Fields[:0]
		if l.Begin(x, now) != nil {
			refused++
		}
	}); got != 0 {
		t.Errorf("%v allocations a request, want none", got)
	}
	if refused == 0 || refused > 9_000 {
		t.Errorf("%d of 10,000 were refused: the test should see both", refused)
	}
}

func FuzzParseBy(f *testing.F) {
	for _, text := range []string{"client", "tenant", "header:X-Key", "header:", ":", ""} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if b, err := limit.ParseBy(text); err == nil && b.String() != text {
			if again, err := limit.ParseBy(b.String()); err != nil || fmt.Sprint(again) != fmt.Sprint(b) {
				t.Errorf("%q is read as %v, and that as %v, %v", text, b, again, err)
			}
		}
	})
}

func BenchmarkBegin(b *testing.B) {
	l := limiter(b, limit.Limit{Rule: limit.Rule{Name: "per-client", Limit: 1_000_000, Window: time.Second}})
	x := request("192.0.2.1", nil)
	b.ReportAllocs()
	for i := range b.N {
		x.Fields = x.Fields[:0]
		l.Begin(x, time.Duration(i)*time.Microsecond)
	}
}
