package balance

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/polymath-run/polymath/internal/balance/forward"
)

// fatal is what *testing.T, *testing.B and *rapid.T have in common here.
type fatal interface {
	Helper()
	Fatalf(format string, args ...any)
	Errorf(format string, args ...any)
}

// rig is a pool with a clock of its own.
type rig struct {
	*Pool

	t     fatal
	clock time.Duration
}

func upstream(i int) Upstream {
	address := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), 80)
	return Upstream{Server: forward.Upstream{Name: fmt.Sprint("http://", address), Address: address}, Weight: 1, Number: uint64(i) + 1}
}

func upstreams(n int) []Upstream {
	out := make([]Upstream, n)
	for i := range out {
		out[i] = upstream(i)
	}
	return out
}

func newRig(t fatal, s Settings, list []Upstream) *rig {
	t.Helper()
	r := &rig{t: t, clock: time.Hour}
	random := rand.New(rand.NewPCG(1, 2))
	p, err := New(Options{Now: func() time.Duration { return r.clock }, Random: random.Uint64}, s, list)
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	r.Pool = p
	return r
}

// facts is a request without anything to read.
type facts struct{ header, target string }

func (f *facts) Header(string) string { return f.header }
func (f *facts) Target() string       { return f.target }
func (f *facts) Client() netip.Addr   { return netip.Addr{} }

// exchange is a GET.
func exchange() *forward.Exchange {
	return &forward.Exchange{Facts: &facts{}, Method: "GET", Safe: true, Again: true}
}

// behaviour is how an upstream answers one attempt.
type behaviour func(u *forward.Upstream) forward.Result

// ok answers after a millisecond.
func ok(*forward.Upstream) forward.Result {
	return forward.Result{Status: 200, Latency: time.Millisecond}
}

// dead refuses connections.
func dead(*forward.Upstream) forward.Result {
	return forward.Result{Kind: forward.Unreached, Latency: 100 * time.Microsecond}
}

// begin is Begin at the clock's time.
func (r *rig) begin(x *forward.Exchange) *forward.Refusal {
	x.Begun = r.clock
	return r.Begin(x)
}

// run makes one exchange as a forwarder does, and gives the result the client
// sees; nil where nobody was left. The clock goes on by the latencies.
func (r *rig) run(x *forward.Exchange, how behaviour) *forward.Result {
	r.t.Helper()
	if refusal := r.begin(x); refusal != nil {
		x.Status = refusal.Status
		r.End(x)
		return nil
	}
	defer r.End(x)
	var last *forward.Result
	for u := r.Pick(x); ; {
		if u == nil {
			x.Status = 503
			return last
		}
		if x.Tried[x.Attempts-1] != u {
			r.t.Fatalf("attempt %d is not in Tried", x.Attempts)
		}
		result := how(u)
		r.clock += result.Latency
		result.Now = r.clock
		last = &result
		var next *forward.Upstream
		if result.Kind == forward.Answered && slices.Contains(x.Doubted, result.Status) && r.Retry(x, result) {
			next = r.Pick(x) // the answer is thrown away only where there is another
		}
		r.Done(x, u, result)
		if result.Kind != forward.Answered && r.Retry(x, result) {
			u = r.Pick(x)
			continue
		}
		if u = next; u == nil {
			x.Status = result.Status
			return last
		}
	}
}

// of finds an upstream's statistics.
func (r *rig) of(name string) UpstreamStats {
	r.t.Helper()
	for _, s := range r.Stats().Upstreams {
		if s.Name == name {
			return s
		}
	}
	r.t.Fatalf("no upstream %q", name)
	return UpstreamStats{}
}

// quiet is settings under which nothing happens by itself.
func quiet(policy string) Settings {
	s := Defaults()
	s.Policy.Name = policy
	s.Health.Interval = 0
	s.Health.SlowStart = 0
	return s
}

func TestFastPathAllocatesNothing(t *testing.T) {
	for _, policy := range []string{"peak-ewma", "round-robin", "least-connections", "maglev"} {
		t.Run(policy, func(t *testing.T) {
			s := quiet(policy)
			s.Hedge.Percentile = 95
			r := newRig(t, s, upstreams(10))
			x := exchange()
			if n := testing.AllocsPerRun(2000, func() {
				r.Hedge(x)
				if got := r.run(x, answer); got == nil {
					t.Fatal("nobody was left")
				}
			}); n > 1 { // the result that run gives
				t.Errorf("%v allocations per request", n)
			}
		})
	}
}

// answer is ok without a closure.
func answer(u *forward.Upstream) forward.Result { return ok(u) }

// TestDirectorAllocatesNothing is the same without the test's own frame.
func TestDirectorAllocatesNothing(t *testing.T) {
	r := newRig(t, Defaults(), upstreams(3))
	x := exchange()
	if n := testing.AllocsPerRun(5000, func() { r.once(x) }); n != 0 {
		t.Errorf("%v allocations per request", n)
	}
}

// once is one exchange that is answered, and nothing else.
func (r *rig) once(x *forward.Exchange) {
	r.clock += 10 * time.Microsecond
	x.Begun = r.clock
	if r.Begin(x) != nil {
		r.t.Fatalf("refused")
	}
	r.Hedge(x)
	u := r.Pick(x)
	r.Done(x, u, forward.Result{Status: 200, Latency: time.Millisecond, Now: r.clock})
	x.Status = 200
	r.End(x)
}

// BenchmarkExchangeTogether is the same from as many sides as there are cores.
func BenchmarkExchangeTogether(b *testing.B) {
	p, err := New(Options{}, Defaults(), upstreams(3))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		x := exchange()
		for pb.Next() {
			x.Begun = p.now()
			p.Begin(x)
			u := p.Pick(x)
			p.Done(x, u, forward.Result{Status: 200, Latency: time.Millisecond, Now: x.Begun})
			p.End(x)
		}
	})
}

func BenchmarkExchange(b *testing.B) {
	for _, policy := range []string{"peak-ewma", "round-robin", "least-connections", "ring"} {
		for _, n := range []int{3, 50} {
			b.Run(fmt.Sprintf("%s/upstreams=%d", policy, n), func(b *testing.B) {
				s := Defaults()
				s.Policy.Name = policy
				r := newRig(b, s, upstreams(n))
				x := exchange()
				b.ReportAllocs()
				for b.Loop() {
					r.once(x)
				}
			})
		}
	}
}
