package guard

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/polymath-run/polymath/internal/balance/recent"
)

// TestBudgetHolds: over any history what was spent is within the share of the
// requests, and the least of as many windows as fit into the time.
func TestBudgetHolds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		share := Share{Percent: rapid.IntRange(0, 100).Draw(t, "percent"), Least: rapid.IntRange(0, 3).Draw(t, "least")}
		b := NewBudget(share)
		now, requests, spent := time.Duration(0), 0, 0
		for range rapid.IntRange(1, 100).Draw(t, "steps") {
			now += time.Duration(rapid.Int64Range(0, 4e9).Draw(t, "step"))
			for range rapid.IntRange(0, 20).Draw(t, "requests") {
				b.Request(now)
				requests++
			}
			for range rapid.IntRange(0, 40).Draw(t, "tries") {
				if b.Spend(now) {
					spent++
				}
			}
		}
		windows := int(now/(recent.Length-recent.Length/recent.Parts)) + 1
		if most := requests*share.Percent/100 + windows*share.Least*10; spent > most {
			t.Fatalf("%d spent of %d requests in %v, at most %d may be with %+v", spent, requests, now, most, share)
		}
	})
}

// TestBudgetIsThere: what may be spent can be.
func TestBudgetIsThere(t *testing.T) {
	for _, c := range []struct {
		share    Share
		requests int
		want     int
	}{
		{Share{}, 1000, 0}, {Share{Percent: 20}, 1000, 200}, {Share{Percent: 20}, 4, 0},
		{Share{Least: 3}, 0, 30}, {Share{Percent: 10, Least: 1}, 50, 15},
	} {
		b := NewBudget(c.share)
		for range c.requests {
			b.Request(time.Second)
		}
		spent := 0
		for b.Spend(time.Second) {
			spent++
		}
		if spent != c.want {
			t.Errorf("%+v, %d requests: %d spent, want %d", c.share, c.requests, spent, c.want)
		}
		later := time.Second + recent.Length
		for range c.requests {
			b.Request(later)
		}
		if b.Spend(later) != (c.want > 0) {
			t.Errorf("%+v: a window later there is no new budget", c.share)
		}
		b.Set(Share{})
		if b.Spend(later) {
			t.Errorf("%+v: something was spent of no budget", c.share)
		}
	}
}

func TestHedgeDelay(t *testing.T) {
	h := NewHedge(HedgeRule{Percentile: 90, Least: 2 * time.Millisecond, Share: Share{Percent: 100}})
	for n := range HedgeSamples {
		if n == HedgeSamples-1 {
			if got := h.Delay(0); got != 0 {
				t.Errorf("%d latencies known, and a delay of %v", n, got)
			}
		}
		h.Observe(0, time.Duration(n+1)*time.Millisecond)
	}
	if got := h.Delay(HedgeEvery); got < 90*time.Millisecond || got > 102*time.Millisecond {
		t.Errorf("the 90th percentile of 1 to 100 ms is %v", got)
	}
	h.Set(HedgeRule{Percentile: 1, Least: 7 * time.Millisecond})
	if got := h.Delay(HedgeEvery); got != 7*time.Millisecond {
		t.Errorf("the least delay of 7 ms is %v", got)
	}
	if h.Request(HedgeEvery); h.Spend(HedgeEvery) {
		t.Error("hedged without a budget")
	}
	h.Set(HedgeRule{})
	if h.On() || h.Delay(HedgeEvery) != 0 {
		t.Error("switched off, and a delay")
	}
}

// TestBreakerSteps is the table of states (G22).
func TestBreakerSteps(t *testing.T) {
	const open = DefaultOpen
	b := NewBreaker(BreakerRule{Failures: 3, Open: open, Successes: 2})
	for i, step := range []struct {
		do   string
		at   time.Duration
		want BreakerState
	}{
		{"bad", 0, Closed}, {"bad", 0, Closed}, {"good", 0, Closed}, // in a row, or not at all
		{"bad", 0, Closed}, {"bad", 0, Closed}, {"neither", 0, Closed}, {"bad", 0, Open},
		{"good", 1, Open}, {"bad", 1, Open}, // begun before
		{"wait", open - 1, Open}, {"wait", open, HalfOpen},
		{"bad", open, HalfOpen}, {"good", open, HalfOpen}, // still of before
		{"probe bad", open, Open}, {"wait", 2*open - 1, Open}, {"wait", 2 * open, HalfOpen},
		{"probe neither", 2 * open, HalfOpen}, {"probe good", 2 * open, HalfOpen}, {"probe good", 2 * open, Closed},
		{"bad", 2 * open, Closed}, {"bad", 2 * open, Closed}, {"bad", 2 * open, Open},
		{"hurry", 2*open + HurryAfter - 1, Open}, {"hurry", 2*open + HurryAfter, HalfOpen},
	} {
		switch step.do {
		case "bad":
			b.Done(step.at, Bad, false)
		case "good":
			b.Done(step.at, Good, false)
		case "neither":
			b.Done(step.at, Neither, false)
		case "hurry":
			b.Hurry(step.at)
		case "probe bad", "probe good", "probe neither":
			if !b.Ready(step.at) {
				t.Fatalf("step %d: not ready for a probe", i)
			}
			b.Probe()
			if b.Ready(step.at) {
				t.Fatalf("step %d: ready for two probes at once", i)
			}
			b.Done(step.at, map[string]Verdict{"probe bad": Bad, "probe good": Good, "probe neither": Neither}[step.do], true)
		}
		if got := b.State(step.at); got != step.want {
			t.Fatalf("step %d, %s at %v: %v, want %v", i, step.do, step.at, got, step.want)
		}
	}
	if b.Opened() != 3 {
		t.Errorf("opened %d times, want 3", b.Opened())
	}
}

// TestBreakerReacts: under any history at most Failures attempts in a row fail
// before it opens, and after Open a probe is let through.
func TestBreakerReacts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rule := BreakerRule{Failures: rapid.IntRange(1, 5).Draw(t, "failures"), Open: time.Minute, Successes: 1}
		b := NewBreaker(rule)
		now, row, probing := time.Duration(0), 0, false
		t.Repeat(map[string]func(*rapid.T){
			"attempt": func(t *rapid.T) {
				bad := rapid.Bool().Draw(t, "bad")
				switch b.State(now) {
				case Closed:
					v := Good
					row++
					if bad {
						v = Bad
					} else {
						row = 0
					}
					b.Done(now, v, false)
				case HalfOpen:
					if b.Ready(now) {
						b.Probe()
						probing = true
					} else if !probing {
						t.Fatal("half-open, without a probe and not ready for one")
					}
				default:
					wait := b.Wait(now)
					if wait <= 0 || wait > rule.Open {
						t.Fatalf("open for %v yet", wait)
					}
				}
			},
			"probe ends": func(t *rapid.T) {
				if !probing {
					return
				}
				probing = false
				v := rapid.SampledFrom([]Verdict{Good, Bad, Neither}).Draw(t, "verdict")
				b.Done(now, v, true)
				row = 0
			},
			"wait": func(t *rapid.T) { now += time.Duration(rapid.Int64Range(0, 4e10).Draw(t, "wait")) },
			"": func(t *rapid.T) {
				if b.State(now) != Closed {
					row = 0
				}
				if row >= rule.Failures {
					t.Fatalf("closed after %d failures in a row, of %d", row, rule.Failures)
				}
			},
		})
	})
}

func TestBreakerWords(t *testing.T) {
	b := NewBreaker(BreakerRule{})
	for range 100 {
		b.Done(0, Bad, false)
	}
	if got := b.State(0).String(); got != "closed" {
		t.Errorf("a breaker that never opens is %s", got)
	}
	b.Set(BreakerRule{Failures: 1, Open: time.Second})
	b.Done(0, Bad, false)
	if got := b.State(0).String() + " " + b.State(time.Second).String(); got != "open half-open" {
		t.Errorf("the states are called %s", got)
	}
}

// TestLimitFindsTheCapacity: a server that answers k at a time in 10 ms and lets
// the others wait is simulated under more load than it takes: the limit ends
// near what keeps it busy, far below where it began; and with no queue it grows.
func TestLimitFindsTheCapacity(t *testing.T) {
	const capacity, service = 100, 10 * time.Millisecond
	l := NewLimit(LimitRule{First: 100, Least: 20, Most: 5000})
	now := time.Duration(0)
	window := func(load int) {
		begun := 0
		for range load {
			if l.Begin() {
				begun++
			}
		}
		latency := service * time.Duration(max(begun, capacity)) / capacity // Little's law
		for range begun {
			l.End()
			l.Observe(now, latency)
		}
		now += LimitWindow
	}
	for range 30 {
		window(90) // a quiet time, from which the long average is known
	}
	quiet := l.Now()
	for range 200 {
		window(5000)
	}
	if got := l.Now(); got < capacity || got > 6*capacity {
		t.Errorf("the limit is %d (%d before), the server takes %d at once", got, quiet, capacity)
	}
	for range 100 {
		window(10)
	}
	if got := l.Now(); got < capacity {
		t.Errorf("with little to do the limit fell to %d", got)
	}
	if l.InFlight() != 0 {
		t.Errorf("%d are in flight at the end", l.InFlight())
	}
}

// window lets n requests of one latency pass, of which so many are in flight at
// once.
func (l *Limit) window(now time.Duration, inFlight int, latency time.Duration) {
	for range inFlight {
		l.Begin()
	}
	for range max(inFlight, LimitSamples) {
		l.Observe(now, latency)
	}
	for range inFlight {
		l.End()
	}
}

// TestLimitSteps is the formula, case by case.
func TestLimitSteps(t *testing.T) {
	const ms = time.Millisecond
	rule := LimitRule{First: 100, Least: 10, Most: 1000}
	for _, c := range []struct {
		name     string
		inFlight int
		latency  time.Duration // after ten windows of 10 ms
		want     int
	}{
		{"little to do", 10, 10 * ms, 100},
		{"little to do, and slow", 10, 100 * ms, 100},
		{"in use, grows by smoothing times queue", 60, 10 * ms, 100}, // 100 + 0.2 * 4 = 100.8
		{"slower within the tolerance", 60, 14 * ms, 100},
		{"twice as slow", 60, 20 * ms, 95},      // 100 + 0.2 * (100 * 0.753 + 4 - 100)
		{"ten times as slow", 60, 100 * ms, 90}, // no more than by half: 100 + 0.2 * (50 + 4 - 100)
	} {
		l := NewLimit(rule)
		now := time.Duration(0)
		for range warmupWindows {
			l.window(now, 1, 10*ms)
			now += LimitWindow
		}
		l.window(now, c.inFlight, c.latency)
		if got := l.Now(); got != c.want {
			t.Errorf("%s: the limit is %d, want %d", c.name, got, c.want)
		}
	}
}

// TestLimitRecovers: when a long slow time is over, the long average follows in
// some windows and not in hundreds.
func TestLimitRecovers(t *testing.T) {
	const ms = time.Millisecond
	l := NewLimit(LimitRule{First: 100, Least: 10, Most: 1000})
	now := time.Duration(0)
	for range 20 {
		l.window(now, 1, time.Second)
		now += LimitWindow
	}
	for range 50 {
		l.window(now, 1, 10*ms)
		now += LimitWindow
	}
	if l.long > float64(30*ms) {
		t.Errorf("fifty windows of 10 ms later the long average is %v", time.Duration(l.long))
	}
}

// TestLimitKeepsItsBounds: whatever the latencies, never above Most or below
// Least, and never more in flight than it.
func TestLimitKeepsItsBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rule := LimitRule{Least: rapid.IntRange(1, 50).Draw(t, "least")}
		rule.Most = rule.Least + rapid.IntRange(0, 100).Draw(t, "more")
		rule.First = rapid.IntRange(rule.Least, rule.Most).Draw(t, "first")
		l := NewLimit(rule)
		now := time.Duration(0)
		for range 300 {
			now += time.Duration(rapid.Int64Range(0, 1e9).Draw(t, "step"))
			switch {
			case rapid.Bool().Draw(t, "begin"):
				before, limit := l.InFlight(), l.Now()
				if got := l.Begin(); got != (before < limit) {
					t.Fatalf("with %d in flight and a limit of %d one more is let in: %v", before, limit, got)
				}
			case l.InFlight() > 0:
				l.End()
			}
			l.Observe(now, time.Duration(rapid.Int64Range(-1, 1e10).Draw(t, "latency")))
			if got := l.Now(); got < rule.Least || got > rule.Most {
				t.Fatalf("the limit is %d, outside of %+v", got, rule)
			}
		}
	})
	l := NewLimit(LimitRule{})
	for range 100_000 {
		if !l.Begin() {
			t.Fatal("refused without a limit")
		}
	}
	l.Set(LimitRule{First: 10, Least: 5, Most: 20})
	if l.Now() != 10 || l.Begin() {
		t.Errorf("switched on with 100000 in flight the limit is %d", l.Now())
	}
}

func TestParseTimeout(t *testing.T) {
	for _, c := range []struct {
		text string
		want time.Duration
		ok   bool
	}{
		{"30", 30 * time.Second, true}, {"0.25", 250 * time.Millisecond, true}, {" 1 ", time.Second, true},
		{"250m", 250 * time.Millisecond, true}, {"5S", 5 * time.Second, true}, {"1H", time.Hour, true},
		{"2M", 2 * time.Minute, true}, {"7u", 7 * time.Microsecond, true}, {"9n", 9, true}, {"0", 0, true},
		{"99999999H", MaxTimeout, true}, {"999999999", MaxTimeout, true},
		{"", 0, false}, {"x", 0, false}, {"-1", 0, false}, {"+1", 0, false}, {"1e3", 0, false}, {"Inf", 0, false},
		{"NaN", 0, false}, {"m", 0, false}, {"1.5m", 0, false}, {"123456789m", 0, false}, {"1_0", 0, false},
		{".", 0, false}, {"1.2.3", 0, false}, {"000000000000000000001", 0, false},
	} {
		if got, ok := ParseTimeout(c.text); got != c.want || ok != c.ok {
			t.Errorf("%q: %v, %v, want %v, %v", c.text, got, ok, c.want, c.ok)
		}
	}
}

// FuzzParseTimeout: nothing crashes it, and what it gives is in range.
func FuzzParseTimeout(f *testing.F) {
	for _, text := range []string{"30", "0.25", "250m", "99999999H", "1e9", "-1", ".", "۱"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, ok := ParseTimeout(text)
		if got < 0 || got > MaxTimeout || !ok && got != 0 {
			t.Errorf("%q: %v, %v", text, got, ok)
		}
		if until := Until(math.MaxInt32, got, 0); got > 0 && until != math.MaxInt32+got || got == 0 && until != 0 {
			t.Errorf("%q: until %v", text, until)
		}
	})
}
