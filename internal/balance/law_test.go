package balance

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/polymath-run/polymath/internal/balance/forward"
	"github.com/polymath-run/polymath/internal/balance/guard"
	"github.com/polymath-run/polymath/internal/balance/health"
	"github.com/polymath-run/polymath/internal/balance/pick"
)

// history is a pool under any history, and what a test knows of it.
type history struct {
	*rig

	list    []Upstream
	flights []flown
}

// flown is an exchange that has begun.
type flown struct {
	x    *forward.Exchange
	open []*forward.Upstream
}

// mayBePicked is the law: what is picked is in the list, drains not, has a closed
// breaker and is healthy, unless it is a trial, or nobody is healthy enough.
func (h *history) mayBePicked(t *rapid.T, u *forward.Upstream, before Stats) {
	for _, s := range before.Upstreams {
		if s.Name != u.Name || s.State == "leaving" {
			continue
		}
		switch {
		case s.State == "draining" || s.Weight == 0:
			t.Fatalf("%s was picked, which is draining", s.Name)
		case s.Breaker == "open":
			t.Fatalf("%s was picked, whose breaker is open", s.Name)
		case s.State == "down" && !before.Panicking:
			t.Fatalf("%s was picked, which is down", s.Name)
		case s.State == "ejected" && !before.Panicking:
			t.Fatalf("%s was picked, which is ejected", s.Name)
		}
		return
	}
	t.Fatalf("%s was picked, which is not in the list", u.Name)
}

func (h *history) begin(t *rapid.T) {
	x := exchange()
	x.Again = rapid.Bool().Draw(t, "again")
	x.Safe = x.Again && rapid.Bool().Draw(t, "safe")
	f := flown{x: x}
	if h.rig.begin(x) != nil {
		h.End(x)
		return
	}
	h.Hedge(x)
	h.pick(t, &f)
	h.flights = append(h.flights, f)
}

func (h *history) pick(t *rapid.T, f *flown) {
	before := h.Stats()
	u := h.Pick(f.x)
	if u == nil {
		return
	}
	h.mayBePicked(t, u, before)
	f.open = append(f.open, u)
}

// some gives one exchange under way, and its index.
func (h *history) some(t *rapid.T) (*flown, int) {
	if len(h.flights) == 0 {
		return nil, 0
	}
	i := rapid.IntRange(0, len(h.flights)-1).Draw(t, "exchange")
	return &h.flights[i], i
}

func (h *history) done(t *rapid.T) {
	f, _ := h.some(t)
	if f == nil || len(f.open) == 0 {
		return
	}
	i := rapid.IntRange(0, len(f.open)-1).Draw(t, "attempt")
	u := f.open[i]
	r := forward.Result{
		Kind:    rapid.SampledFrom([]forward.Kind{0, 0, 0, 1, 2, 3, 4, 5, 6}).Draw(t, "kind"),
		Latency: time.Duration(rapid.Int64Range(0, 1e9).Draw(t, "latency")),
		Now:     h.clock,
	}
	if r.Kind == forward.Answered {
		r.Status = rapid.SampledFrom([]int{200, 200, 404, 500, 503}).Draw(t, "status")
	}
	if len(f.open) == 1 && slices.Contains(f.x.Doubted, r.Status) && h.Retry(f.x, r) {
		h.pick(t, f) // the answer is thrown away only where there is another
	}
	f.open = append(f.open[:i], f.open[i+1:]...)
	h.Done(f.x, u, r)
	if r.Kind != forward.Answered && len(f.open) == 0 && h.Retry(f.x, r) {
		h.pick(t, f)
	}
}

func (h *history) end(t *rapid.T) {
	f, i := h.some(t)
	if f == nil {
		return
	}
	h.finish(f)
	h.flights = append(h.flights[:i], h.flights[i+1:]...)
}

func (h *history) finish(f *flown) {
	for _, u := range f.open {
		h.Done(f.x, u, forward.Result{Kind: forward.Abandoned, Now: h.clock})
	}
	h.End(f.x)
}

// change sets other upstreams, and another policy now and then.
func (h *history) change(t *rapid.T) {
	s := h.settings.Load().Settings
	s.Policy.Name = rapid.SampledFrom(pick.Names()).Draw(t, "policy")
	h.list = h.list[:0]
	for i := range rapid.IntRange(0, 6).Draw(t, "upstreams") {
		u := upstream(i)
		u.Weight = rapid.SampledFrom([]int{0, 1, 1, 1, 5}).Draw(t, "weight")
		u.Drain = rapid.IntRange(0, 4).Draw(t, "drains") == 0
		u.Server.HTTP2 = rapid.IntRange(0, 4).Draw(t, "otherwise") == 0 // another one of the same name
		h.list = append(h.list, u)
	}
	if err := h.Set(s, h.list); err != nil {
		t.Fatalf("Set: %v", err)
	}
}

func (h *history) check(t *rapid.T) {
	targets, _ := board{h.Pool}.Due(16)
	for i := range targets {
		switch rapid.IntRange(0, 3).Draw(t, "check") {
		case 0:
			board{h.Pool}.Checked(&targets[i], "refused")
		case 1:
			board{h.Pool}.Dropped(&targets[i])
		default:
			board{h.Pool}.Checked(&targets[i], "")
		}
	}
}

// TestAnyHistory is the law of the pool (D5, G22): whoever is picked may be, and
// when all exchanges have ended nothing is in flight, whatever happened.
func TestAnyHistory(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := Defaults()
		s.Hedge.Percentile = 50
		s.PerUpstream = rapid.SampledFrom([]int{0, 1, 3}).Draw(t, "per upstream")
		s.Limit = guard.LimitRule{First: 20, Least: 5, Most: 40}
		s.Breaker.Failures = 2
		s.Health.ServerErrors, s.Health.Errors = 2, 3
		s.Health.Panic = rapid.SampledFrom([]int{0, 50}).Draw(t, "panic")
		h := &history{rig: newRig(t, s, upstreams(3))}
		h.list = upstreams(3)
		t.Repeat(map[string]func(*rapid.T){
			"":       h.consistent,
			"begin":  h.begin,
			"begin2": h.begin,
			"done":   h.done,
			"done2":  h.done,
			"end":    h.end,
			"check":  h.check,
			"change": h.change,
			"wait": func(t *rapid.T) {
				h.clock += time.Duration(rapid.SampledFrom([]int64{1e6, 1e8, 3e9, 7e10}).Draw(t, "wait"))
			},
		})
		for i := range h.flights {
			h.finish(&h.flights[i])
		}
		h.flights = nil
		h.consistent(t)
		if got := h.Stats(); got.InFlight != 0 || h.inFlight != 0 || len(h.leaving) != 0 {
			t.Fatalf("%d exchanges and %d attempts in flight, %d leaving, when all have ended", got.InFlight, h.inFlight, len(h.leaving))
		}
	})
}

// consistent compares what the pool counts with what there is.
func (h *history) consistent(t *rapid.T) {
	open := make(map[string]int)
	all := 0
	for _, f := range h.flights {
		for _, u := range f.open {
			open[u.Name]++
			all++
		}
	}
	stats, counted, out, serving := h.Stats(), make(map[string]int), 0, 0
	for _, s := range stats.Upstreams {
		counted[s.Name] += s.InFlight
		switch s.State {
		case "ejected", "trial":
			out++
			serving++
		case "draining", "leaving":
		default:
			serving++
		}
	}
	for name, n := range counted {
		if open[name] != n {
			t.Fatalf("%s counts %d in flight, there are %d", name, n, open[name])
		}
	}
	if h.inFlight != all || stats.InFlight != len(h.flights) {
		t.Fatalf("%d attempts and %d exchanges are counted, there are %d and %d", h.inFlight, stats.InFlight, all, len(h.flights))
	}
	if share := h.settings.Load().Health.Ejected; out*100 > serving*share {
		t.Fatalf("%d of %d are ejected, at most %d %% may be", out, serving, share)
	}
}

// TestRetriesNeverMakeItWorse: with every upstream failing, however many there
// are and however the failure looks, attempts are at most (1 + budget) times
// the requests, exactly.
func TestRetriesNeverMakeItWorse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := quiet(rapid.SampledFrom([]string{"round-robin", "peak-ewma", "maglev"}).Draw(t, "policy"))
		s.Retry.Most = 3
		s.Retry.Share = guard.Share{Percent: rapid.IntRange(0, 100).Draw(t, "budget")}
		s.Breaker.Failures = rapid.SampledFrom([]int{0, 5}).Draw(t, "breaker") // with it there are fewer still
		r := newRig(t, s, upstreams(rapid.IntRange(1, 8).Draw(t, "upstreams")))
		attempts, requests := 0, 0
		kind := rapid.SampledFrom([]forward.Kind{forward.Unreached, forward.Broken, forward.Answered}).Draw(t, "kind")
		for range rapid.IntRange(1, 40).Draw(t, "bursts") {
			r.clock += time.Duration(rapid.Int64Range(0, 5e9).Draw(t, "pause"))
			for range rapid.IntRange(1, 60).Draw(t, "burst") {
				requests++
				r.run(exchange(), func(*forward.Upstream) forward.Result {
					attempts++
					if kind == forward.Answered {
						return forward.Result{Status: 503, Latency: time.Millisecond}
					}
					return forward.Result{Kind: kind, Latency: time.Millisecond}
				})
			}
		}
		if attempts*100 > requests*(100+s.Retry.Share.Percent) {
			t.Fatalf("%d requests made %d attempts with a budget of %d %%", requests, attempts, s.Retry.Share.Percent)
		}
	})
}

// TestHedgesStayInTheirBudget is the same for second requests of slow answers.
func TestHedgesStayInTheirBudget(t *testing.T) {
	s := quiet("round-robin")
	s.Hedge = guard.HedgeRule{Percentile: 90, Least: time.Millisecond, Share: guard.Share{Percent: 5}}
	r := newRig(t, s, upstreams(3))
	const requests = 5000
	hedged := 0
	for n := range requests {
		x := exchange()
		r.begin(x)
		delay := r.Hedge(x)
		first := r.Pick(x)
		if delay > 0 && n%2 == 0 { // far more than the percentile says are slow
			r.clock += delay
			if second := r.Pick(x); second != nil {
				hedged++
				if second == first {
					t.Fatal("the hedge went where the first attempt is")
				}
				r.Done(x, second, forward.Result{Status: 200, Latency: time.Millisecond, Now: r.clock})
				r.Done(x, first, forward.Result{Kind: forward.Abandoned, Latency: delay, Now: r.clock})
				r.End(x)
				continue
			}
		}
		r.clock += 5 * time.Millisecond
		r.Done(x, first, forward.Result{Status: 200, Latency: 5 * time.Millisecond, Now: r.clock})
		r.End(x)
	}
	got := r.Stats()
	if hedged == 0 || hedged > requests*5/100 || got.Hedges != uint64(hedged) || got.HedgesRefused == 0 {
		t.Errorf("%d of %d requests were hedged (%d counted, %d refused), at most 5 %% may be", hedged, requests, got.Hedges, got.HedgesRefused)
	}
	if x := exchange(); true {
		x.Safe = false
		r.begin(x)
		if delay := r.Hedge(x); delay != 0 {
			t.Errorf("what changes something is hedged after %v", delay)
		}
	}
}

// TestKilledUpstream: of three upstreams one is killed. No idempotent request
// fails, and after five it is asked no more but for trials (D5, D8, G22).
func TestKilledUpstream(t *testing.T) {
	for _, policy := range []string{"round-robin", "peak-ewma", "least-connections", "maglev", "bounded-ring"} {
		t.Run(policy, func(t *testing.T) {
			r := newRig(t, quiet(policy), upstreams(3))
			s := r.settings.Load().Settings
			source, err := pick.ParseSource("path")
			if err != nil {
				t.Fatal(err)
			}
			s.Keys = []pick.Source{source}
			if err := r.Set(s, upstreams(3)); err != nil {
				t.Fatal(err)
			}
			request := func(how behaviour) {
				x := exchange()
				x.Facts = &facts{target: "/" + time.Duration(r.random()).String()}
				r.clock += time.Millisecond
				if got := r.run(x, how); got == nil || got.Kind != forward.Answered {
					t.Fatalf("a request failed: %+v", got)
				}
			}
			for range 1000 {
				request(ok)
			}
			victim, asked := upstream(1).Server.Name, 0
			how := func(u *forward.Upstream) forward.Result {
				if u.Name != victim {
					return ok(u)
				}
				asked++
				return dead(u)
			}
			for range 2000 { // about six seconds
				request(how)
			}
			if asked > guard.DefaultFailures {
				t.Errorf("the killed upstream was asked %d times, want at most %d", asked, guard.DefaultFailures)
			}
			if got := r.of(victim); asked == guard.DefaultFailures && got.Breaker != "open" && got.State != "ejected" {
				t.Errorf("the killed upstream is %s, its breaker %s", got.State, got.Breaker)
			}
			r.clock += guard.DefaultOpen
			for range 1000 {
				request(ok)
			}
			if got := r.of(victim); got.State != "up" || got.Breaker != "closed" {
				t.Errorf("a minute after it is well again the upstream is %s, its breaker %s", got.State, got.Breaker)
			}
		})
	}
}

// simulation lets requests come evenly, and upstreams answer each after its own
// time: latencies[i] is the i-th's.
func (r *rig) simulate(requests int, every time.Duration, latencies []time.Duration) (share []int) {
	r.t.Helper()
	type answer struct {
		at time.Duration
		x  *forward.Exchange
		u  *forward.Upstream
		d  time.Duration
	}
	var flight []answer
	share = make([]int, len(latencies))
	index := make(map[string]int)
	for i := range latencies {
		index[upstream(i).Server.Name] = i
	}
	finish := func(until time.Duration) {
		kept := flight[:0]
		for _, a := range flight {
			if a.at > until {
				kept = append(kept, a)
				continue
			}
			r.Done(a.x, a.u, forward.Result{Status: 200, Latency: a.d, Now: a.at})
			r.End(a.x)
		}
		flight = kept
	}
	for range requests {
		r.clock += every
		finish(r.clock)
		x := exchange()
		if r.begin(x) != nil {
			r.t.Fatalf("refused")
		}
		u := r.Pick(x)
		i := index[u.Name]
		share[i]++
		flight = append(flight, answer{r.clock + latencies[i], x, u, latencies[i]})
	}
	r.clock += time.Minute
	finish(r.clock)
	return share
}

// TestSlowUpstreamLosesItsShare: with peak EWMA an upstream that is 20 times
// slower gets next to nothing, so that the 99th percentile is the others'; round
// robin gives it a third, until it is ejected for its latency.
func TestSlowUpstreamLosesItsShare(t *testing.T) {
	const ms = time.Millisecond
	s := quiet("peak-ewma")
	s.Health.SlowFactor = 0
	r := newRig(t, s, upstreams(3))
	share := r.simulate(10_000, ms/2, []time.Duration{ms, 20 * ms, ms})
	t.Logf("peak-ewma: %v", share)
	if share[1] > 10_000/100 {
		t.Errorf("the slow one got %d of 10000 requests: more than one in a hundred", share[1])
	}

	r = newRig(t, quiet("round-robin"), upstreams(3))
	r.simulate(30_000, ms, []time.Duration{10 * ms, 200 * ms, 10 * ms})
	if got := r.of(upstream(1).Server.Name); got.Ejections == 0 {
		t.Errorf("the slow one is %s and never was ejected", got.State)
	}
	share = r.simulate(1000, ms, []time.Duration{10 * ms, 10 * ms, 10 * ms})
	if got := r.of(upstream(1).Server.Name); got.State != "up" && got.State != "warming" {
		t.Errorf("fast again, it is %s after %v", got.State, share)
	}
}

// TestAnswersComeBack: whatever had happened to it, an upstream that answers is
// back within a bound: the longest ejection and breaker, and its trials.
func TestAnswersComeBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := Defaults()
		s.Policy.Name = rapid.SampledFrom([]string{"peak-ewma", "round-robin", "ring"}).Draw(t, "policy")
		s.Health.EjectFor, s.Health.EjectMost = time.Second, 20*time.Second
		h := &history{rig: newRig(t, s, upstreams(4))}
		good := make(map[string]bool)
		how := func(u *forward.Upstream) forward.Result {
			if good[u.Name] {
				return ok(u)
			}
			return dead(u)
		}
		second := func() {
			for range 20 {
				h.clock += 50 * time.Millisecond
				x := exchange()
				x.Again = h.random()%2 == 0
				h.run(x, how)
			}
			targets, _ := board{h.Pool}.Due(16)
			for i := range targets {
				why := ""
				if !good[targets[i].Member.Data.(*member).server.Name] {
					why = "refused"
				}
				board{h.Pool}.Checked(&targets[i], why)
			}
		}
		for range rapid.IntRange(1, 20).Draw(t, "seconds") {
			for i := range 4 {
				good[upstream(i).Server.Name] = rapid.Bool().Draw(t, "good")
			}
			second()
		}
		for i := range 4 {
			good[upstream(i).Server.Name] = true
		}
		bound := s.Health.EjectMost + s.Breaker.Open + time.Duration(s.Health.Rise+1)*s.Health.Interval + s.Health.SlowStart
		for since := h.clock; h.clock-since < bound; {
			second()
		}
		for _, u := range h.Stats().Upstreams {
			if u.State != "up" || u.Breaker != "closed" {
				t.Fatalf("%s is %s (%s), its breaker %s, %v after all is well", u.Name, u.State, u.Why, u.Breaker, bound)
			}
		}
	})
}

var _ health.Board = board{}
