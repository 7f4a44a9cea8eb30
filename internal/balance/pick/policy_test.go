package pick

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// fresh makes a policy of a name.
func fresh(t fatal, name string) Policy {
	t.Helper()
	p, err := New(name)
	if err != nil {
		t.Fatalf("New(%q): %v", name, err)
	}
	return p
}

// small makes a policy that is cheap to update, for laws over many updates:
// Maglev's with a smaller table, which obeys them as the large one does.
func small(t fatal, name string) Policy {
	t.Helper()
	p := fresh(t, name)
	if m, ok := p.(*Maglev); ok {
		m.size = 1009
	}
	return p
}

// fatal is what *testing.T, *testing.B and *rapid.T have in common here.
type fatal interface {
	Helper()
	Fatalf(format string, args ...any)
}

func update(t fatal, p Policy, backends []Backend) {
	t.Helper()
	if err := p.Update(backends); err != nil {
		t.Fatalf("Update: %v", err)
	}
}

// fleet is n available backends of weight 1.
func fleet(n int) []Backend {
	out := make([]Backend, n)
	for i := range out {
		out[i] = Backend{Name: fmt.Sprintf("10.0.%d.%d:8080", i/250, i%250+1), Weight: 1, Number: uint64(i + 1), Available: true}
	}
	return out
}

func weighted(weights ...int) []Backend {
	out := fleet(len(weights))
	for i, w := range weights {
		out[i].Weight = w
	}
	return out
}

// history is a policy, and what a test knows of it.
type history struct {
	policy   Policy
	backends []Backend
	flight   []string // names of the requests in flight
	now      time.Duration
}

// change gives the policy a list of its own making: some of eight names, in any
// order, of any weight, available or not.
func (h *history) change(t *rapid.T) {
	order := rapid.Permutation([]uint64{1, 2, 3, 4, 5, 6, 7, 8}).Draw(t, "order")
	h.backends = h.backends[:0]
	for _, number := range order[:rapid.IntRange(0, len(order)).Draw(t, "backends")] {
		h.backends = append(h.backends, Backend{
			Name:      fmt.Sprint("node-", number),
			Number:    number,
			Weight:    rapid.SampledFrom([]int{0, 1, 1, 1, 2, 5}).Draw(t, "weight"),
			Available: rapid.IntRange(0, 3).Draw(t, "away") > 0,
		})
	}
	update(t, h.policy, h.backends)
}

func (h *history) pick(t *rapid.T) {
	avoid := rapid.SliceOfN(rapid.IntRange(0, 7), 0, 3).Draw(t, "avoid")
	got := h.policy.Pick(Request{
		Key:    rapid.Uint64().Draw(t, "key"),
		Random: rapid.Uint64().Draw(t, "random"),
		Now:    h.now,
		Avoid:  avoid,
	})
	may := make(map[int]bool)
	for i, b := range h.backends {
		if b.Available && b.Weight > 0 {
			may[i] = true
		}
	}
	for _, i := range avoid {
		delete(may, i)
	}
	switch {
	case got == None && len(may) > 0:
		t.Fatalf("picked none, though %d of %+v may take the request", len(may), h.backends)
	case got != None && !may[got]:
		t.Fatalf("picked %d of %+v, avoiding %v", got, h.backends, avoid)
	case got != None:
		h.flight = append(h.flight, h.backends[got].Name)
	}
}

func (h *history) done(t *rapid.T) {
	if len(h.flight) == 0 {
		return
	}
	i := rapid.IntRange(0, len(h.flight)-1).Draw(t, "ends")
	h.policy.Done(Outcome{
		Name:    h.flight[i],
		Latency: time.Duration(rapid.Int64Range(-1, 1e10).Draw(t, "latency")),
		Failed:  rapid.Bool().Draw(t, "failed"),
		Now:     h.now,
	})
	h.flight = append(h.flight[:i], h.flight[i+1:]...)
}

// TestPoliciesPickWhoMayTake is the law of all policies (D5, G11): whoever is
// picked is in the latest list, available and not avoided; and none is said
// exactly when there is none.
func TestPoliciesPickWhoMayTake(t *testing.T) {
	for _, name := range Names() {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				h := &history{policy: small(t, name)}
				t.Repeat(map[string]func(*rapid.T){
					"change": h.change,
					"pick":   h.pick,
					"done":   h.done,
					"wait": func(t *rapid.T) {
						h.now += time.Duration(rapid.Int64Range(-1e9, 1e11).Draw(t, "wait"))
					},
				})
			})
		})
	}
}

// TestMarkIsAnUpdate: a policy that is marked picks as one that got the whole
// list again, whatever the history.
func TestMarkIsAnUpdate(t *testing.T) {
	for _, name := range Names() {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				marked, updated := small(t, name), small(t, name)
				backends := weighted(rapid.SliceOfN(rapid.IntRange(0, 5), 1, 8).Draw(t, "weights")...)
				for i := range backends {
					backends[i].Available = rapid.Bool().Draw(t, "available")
				}
				update(t, marked, backends)
				update(t, updated, backends)
				now, flight := time.Duration(0), []string(nil)
				t.Repeat(map[string]func(*rapid.T){
					"mark": func(t *rapid.T) {
						i := rapid.IntRange(0, len(backends)-1).Draw(t, "which")
						backends[i].Available = rapid.Bool().Draw(t, "available")
						marked.Mark(i, backends[i].Available)
						update(t, updated, backends)
					},
					"pick": func(t *rapid.T) {
						r := Request{Key: rapid.Uint64().Draw(t, "key"), Random: rapid.Uint64().Draw(t, "random"), Now: now}
						got, want := marked.Pick(r), updated.Pick(r)
						if got != want {
							t.Fatalf("marked: %d, updated: %d", got, want)
						}
						if got != None {
							flight = append(flight, backends[got].Name)
						}
					},
					"done": func(t *rapid.T) {
						if len(flight) == 0 {
							return
						}
						now += time.Duration(rapid.Int64Range(0, 1e9).Draw(t, "later"))
						o := Outcome{Name: flight[0], Now: now, Latency: time.Duration(rapid.Int64Range(0, 1e9).Draw(t, "latency"))}
						flight = flight[1:]
						marked.Done(o)
						updated.Done(o)
					},
				})
			})
		})
	}
}

// TestAbandonedIsNoAnswer: who is left in the middle looks no faster than it
// was, and slower if it had already taken longer.
func TestAbandonedIsNoAnswer(t *testing.T) {
	for _, c := range []struct {
		name string
		left time.Duration
		want float64
	}{
		{"soon", time.Millisecond, 20e6},
		{"late", 50 * time.Millisecond, 50e6},
	} {
		p, backends := NewPeakEWMA(0), fleet(1)
		update(t, p, backends)
		p.Pick(Request{})
		p.Done(Outcome{Name: backends[0].Name, Latency: 20 * time.Millisecond})
		p.Pick(Request{})
		p.Done(Outcome{Name: backends[0].Name, Latency: c.left, Abandoned: true, Failed: true})
		if got := p.loads[0].peak.cost; got != c.want || p.loads[0].inFlight != 0 {
			t.Errorf("%s: cost %v with %d in flight, want %v with none", c.name, got, p.loads[0].inFlight, c.want)
		}
	}
}

// TestPoliciesRefuse holds the limits, and that a refused list changes nothing.
func TestPoliciesRefuse(t *testing.T) {
	for _, c := range []struct {
		name     string
		backends []Backend
		want     string
	}{
		{"no name", []Backend{{Weight: 1}}, "backend 0 has no name"},
		{"negative", weighted(1, -1), "choose one from 0 to 1000"},
		{"heavy", weighted(1, MaxWeight+1), "choose one from 0 to 1000"},
		{"twins", []Backend{{Name: "a"}, {Name: "b", Number: 1}, {Name: "a", Number: 2}}, `0 and 2 are both called "a"`},
		{"many", fleet(MaxBackends + 1), "at most 4096"},
	} {
		for _, name := range Names() {
			t.Run(c.name+"/"+name, func(t *testing.T) {
				p := fresh(t, name)
				update(t, p, fleet(1))
				if err := p.Update(c.backends); err == nil || !strings.Contains(err.Error(), c.want) {
					t.Errorf("Update: %v, want %q in it", err, c.want)
				}
				if got := p.Pick(Request{}); got != 0 {
					t.Errorf("after a refused Update: picked %d, want 0", got)
				}
			})
		}
	}
}

func TestNewRefuses(t *testing.T) {
	if _, err := New("fastest"); err == nil || !strings.Contains(err.Error(), "peak-ewma") {
		t.Errorf(`New("fastest"): %v, want the names there are`, err)
	}
	for _, points := range []int{-1, MaxPoints + 1} {
		if _, err := NewRing(points); err == nil {
			t.Errorf("NewRing(%d) gave no error", points)
		}
		if _, err := NewBoundedRing(points, 1); err == nil {
			t.Errorf("NewBoundedRing(%d, 1) gave no error", points)
		}
	}
	for _, bound := range []int{-1, MaxBound + 1} {
		if _, err := NewBoundedRing(1, bound); err == nil {
			t.Errorf("NewBoundedRing(1, %d) gave no error", bound)
		}
	}
	if p := fresh(t, "ring"); p.Update(weighted(MaxWeight, MaxWeight, MaxWeight, MaxWeight, MaxWeight, MaxWeight, MaxWeight)) == nil {
		t.Error("a ring of 1,120,000 points gave no error")
	}
}

// TestPicksAllocateNothing covers the way of a request: pick, retry, done.
func TestPicksAllocateNothing(t *testing.T) {
	for _, name := range Names() {
		t.Run(name, func(t *testing.T) {
			p, backends := fresh(t, name), fleet(20)
			update(t, p, backends)
			random := rand.New(rand.NewPCG(1, 2))
			avoid := make([]int, 1)
			if n := testing.AllocsPerRun(1000, func() {
				avoid[0] = p.Pick(Request{Key: random.Uint64(), Random: random.Uint64()})
				second := p.Pick(Request{Key: random.Uint64(), Random: random.Uint64(), Avoid: avoid})
				p.Done(Outcome{Name: backends[avoid[0]].Name, Latency: time.Millisecond})
				p.Done(Outcome{Name: backends[second].Name, Latency: time.Millisecond})
			}); n != 0 {
				t.Errorf("%v allocations per request", n)
			}
		})
	}
}

func BenchmarkPick(b *testing.B) {
	for _, name := range Names() {
		for _, n := range []int{3, 50} {
			b.Run(fmt.Sprintf("%s/backends=%d", name, n), func(b *testing.B) {
				p, backends := fresh(b, name), fleet(n)
				update(b, p, backends)
				key := uint64(0)
				b.ReportAllocs()
				for b.Loop() {
					key = nth(key, 1)
					i := p.Pick(Request{Key: key, Random: key})
					p.Done(Outcome{Name: backends[i].Name, Latency: time.Millisecond})
				}
			})
		}
	}
}

func BenchmarkUpdate(b *testing.B) {
	for _, name := range []string{"ring", "maglev"} {
		b.Run(name+"/backends=50", func(b *testing.B) {
			p, lists := fresh(b, name), [2][]Backend{fleet(49), fleet(50)}
			for i := 0; b.Loop(); i++ {
				update(b, p, lists[i%2])
			}
		})
	}
}
