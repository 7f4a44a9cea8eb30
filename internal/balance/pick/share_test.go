package pick

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// weights draws a fleet of any shape, and the sum of its weights.
func weights(t *rapid.T) (backends []Backend, total int) {
	backends = weighted(rapid.SliceOfN(rapid.IntRange(1, 30), 1, 12).Draw(t, "weights")...)
	for _, b := range backends {
		total += b.Weight
	}
	return backends, total
}

// TestRoundRobinShares: any window of m requests gives each of the k available
// floor(m/k) or ceil(m/k) of them (G11, W12).
func TestRoundRobinShares(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		backends := fleet(rapid.IntRange(1, 12).Draw(t, "backends"))
		for i := range backends {
			backends[i].Available = i == 0 || rapid.Bool().Draw(t, "available")
		}
		k := 0
		for _, b := range backends {
			if b.Available {
				k++
			}
		}
		p := NewRoundRobin()
		update(t, p, backends)
		for range rapid.IntRange(0, 20).Draw(t, "before") {
			p.Pick(Request{})
		}
		m, got := rapid.IntRange(0, 100).Draw(t, "window"), make([]int, len(backends))
		for range m {
			got[p.Pick(Request{})]++
		}
		for i, b := range backends {
			if b.Available && (got[i] < m/k || got[i] > (m+k-1)/k) {
				t.Fatalf("backend %d got %d of %d requests among %d", i, got[i], m, k)
			}
		}
	})
}

// TestSmoothOrder is the example of nginx's own description.
func TestSmoothOrder(t *testing.T) {
	p := NewSmooth()
	update(t, p, weighted(5, 1, 1))
	var order strings.Builder
	for range 14 {
		order.WriteByte("abc"[p.Pick(Request{})])
	}
	if got, want := order.String(), "aabacaaaabacaa"; got != want {
		t.Errorf("picked %s, want %s", got, want)
	}
}

// TestSmoothShares: every W picks give each exactly its weight, and nobody is a
// whole request ahead of its share at any time (G11).
func TestSmoothShares(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		backends, total := weights(t)
		p, got := NewSmooth(), make([]int, len(backends))
		update(t, p, backends)
		for m := 1; m <= 3*total; m++ {
			got[p.Pick(Request{})]++
			for i, b := range backends {
				if got[i]*total >= m*b.Weight+total {
					t.Fatalf("after %d picks backend %d has %d, its share is %d/%d", m, i, got[i], m*b.Weight, total)
				}
				if m%total == 0 && got[i] != m/total*b.Weight {
					t.Fatalf("after %d rounds backend %d of weight %d has %d", m/total, i, b.Weight, got[i])
				}
			}
		}
	})
}

// TestSmoothForgivesTheHeavy: who was heavy, and is light now, waits no longer
// than two of the new rounds for what it got before.
func TestSmoothForgivesTheHeavy(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(2, 8).Draw(t, "backends")
		p, backends := NewSmooth(), fleet(n)
		for range 3 {
			for i := range backends {
				backends[i].Weight = rapid.IntRange(1, MaxWeight).Draw(t, "weight")
			}
			update(t, p, backends)
			for range rapid.IntRange(0, 50).Draw(t, "picks") {
				p.Pick(Request{})
			}
		}
		update(t, p, fleet(n))
		got := make([]int, n)
		for range 3 * n {
			got[p.Pick(Request{})]++
		}
		for i := range got {
			if got[i] == 0 {
				t.Fatalf("in three rounds the backends got %v", got)
			}
		}
	})
}

// TestLeastShares: of m requests that stay, each backend has at least
// floor(m * weight / W); with equal weights at most one more than any other.
func TestLeastShares(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		backends, total := weights(t)
		if rapid.Bool().Draw(t, "even") {
			backends = fleet(len(backends))
			total = len(backends)
		}
		p, got := NewLeast(), make([]int, len(backends))
		update(t, p, backends)
		for m := 1; m <= 100; m++ {
			got[p.Pick(Request{})]++
			for i, b := range backends {
				if got[i] < m*b.Weight/total {
					t.Fatalf("of %d requests backend %d has %d, want at least %d", m, i, got[i], m*b.Weight/total)
				}
				if total == len(backends) && got[i] > m/total+1 {
					t.Fatalf("of %d requests backend %d of %d equals has %d", m, i, total, got[i])
				}
			}
		}
	})
}

// TestLeastFollowsTheLoad: the busy one is passed over, idle ones take turns,
// and who left and came back still has its requests.
func TestLeastFollowsTheLoad(t *testing.T) {
	p, backends := NewLeast(), fleet(3)
	update(t, p, backends)
	busy := p.Pick(Request{})
	for n := range 4 {
		if got, want := p.Pick(Request{}), 1+n%2; got != want {
			t.Fatalf("pick %d: %d, want %d", n, got, want)
		}
		p.Done(Outcome{Name: backends[1+n%2].Name})
	}
	update(t, p, backends[1:])
	update(t, p, backends)
	for range 4 {
		i := p.Pick(Request{})
		if i == busy {
			t.Fatalf("backend %d was picked, which has a request from before it left", i)
		}
		p.Done(Outcome{Name: backends[i].Name})
	}
	p.Done(Outcome{Name: backends[busy].Name})
	p.Done(Outcome{Name: backends[busy].Name})
	p.Done(Outcome{Name: "never heard of"})
	seen := map[int]bool{}
	for range 3 {
		seen[p.Pick(Request{})] = true
	}
	if len(seen) != 3 {
		t.Errorf("three requests to idle backends went to %v", seen)
	}
}

// TestRosterForgets: nothing is kept of who left once its requests are done.
func TestRosterForgets(t *testing.T) {
	p, backends := NewLeast(), fleet(3)
	update(t, p, backends)
	i := p.Pick(Request{})
	update(t, p, nil)
	if len(p.named) != 1 {
		t.Errorf("%d backends remembered, want the one with a request", len(p.named))
	}
	p.Done(Outcome{Name: backends[i].Name})
	if len(p.named) != 0 {
		t.Errorf("%d backends remembered, want none", len(p.named))
	}
}

// TestRandomShares: counts are within five standard deviations of the binomial
// distribution's mean; the seed is fixed.
func TestRandomShares(t *testing.T) {
	const picks = 100_000
	for _, avoid := range [][]int{nil, {3}} {
		p, backends := NewRandom(), weighted(1, 2, 3, 4, 0, 10)
		backends[5].Available = false
		update(t, p, backends)
		total := 10.0
		if avoid != nil {
			total = 6
		}
		random, got := rand.New(rand.NewPCG(3, 4)), make([]int, len(backends))
		for range picks {
			got[p.Pick(Request{Random: random.Uint64(), Avoid: avoid})]++
		}
		for i, n := range got {
			share := float64(backends[i].Weight) / total
			if i >= 4 || avoid != nil && i == 3 {
				share = 0
			}
			if math.Abs(float64(n)-share*picks) > 5*math.Sqrt(picks*share*(1-share)) {
				t.Errorf("avoiding %v: backend %d got %d of %d, share %.3f", avoid, i, n, picks, share)
			}
		}
	}
}

// TestPeakObserves is Finagle's formula, value by value, with a decay of 10 s; and
// that an answer counts for something even at once.
func TestPeakObserves(t *testing.T) {
	const ms, s = time.Millisecond, time.Second
	late := 200e6*math.Exp(-1) + 10e6*(1-math.Exp(-1))
	var k peak
	for _, c := range []struct {
		name         string
		latency, now time.Duration
		want         float64 // nanoseconds
	}{
		{"the first is taken whole", 10 * ms, 1 * s, 10e6},
		{"a peak is taken whole", 200 * ms, 2 * s, 200e6},
		{"less counts by the time", 10 * ms, 12 * s, late},
		{"at once it counts for a little", 1 * ms, 12 * s, late*31/32 + 1e6/32},
		{"a peak, late", 300 * ms, 11 * s, 300e6},
		{"time does not run back", 0, 11 * s, 300e6 * 31 / 32},
	} {
		k.observe(c.latency, c.now, 10*s)
		if math.Abs(k.cost-c.want) > 1 {
			t.Errorf("%s: cost %.0f, want %.0f", c.name, k.cost, c.want)
		}
	}
	if got, want := k.weight(32*s, 10*s), math.Exp(-2); math.Abs(got-want) > 1e-9 || k.weight(11*s, 10*s) != 1 {
		t.Errorf("without answers it fades to %v, not %v; in the past to %v", got, want, k.weight(11*s, 10*s))
	}
}

// TestPeakEWMAAvoidsTheSlow simulates ten backends, of which one is ten times
// slower, one fails at once, and one is twice as heavy.
func TestPeakEWMAAvoidsTheSlow(t *testing.T) {
	const slow, failing, heavy, picks = 0, 1, 2, 20_000
	p, backends := NewPeakEWMA(0), fleet(10)
	backends[heavy].Weight = 2
	update(t, p, backends)
	type request struct {
		backend int
		ends    int
		outcome Outcome
	}
	random, got, flight := rand.New(rand.NewPCG(5, 6)), make([]int, len(backends)), []request(nil)
	for n := range picks {
		now := time.Duration(n) * time.Millisecond
		for len(flight) > 0 && flight[0].ends <= n {
			flight[0].outcome.Now = now
			p.Done(flight[0].outcome)
			flight = flight[1:]
		}
		i := p.Pick(Request{Random: random.Uint64(), Now: now})
		got[i]++
		o := Outcome{Name: backends[i].Name, Latency: 20 * time.Millisecond}
		switch i {
		case slow:
			o.Latency *= 10
		case failing:
			o.Latency, o.Failed = 0, true
		}
		flight = append(flight, request{backend: i, ends: n + 20, outcome: o})
	}
	t.Logf("of %d requests: slow %d, failing %d, heavy %d, others %v", picks, got[slow], got[failing], got[heavy], got[3:])
	fair := picks / 11
	for _, i := range []int{slow, failing} {
		if got[i] > fair/4 {
			t.Errorf("backend %d got %d requests, want far below %d", i, got[i], fair)
		}
	}
	if got[heavy] < got[3]*3/2 {
		t.Errorf("the heavy backend got %d requests, an ordinary one %d", got[heavy], got[3])
	}
}

// TestPeakEWMAForgetsAPause simulates two fast backends and one twenty times slower,
// and once a second the machine stands still for a while: everything that is
// under way takes longer by that. The fast ones are not to look slow for long.
func TestPeakEWMAForgetsAPause(t *testing.T) {
	const rate, fast, slowTime, pause = 2000, 2 * time.Millisecond, 40 * time.Millisecond, 60 * time.Millisecond
	p, backends := NewPeakEWMA(0), fleet(3)
	update(t, p, backends)
	type request struct {
		backend    int
		begun, end time.Duration
	}
	random, got, flight := rand.New(rand.NewPCG(7, 8)), make([]int, len(backends)), []request(nil)
	for n := range 10 * rate {
		now := time.Duration(n) * time.Second / rate
		if n%rate == rate/2 {
			for i := range flight {
				flight[i].end += pause
			}
		}
		flight = slices.DeleteFunc(flight, func(r request) bool {
			if r.end <= now {
				p.Done(Outcome{Name: backends[r.backend].Name, Latency: r.end - r.begun, Now: now})
			}
			return r.end <= now
		})
		r := request{p.Pick(Request{Random: random.Uint64(), Now: now}), now, now + fast}
		if r.backend == 0 {
			r.end = now + slowTime
		}
		got[r.backend]++
		flight = append(flight, r)
	}
	t.Logf("of %d requests: slow %d, fast %v", 10*rate, got[0], got[1:])
	if got[0] > 10*rate/100 {
		t.Errorf("the slow backend got %d of %d requests", got[0], 10*rate)
	}
}

// TestFade: the parabola is the exponential to within what is promised, and they
// meet where one takes over from the other.
func TestFade(t *testing.T) {
	for _, x := range []float64{0, 1e-9, 1e-6, 1e-4, 1.0/1024 - 1e-12, 1.0 / 1024, 0.1, 1, 40} {
		// A decay is 1/x steps, and what each is off by adds up.
		if got, want := fade(x), math.Exp(-x); math.Abs(got-want) > 2e-7*x {
			t.Errorf("fade(%v) is %v, want %v", x, got, want)
		}
	}
}

// TestIndexIsAHint: a request ends at its backend whatever index is told.
func TestIndexIsAHint(t *testing.T) {
	for _, index := range []int{0, 1, 2, -1, 99} {
		var r roster
		r.update([]Backend{{Name: "a"}, {Name: "b"}})
		r.loads[1].inFlight = 2
		if l := r.done(&Outcome{Name: "b", Index: index}); l != r.loads[1] || l.inFlight != 1 {
			t.Errorf("index %d: another one's request ended", index)
		}
		r.update([]Backend{{Name: "a"}})
		if l := r.done(&Outcome{Name: "b", Index: index}); l == nil || l.inFlight != 0 || r.named["b"] != nil {
			t.Errorf("index %d: who has left is not forgotten with its last request", index)
		}
	}
}
