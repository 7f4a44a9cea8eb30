package balance

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/balance/forward"
	"github.com/polymath-run/polymath/internal/balance/pick"
)

func sources(t *testing.T, texts ...string) []pick.Source {
	t.Helper()
	var out []pick.Source
	for _, text := range texts {
		s, err := pick.ParseSource(text)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, s)
	}
	return out
}

// TestBadSettingsChangeNothing: a list or a setting that is wrong anywhere is
// refused as a whole, with words.
func TestBadSettingsChangeNothing(t *testing.T) {
	good := quiet("round-robin")
	for _, c := range []struct {
		name string
		edit func(s *Settings, list []Upstream)
	}{
		{"policy", func(s *Settings, _ []Upstream) { s.Policy.Name = "best" }},
		{"ring", func(s *Settings, _ []Upstream) { s.Policy = Policy{Name: "ring", Points: -1} }},
		{"heavy ring", func(s *Settings, list []Upstream) { s.Policy.Name, s.Policy.Points, list[0].Weight = "ring", 1<<20, 2 }},
		{"hash", func(s *Settings, _ []Upstream) { s.Policy = Policy{Name: "slot-map", Hash: "none"} }},
		{"probe", func(s *Settings, _ []Upstream) { s.Policy = Policy{Name: "slot-map", Probe: "none"} }},
		{"weight", func(_ *Settings, list []Upstream) { list[2].Weight = pick.MaxWeight + 1 }},
		{"twins", func(_ *Settings, list []Upstream) { list[2].Server.Name = list[1].Server.Name }},
		{"address", func(_ *Settings, list []Upstream) { list[2].Server.Address = forward.Upstream{}.Address }},
		{"retries", func(s *Settings, _ []Upstream) { s.Retry.Most = forward.MaxAttempts }},
		{"field that frames", func(s *Settings, _ []Upstream) { s.TimeoutField = "Content-Length" }},
		{"field that is none", func(s *Settings, _ []Upstream) { s.TimeoutField = "a b" }},
		{"status", func(s *Settings, _ []Upstream) { s.Retry.Statuses = []int{200} }},
		{"budget", func(s *Settings, _ []Upstream) { s.Retry.Share.Percent = 101 }},
		{"timeout", func(s *Settings, _ []Upstream) { s.Timeout = -1 }},
		{"limits crossed", func(s *Settings, _ []Upstream) { s.Limit.Least = s.Limit.Most + 1 }},
		{"health", func(s *Settings, _ []Upstream) { s.Health.Ejected = 101 }},
		{"path", func(s *Settings, _ []Upstream) { s.Health.Path = "health" }},
		{"path with a line", func(s *Settings, _ []Upstream) { s.Health.Path = "/a\r\nb" }},
	} {
		r := newRig(t, good, upstreams(3))
		before := fmt.Sprint(r.Stats())
		s, list := good, upstreams(4)
		c.edit(&s, list)
		if err := r.Set(s, list); polymath.CodeOf(err) != polymath.InvalidArgument {
			t.Errorf("%s: %v, want it refused as invalid", c.name, err)
		}
		if got := fmt.Sprint(r.Stats()); got != before {
			t.Errorf("%s: refused settings changed the pool from %s to %s", c.name, before, got)
		}
		for i := range 6 {
			if got := r.run(exchange(), ok); got == nil {
				t.Fatalf("%s: request %d found nobody", c.name, i)
			}
		}
	}
}

// TestSetKeepsWhatStays: counts, breakers and requests of upstreams that stay are
// kept, over another policy too; who is configured otherwise begins anew.
func TestSetKeepsWhatStays(t *testing.T) {
	r := newRig(t, quiet("least-connections"), upstreams(3))
	x := exchange()
	r.begin(x)
	busy := r.Pick(x)
	for range 30 {
		r.run(exchange(), ok)
	}
	list := upstreams(3)
	list[1].Server.Host = "other.example"
	if err := r.Set(quiet("peak-ewma"), list); err != nil {
		t.Fatal(err)
	}
	if got := r.of(busy.Name); got.InFlight != 1 || got.Picked == 0 {
		t.Errorf("%+v: the request under way, or the count, is lost", got)
	}
	if got := r.of(list[1].Server.Name); got.Picked != 0 {
		t.Errorf("an upstream that is another one now has %d picks", got.Picked)
	}
	if err := r.Remove(busy.Name); err != nil {
		t.Fatal(err)
	}
	if got := r.of(busy.Name); got.State != "leaving" || got.InFlight != 1 {
		t.Errorf("removed with a request under way: %+v", got)
	}
	r.Done(x, busy, forward.Result{Status: 200, Now: r.clock})
	r.End(x)
	if got := len(r.Stats().Upstreams); got != 2 {
		t.Errorf("%d upstreams are listed, want 2", got)
	}
}

func TestOperations(t *testing.T) {
	r := newRig(t, quiet("weighted-round-robin"), upstreams(2))
	name := upstream(0).Server.Name
	share := func() int {
		before := r.of(name).Picked
		for range 300 {
			r.run(exchange(), ok)
		}
		return int(r.of(name).Picked - before)
	}
	if err := r.Weight(name, 2); err != nil {
		t.Fatal(err)
	}
	if got := share(); got != 200 {
		t.Errorf("with weight 2 of 3 it got %d of 300", got)
	}
	if err := r.Weight(name, 0); err != nil {
		t.Fatal(err)
	}
	if got := share(); got != 0 {
		t.Errorf("with weight 0 it got %d", got)
	}
	if err := r.Weight(name, 1); err != nil {
		t.Fatal(err)
	}
	if err := r.Add(upstream(2)); err != nil {
		t.Fatal(err)
	}
	if got := share(); got != 100 {
		t.Errorf("one of three got %d of 300", got)
	}
	if err := r.Drain(t.Context(), name); err != nil {
		t.Fatal(err)
	}
	if got := share(); got != 0 {
		t.Errorf("draining it got %d", got)
	}
	if err := r.Resume(name); err != nil {
		t.Fatal(err)
	}
	if err := r.Drain(t.Context(), name); err != nil {
		t.Fatal(err)
	}
	if err := r.Add(upstream(0)); err != nil { // it registers again (D3)
		t.Fatal(err)
	}
	if got := share(); got != 100 {
		t.Errorf("registered again it got %d of 300", got)
	}
	for _, err := range []error{
		r.Remove("x"), r.Weight("x", 1), r.Resume("x"), r.Drain(t.Context(), "x"),
	} {
		if polymath.CodeOf(err) != polymath.NotFound {
			t.Errorf("an unknown name gave %v", err)
		}
	}
	if err := r.Weight(name, -1); polymath.CodeOf(err) != polymath.InvalidArgument {
		t.Errorf("a negative weight gave %v", err)
	}
	if got, err := r.Server(name); err != nil || got.Address != upstream(0).Server.Address || got.Data != nil {
		t.Errorf("Server: %+v, %v", got, err)
	}
}

// TestDrainWaits: until the last request has ended, or as long as it may.
func TestDrainWaits(t *testing.T) {
	r := newRig(t, quiet("round-robin"), upstreams(1))
	x := exchange()
	r.begin(x)
	u := r.Pick(x)
	limited, cancel := context.WithCancel(t.Context())
	cancel()
	if err := r.Drain(limited, u.Name); polymath.CodeOf(err) != polymath.Timeout || !errors.Is(err, context.Canceled) {
		t.Errorf("with a request under way: %v", err)
	}
	drained := make(chan error)
	go func() { drained <- r.Drain(t.Context(), u.Name) }()
	select {
	case err := <-drained:
		t.Fatalf("drained with a request under way: %v", err)
	default:
	}
	r.Done(x, u, forward.Result{Status: 200, Now: r.clock})
	r.End(x)
	if err := <-drained; err != nil {
		t.Errorf("idle, and still: %v", err)
	}
}

// TestSlowStart: an upstream that comes gets a tenth of its share at first, and
// all of it in the end.
func TestSlowStart(t *testing.T) {
	s := quiet("weighted-round-robin")
	s.Health.SlowStart = 10 * time.Second
	r := newRig(t, s, upstreams(2))
	r.clock += time.Minute
	if err := r.Add(upstream(2)); err != nil {
		t.Fatal(err)
	}
	name, seen := upstream(2).Server.Name, uint64(0)
	for second, want := range []uint64{47, 90, 130, 166, 200, 230, 259, 285, 310, 333} { // of 1000: f / (2 + f)
		for range 1000 {
			x := exchange()
			r.begin(x)
			r.Done(x, r.Pick(x), forward.Result{Status: 200, Now: r.clock})
			r.End(x)
		}
		got := r.of(name).Picked - seen
		seen += got
		if got+5 < want || got > want+5 {
			t.Errorf("in second %d it got %d of 1000, want about %d", second, got, want)
		}
		r.clock += time.Second
	}
	if got := r.of(name); got.State != "up" {
		t.Errorf("after its slow start it is %s", got.State)
	}
}

// TestManyAtOnce: exchanges, operations and checks from many sides (with -race);
// in the end nothing is in flight.
func TestManyAtOnce(t *testing.T) {
	s := Defaults()
	s.PerUpstream, s.Hedge.Percentile = 5, 90
	p, err := New(Options{}, s, upstreams(4))
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for worker := range 6 {
		all.Go(func() {
			x := exchange()
			for n := range 2000 {
				x.Begun = p.now()
				if p.Begin(x) != nil {
					p.End(x)
					continue
				}
				p.Hedge(x)
				for u := p.Pick(x); u != nil; u = p.Pick(x) {
					r := forward.Result{Status: 200, Latency: time.Millisecond, Now: p.now()}
					if (n+worker)%7 == 0 {
						r = forward.Result{Kind: forward.Broken, Now: p.now()}
					}
					p.Done(x, u, r)
					if !p.Retry(x, r) {
						break
					}
				}
				p.End(x)
			}
		})
	}
	all.Go(func() {
		for n := range 200 {
			set := s
			set.Policy.Name = pick.Names()[n%len(pick.Names())]
			if err := p.Set(set, upstreams(2+n%4)); err != nil {
				t.Errorf("Set: %v", err)
			}
			p.Stats()
		}
	})
	all.Go(func() {
		for range 200 {
			err := p.Weight(upstream(1).Server.Name, 3)
			if err != nil {
				t.Errorf("Weight: %v", err)
			}
			targets, _ := board{p}.Due(4)
			for i := range targets {
				board{p}.Checked(&targets[i], "")
			}
		}
	})
	all.Wait()
	if got := p.Stats(); got.InFlight != 0 || p.inFlight != 0 || len(p.leaving) != 0 {
		t.Errorf("%d exchanges, %d attempts in flight and %d leaving at the end", got.InFlight, p.inFlight, len(p.leaving))
	}
}

// TestStats: what happened is what is told.
func TestStats(t *testing.T) {
	r := newRig(t, quiet("round-robin"), upstreams(1))
	for n := range 100 {
		r.clock += 50 * time.Millisecond
		x := exchange()
		x.Sent, x.Received = 10, 1
		r.run(x, func(*forward.Upstream) forward.Result {
			if n%10 == 0 {
				return forward.Result{Status: 404, Latency: 40 * time.Millisecond}
			}
			return forward.Result{Status: 200, Latency: 3 * time.Millisecond}
		})
	}
	got := r.Stats()
	u := got.Upstreams[0]
	if got.Requests != 100 || got.Answers[2] != 90 || got.Answers[4] != 10 || got.Rate != 10 {
		t.Errorf("totals: %+v, %v a second", got.Totals, got.Rate)
	}
	if u.Picked != 100 || u.Answers[4] != 10 || u.Sent != 1000 || u.Received != 100 || u.LatencySum != 670*time.Millisecond {
		t.Errorf("upstream: %+v", u)
	}
	if u.P50 < 3*time.Millisecond || u.P50 > 4*time.Millisecond || u.P99 < 40*time.Millisecond || u.P99 > 45*time.Millisecond {
		t.Errorf("p50 %v of 3 ms, p99 %v of 40 ms", u.P50, u.P99)
	}
	sum := uint64(0)
	for i, n := range u.Latencies {
		if n > 0 && LatencyBound(i) < 3*time.Millisecond {
			t.Errorf("%d latencies are below %v", n, LatencyBound(i))
		}
		sum += n
	}
	if sum != 100 || latencyBucket(LatencyBound(3)) != 3 || latencyBucket(LatencyBound(3)+1) != 4 || latencyBucket(time.Hour) != LatencyBuckets-1 {
		t.Errorf("the histogram has %d latencies: %v", sum, u.Latencies)
	}
}
