package admin_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/api"
	"github.com/polymath-run/polymath/internal/balance"
	"github.com/polymath-run/polymath/internal/balance/access"
	"github.com/polymath-run/polymath/internal/balance/admin"
	"github.com/polymath-run/polymath/internal/balance/forward"
	"github.com/polymath-run/polymath/internal/balance/limit"
	"github.com/polymath-run/polymath/internal/balance/settings"
)

// fake is a Backend in memory.
type fake struct {
	mu        sync.Mutex
	upstreams []balance.UpstreamStats
	busy      bool // what drains does not end
	failure   error
}

func (f *fake) find(name string) *balance.UpstreamStats {
	for i := range f.upstreams {
		if f.upstreams[i].Name == name {
			return &f.upstreams[i]
		}
	}
	return nil
}

func (f *fake) Look() admin.Look {
	f.mu.Lock()
	defer f.mu.Unlock()
	l := admin.Look{
		Pool:    balance.Stats{Upstreams: slices.Clone(f.upstreams), Available: len(f.upstreams), Rate: 12.5},
		Origins: map[string]string{"http://a:1": "file"},
		Limits:  []limit.Refused{{Name: "per-client", Requests: 3}}, Keys: limit.Usage{Keys: 7, Forgotten: 1},
		Access: access.Stats{Lines: 10, Dropped: 1}, Reloads: admin.Reloads{Done: 2, Failed: 1, Last: time.Unix(0, 0)},
	}
	l.Pool.Requests, l.Pool.Answers[2], l.Pool.Answers[0], l.Pool.RateLimited = 10, 8, 2, 3
	return l
}

func (f *fake) Add(_ context.Context, u settings.Upstream) (string, bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	name := u.Name()
	if old := f.find(name); old != nil {
		old.Weight = u.Weight
		return name, false, f.failure
	}
	f.upstreams = append(f.upstreams, balance.UpstreamStats{
		Name: name, Address: netip.MustParseAddrPort("10.0.0.1:1"), Weight: u.Weight, State: "up", Breaker: "closed", Picked: 5,
		Latencies: [balance.LatencyBuckets]uint64{3, 1, balance.LatencyBuckets - 1: 1}, LatencySum: time.Second,
		P50: 1500 * time.Microsecond, Failures: [7]uint64{forward.Late: 4, forward.Answered: 9},
	})
	return name, true, f.failure
}

func (f *fake) Change(name string, p admin.Patch) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	u := f.find(name)
	if u == nil {
		return polymath.Errorf(polymath.NotFound, "there is no upstream %q", name)
	}
	if p.Weight != nil {
		u.Weight = *p.Weight
	}
	if p.Drain != nil {
		u.State = map[bool]string{true: "draining", false: "up"}[*p.Drain]
	}
	return f.failure
}

func (f *fake) Drained(ctx context.Context, name string) error {
	if f.busy {
		<-ctx.Done()
		return polymath.Errorf(polymath.Timeout, "%s is still busy", name)
	}
	return nil
}

func (f *fake) Remove(name string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := len(f.upstreams)
	f.upstreams = slices.DeleteFunc(f.upstreams, func(u balance.UpstreamStats) bool { return u.Name == name })
	if len(f.upstreams) == n {
		return polymath.Errorf(polymath.NotFound, "there is no upstream %q", name)
	}
	return f.failure
}

func (f *fake) Reload(context.Context) (admin.Reloaded, error) {
	return admin.Reloaded{Added: []string{"http://b:1"}, Removed: []string{}, Tuned: []string{}, Fields: []string{}}, f.failure
}

func (f *fake) Ready() error { return f.failure }

// serve answers for a fake, and gives a client of it.
func serve(t *testing.T, f *fake) (*admin.Client, string) {
	t.Helper()
	s := httptest.NewServer(admin.New(f, "test", slog.New(slog.DiscardHandler)))
	t.Cleanup(s.Close)
	c, err := admin.Dial(s.URL + "/")
	if err != nil {
		t.Fatal(err)
	}
	return c, s.URL
}

// TestUpstreams goes through the life of an upstream, by the client.
func TestUpstreams(t *testing.T) {
	c, base := serve(t, &fake{})
	ctx := t.Context()
	u, err := c.Add(ctx, admin.NewUpstream{URL: "HTTP://A:1/", Weight: new(2)})
	if err != nil || u.Name != "http://a:1" || u.Weight != 2 || u.Origin != "file" || u.P50 != 1.5 || u.Failures["late"] != 4 || len(u.Failures) != 1 {
		t.Errorf("added %+v, %v", u, err)
	}
	if again, err := c.Add(ctx, admin.NewUpstream{URL: "http://a:1", Weight: new(3)}); err != nil || again.Weight != 3 {
		t.Errorf("added again %+v, %v", again, err)
	}
	list, err := c.List(ctx)
	if err != nil || len(list.Items) != 1 {
		t.Errorf("listed %+v, %v", list, err)
	}
	if u, err = c.Change(ctx, "http://A:1", admin.Patch{Weight: new(0)}, 0); err != nil || u.Weight != 0 {
		t.Errorf("changed to %+v, %v", u, err)
	}
	if u, err = c.Change(ctx, "http://a:1", admin.Patch{Drain: new(true)}, 5*time.Second); err != nil || u.State != "draining" {
		t.Errorf("drained: %+v, %v", u, err)
	}
	if s, err := c.Stats(ctx); err != nil || s.Requests != 10 || s.Answers["none"] != 2 || s.RateLimits["per-client"] != 3 || s.LogDropped != 1 {
		t.Errorf("%+v, %v", s, err)
	}
	if r, err := c.Reload(ctx); err != nil || len(r.Added) != 1 {
		t.Errorf("%+v, %v", r, err)
	}
	if err := c.Remove(ctx, "http://a:1"); err != nil {
		t.Error(err)
	}
	for name, err := range map[string]error{
		"removed again": c.Remove(ctx, "http://a:1"),
		"changed":       func() error { _, err := c.Change(ctx, "http://a:1", admin.Patch{Drain: new(true)}, 0); return err }(),
	} {
		if polymath.CodeOf(err) != polymath.NotFound {
			t.Errorf("%s: %v", name, err)
		}
	}
	response, err := http.Post(base+"/v1/upstreams", "application/json", strings.NewReader(`{"url":"http://[2001:db8::1]"}`))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	location := response.Header.Get("Location")
	if response.StatusCode != http.StatusCreated || location != "/v1/upstreams/http:%2F%2F%5B2001:db8::1%5D:80" {
		t.Errorf("%d at %s", response.StatusCode, location)
	}
	if there, err := http.Get(base + location); err != nil || there.StatusCode != http.StatusOK {
		t.Errorf("GET %s: %v, %v", location, there, err)
	} else {
		there.Body.Close()
	}
}

// TestDrainInVain: who waited too long is told how it is, and not an error.
func TestDrainInVain(t *testing.T) {
	f := &fake{busy: true}
	c, _ := serve(t, f)
	if _, err := c.Add(t.Context(), admin.NewUpstream{URL: "http://a:1"}); err != nil {
		t.Fatal(err)
	}
	u, err := c.Change(t.Context(), "http://a:1", admin.Patch{Drain: new(true)}, time.Second)
	if err != nil || u.State != "draining" {
		t.Errorf("%+v, %v", u, err)
	}
}

// ask makes one request, "GET /path", of a handler, with header fields.
func ask(t testing.TB, f *fake, line, body string, fields ...string) *httptest.ResponseRecorder {
	t.Helper()
	method, path, _ := strings.Cut(line, " ")
	r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
	for i := 0; i+1 < len(fields); i += 2 {
		r.Header.Set(fields[i], fields[i+1])
	}
	w := httptest.NewRecorder()
	admin.New(f, "test", slog.New(slog.DiscardHandler)).ServeHTTP(w, r)
	return w
}

// TestRefusals: every error is a problem that says what was wrong.
func TestRefusals(t *testing.T) {
	const media = "application/json"
	for _, c := range []struct {
		method, path, body, media string
		status                    int
		want                      string
	}{
		{"GET", "/", "", "", 404, "there is nothing at this path"},
		{"GET", "/v1/upstreams/x", "", "", 404, `there is no upstream \"x\"`},
		{"PUT", "/v1/upstreams", "", "", 405, "PUT is not for this path: use GET, HEAD, POST"},
		{"GET", "/v1/upstreams?limit=1", "", "", 400, "nothing here takes a query"},
		{"POST", "/v1/upstreams", "{}", "", 415, "say application/json"},
		{"POST", "/v1/upstreams", "{}", "text/json", 415, "say application/json"},
		{"POST", "/v1/upstreams", "", media, 400, "the body: it is empty"},
		{"POST", "/v1/upstreams", "[]", media, 400, "the body: it cannot be array"},
		{"POST", "/v1/upstreams", `{"url":1}`, media, 400, "the body: url cannot be number"},
		{"POST", "/v1/upstreams", `{"url":"http://a:1","weight":0}`, media, 400, "upstream.weight: 0: it must be from 1 to 1000"},
		{"POST", "/v1/upstreams", `{"url":"http://a:1","host":"a\u0001b"}`, media, 400, "upstream.host"},
		{"POST", "/v1/upstreams", `{"url":"http://a:1","number":9007199254740993}`, media, 400, "upstream.number: 9007199254740993"},
		{"POST", "/v1/upstreams", "{}", media, 400, "upstream.url"},
		{"POST", "/v1/upstreams", `{"url":"http://a:1"} {}`, media, 400, "something behind the object"},
		{"POST", "/v1/upstreams", `{"url":"http://a:1","wieght":1}`, media, 400, "wieght"},
		{"POST", "/v1/upstreams", `{"url":"http://a:1","weight":5000}`, media, 400, "upstream.weight: 5000"},
		{"POST", "/v1/upstreams", `{"url":"` + strings.Repeat("a", 1<<17) + `"}`, media, 413, "more than 65536 bytes"},
		{"PATCH", "/v1/upstreams/http:%2F%2Fa:1", "{}", media, 400, "the patch is empty"},
		{"PATCH", "/v1/upstreams/http:%2F%2Fa:1", `{"weight":"1"}`, media, 400, "the body: weight cannot be string"},
		{"PATCH", "/v1/upstreams/http:%2F%2Fa:1", `{"weight":1001}`, media, 400, "weight: 1001: it must be from 0 to 1000"},
		{"DELETE", "/v1/upstreams/http:%2F%2Fa:1", "", "", 404, "there is no upstream"},
	} {
		w := ask(t, &fake{}, c.method+" "+c.path, c.body, "Content-Type", c.media)
		var p api.Problem
		err := json.Unmarshal(w.Body.Bytes(), &p)
		if w.Code != c.status || err != nil || p.Status != c.status || !strings.Contains(w.Body.String(), c.want) || w.Header().Get("Content-Type") != api.ProblemType {
			t.Errorf("%s %s %.60s: %d %s, want %d and %s", c.method, c.path, c.body, w.Code, w.Body, c.status, c.want)
		}
	}
	f := &fake{upstreams: []balance.UpstreamStats{{Name: "http://a:1"}}}
	if w := ask(t, f, "PATCH /v1/upstreams/http:%2F%2Fa:1", `{"drain":true}`, "Content-Type", media, "Prefer", "wait=soon"); w.Code != http.StatusBadRequest {
		t.Errorf("Prefer: wait=soon gave %d", w.Code)
	}
	if u := f.upstreams[0]; u.State == "draining" {
		t.Errorf("what was refused was done: %+v", u)
	}
}

// TestHealth: alive is not ready, and what is internal stays inside.
func TestHealth(t *testing.T) {
	if w := ask(t, &fake{}, "GET /readyz", ""); w.Code != http.StatusOK || w.Body.String() != `{"status":"ok"}`+"\n" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	f := &fake{failure: polymath.Errorf(polymath.Unavailable, "no upstream is well")}
	if w := ask(t, f, "GET /readyz", ""); w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" || !strings.Contains(w.Body.String(), "no upstream is well") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := ask(t, f, "GET /livez", ""); w.Code != http.StatusOK {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	f.failure = fmt.Errorf("secret")
	if w := ask(t, f, "POST /v1/reload", ""); w.Code != http.StatusInternalServerError || strings.Contains(w.Body.String(), "secret") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// TestMetrics: Prometheus takes them, and each says what it is (L11, G21).
func TestMetrics(t *testing.T) {
	f := &fake{}
	if _, _, err := f.Add(t.Context(), settings.Upstream{URL: "http://a:1", Weight: 2}); err != nil {
		t.Fatal(err)
	}
	left := f.upstreams[0]
	left.State = "leaving" // of the same name, and not to be told of twice
	f.upstreams = append(f.upstreams, left)
	text := ask(t, f, "GET /metrics", "").Body.String()
	problems, err := promlint.New(strings.NewReader(text)).Lint()
	if err != nil || len(problems) > 0 {
		t.Errorf("%v, %v", problems, err)
	}
	for _, want := range []string{
		"polymath_balance_requests_total 10",
		`polymath_balance_answers_total{class="2xx"} 8`,
		`polymath_balance_answers_total{class="none"} 2`,
		`polymath_balance_upstream_state{state="up",upstream="http://a:1"} 1`,
		`polymath_balance_upstream_failures_total{kind="late",upstream="http://a:1"} 4`,
		`polymath_balance_upstream_latency_seconds_bucket{upstream="http://a:1",le="6.4e-05"} 3`,
		`polymath_balance_upstream_latency_seconds_bucket{upstream="http://a:1",le="16.777216"} 4`,
		`polymath_balance_upstream_latency_seconds_bucket{upstream="http://a:1",le="+Inf"} 5`,
		`polymath_balance_upstream_latency_seconds_sum{upstream="http://a:1"} 1`,
		`polymath_balance_rate_limited_total{limit="per-client"} 3`,
		"polymath_balance_log_dropped_total 1",
		`polymath_build_info{go=`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("there is no %s", want)
		}
	}
}

// TestClientWaits: less than a second is waited for, too.
func TestClientWaits(t *testing.T) {
	for wait, want := range map[time.Duration]string{0: "", time.Millisecond: "wait=1", time.Second: "wait=1", 1001 * time.Millisecond: "wait=2", admin.MaxWait: "wait=60"} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if got := r.Header.Get("Prefer"); got != want {
				t.Errorf("%v: Prefer is %q, want %q", wait, got, want)
			}
			_, _ = io.WriteString(w, "{}")
		}))
		c, err := admin.Dial(s.URL)
		if err == nil {
			_, err = c.Change(t.Context(), "http://a:1", admin.Patch{Drain: new(true)}, wait)
		}
		if err != nil {
			t.Error(err)
		}
		s.Close()
	}
}

// TestClientElsewhere: what answers may be no balancer, or nobody.
func TestClientElsewhere(t *testing.T) {
	for name, answer := range map[string]http.HandlerFunc{
		"a page":    func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>") },
		"not found": func(w http.ResponseWriter, r *http.Request) { http.NotFound(w, r) },
		"a cut": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "10")
			_, _ = io.WriteString(w, "{")
		},
	} {
		s := httptest.NewServer(answer)
		c, err := admin.Dial(s.URL)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.List(t.Context()); polymath.CodeOf(err) != polymath.Unavailable {
			t.Errorf("%s: %v", name, err)
		}
		s.Close()
		if _, err := c.Stats(t.Context()); polymath.CodeOf(err) != polymath.Unavailable || !strings.Contains(err.Error(), "no balancer answers at") {
			t.Errorf("nobody: %v", err)
		}
	}
	for _, base := range []string{"", "127.0.0.1:8081", "ftp://a", "http://", "://"} {
		if _, err := admin.Dial(base); polymath.CodeOf(err) != polymath.InvalidArgument {
			t.Errorf("%q: %v", base, err)
		}
	}
}

// FuzzRequests: whatever is asked, it is answered, and never with a 500.
func FuzzRequests(f *testing.F) {
	for _, seed := range [][3]string{
		{"GET", "/v1/upstreams", ""}, {"POST", "/v1/upstreams", `{"url":"http://a:1"}`}, {"PATCH", "/v1/upstreams/http:%2F%2Fa:1", `{"drain":true}`},
		{"DELETE", "/v1/upstreams/%00", ""}, {"GET", "/v1//upstreams/../stats", ""},
	} {
		f.Add(seed[0], seed[1], seed[2], "wait=0")
	}
	f.Fuzz(func(t *testing.T, method, path, body, prefer string) {
		r, err := http.NewRequestWithContext(t.Context(), method, "http://localhost", strings.NewReader(body))
		if err != nil {
			return
		}
		if r.URL, err = r.URL.Parse(path); err != nil || !strings.HasPrefix(r.URL.Path, "/") {
			return
		}
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Prefer", prefer)
		w := httptest.NewRecorder()
		back := &fake{upstreams: []balance.UpstreamStats{{Name: "http://a:1"}}}
		admin.New(back, "test", slog.New(slog.DiscardHandler)).ServeHTTP(w, r)
		if w.Code >= http.StatusInternalServerError || w.Code < http.StatusOK {
			t.Errorf("%s %s %q: %d %s", method, path, body, w.Code, w.Body)
		}
	})
}
