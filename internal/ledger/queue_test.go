package ledger

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/polymath-run/polymath"
)

// TestShares: queues that always have work are served in proportion to their
// weights, never further off than one lease of each (Goyal et al., theorem 1).
func TestShares(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := newRig(t)
		n := rapid.IntRange(2, 5).Draw(t, "queues")
		weights := make([]uint64, n)
		for i := range weights {
			weights[i] = rapid.Uint64Range(1, 9).Draw(t, "weight")
			r.do(&Configure{Tenant: fmt.Sprint(i), Queue: "q", Weight: uint32(weights[i])})
			s := spec(1 << 50)
			s.Options.Queue = "q"
			r.do(&Submit{Tenant: fmt.Sprint(i), Spec: s})
		}
		s := r.worker(1)
		r.do(&Demand{Session: s, Functions: []string{"f"}, Slots: 1, Micros: 1000})
		served := make(map[polymath.JobID]uint64)
		var order []polymath.JobID
		const lease = 1000
		for range rapid.IntRange(1, 300).Draw(t, "leases") {
			g := r.l.Leases()[0].Lease
			if !slices.Contains(order, g.Job) {
				order = append(order, g.Job)
			}
			r.apply(&Complete{Token: g.Token, Output: []byte("1"), Micros: g.Interval.Len()})
			served[g.Job] += g.Interval.Len()
		}
		slices.SortFunc(order, func(a, b polymath.JobID) int { return a.Ref.Compare(b.Ref) })
		if len(order) < n {
			return // not everybody had a turn yet
		}
		for i, a := range order {
			for k, b := range order {
				x, y := served[a]*weights[k], served[b]*weights[i] // times weights[i]*weights[k]
				if bound := 2 * lease * (weights[i] + weights[k]); x > y+bound {
					t.Errorf("weights %v: %d got %d and %d got %d", weights, i, served[a], k, served[b])
				}
			}
		}
	})
}

// serveOrder completes lease after lease and lists the jobs in the order in
// which they were served.
func serveOrder(r *rig, leases int) []polymath.JobID {
	var order []polymath.JobID
	for range leases {
		out := r.l.Leases()
		if len(out) == 0 {
			break
		}
		g := out[0].Lease
		order = append(order, g.Job)
		r.apply(&Complete{Token: g.Token, Output: []byte("1"), Micros: g.Interval.Len()})
	}
	return order
}

// TestPausedEarnsNothing: a queue that was paused or had no worker does not
// catch up at the cost of the others.
func TestPausedEarnsNothing(t *testing.T) {
	for _, why := range []string{"paused", "no worker"} {
		r := newRig(t)
		w := r.worker(1)
		s := spec(1 << 50)
		s.Options.Queue = "a"
		a := polymath.JobID{Ref: r.do(&Submit{Spec: s}).Ref}
		s.Options.Queue = "b"
		if why == "paused" {
			r.do(&Configure{Queue: "b", Paused: true})
		} else {
			s.Function = "g"
		}
		r.do(&Submit{Spec: s})
		serveOrder(r, 1000)
		r.apply(&Configure{Queue: "b"}, &Demand{Session: w, Functions: []string{"f", "g"}, Slots: 1, Micros: 1000})
		got := 0
		for _, id := range serveOrder(r, 41)[1:] {
			if id == a {
				got++
			}
		}
		if got < 18 || got > 22 {
			t.Errorf("%s: of 40 leases the other queue got %d", why, got)
		}
	}
}

// TestHugeCosts: no lease is so expensive that shares stop working.
func TestHugeCosts(t *testing.T) {
	r := newRig(t)
	w := r.worker(1)
	r.do(&Demand{Session: w, Functions: []string{"f"}, Slots: 1, Micros: ^uint64(0)})
	for i := range 300 { // past maxPass, and begins from 0 again
		s := spec(1)
		s.Plan.Costs = []polymath.CostPoint{{Unit: 1, Micros: ^uint64(0)}}
		s.Options.Queue = fmt.Sprint(i % 3)
		r.do(&Submit{Spec: s})
	}
	for range 299 {
		serveOrder(r, 1)
		if err := r.l.Check(); err != nil {
			t.Fatal(err)
		}
	}
	if r.l.virtual == 0 || r.l.virtual > maxPass+maxCharge*passScale {
		t.Errorf("virtual time %d", r.l.virtual)
	}
	r.do(&Demand{Session: w, Functions: []string{"f"}, Slots: 1, Micros: 1000})
	for _, name := range []string{"0", "1"} {
		s := spec(1 << 50)
		s.Options.Queue = name
		r.do(&Submit{Spec: s})
	}
	serveOrder(r, 1)
	count := make(map[polymath.JobID]int)
	for _, id := range serveOrder(r, 100) {
		count[id]++
	}
	if len(count) != 2 {
		t.Errorf("two queues with work were served %v", count)
	}
}

func TestPriorityThenAge(t *testing.T) {
	r := newRig(t)
	var ids []polymath.JobID
	for _, p := range []int8{0, 5, -100, 5, 100} {
		s := spec(1)
		s.Options.Priority = p
		ids = append(ids, polymath.JobID{Ref: r.do(&Submit{Spec: s}).Ref})
	}
	r.worker(1)
	want := []polymath.JobID{ids[4], ids[1], ids[3], ids[0], ids[2]}
	if got := serveOrder(r, 9); !slices.Equal(got, want) {
		t.Errorf("served %v, want %v", got, want)
	}
}

func TestConcurrencyAndPause(t *testing.T) {
	r := newRig(t)
	r.worker(10)
	r.do(&Configure{Queue: "default", Concurrency: 3})
	fx := r.apply(&Submit{Spec: spec(1 << 40)})
	if len(fx.Grants) != 3 {
		t.Fatalf("%d leases of a queue that takes 3", len(fx.Grants))
	}
	fx = r.apply(&Suspect{Term: r.term, Token: fx.Grants[0].Lease.Token})
	if len(fx.Grants) != 0 {
		t.Error("a second token beyond the bound")
	}
	if fx = r.apply(&Configure{Queue: "default", Concurrency: 5}); len(fx.Grants) != 2 {
		t.Errorf("%d more leases, want 2", len(fx.Grants))
	}
	out := r.l.Leases()
	fx = r.apply(&Configure{Queue: "default", Paused: true}, &Release{Token: out[0].Lease.Token})
	if len(fx.Grants) != 0 {
		t.Error("a paused queue leased out")
	}
	if fx = r.apply(&Configure{Queue: "default"}); len(fx.Grants) != 6 {
		t.Errorf("%d leases after the pause, want 6", len(fx.Grants))
	}
}

// TestTurns: workers take turns, so that the pieces of one job spread.
func TestTurns(t *testing.T) {
	r := newRig(t)
	a, b := r.worker(3), r.worker(3)
	var got []polymath.Ref
	for _, g := range r.apply(&Submit{Spec: spec(1 << 40)}).Grants {
		got = append(got, g.Session)
	}
	if want := []polymath.Ref{a, b, a, b, a, b}; !slices.Equal(got, want) {
		t.Errorf("granted to %v, want %v", got, want)
	}
}

// TestUnusedNamesMakeRoom: names of queues and functions that nobody uses any
// more do not keep others out.
func TestUnusedNamesMakeRoom(t *testing.T) {
	r := newRig(t)
	w := r.worker(1)
	for i := range 3 * maxQueues {
		s := spec(1)
		s.Options.Queue = fmt.Sprint(i)
		fx := r.apply(&Submit{Spec: s})
		r.apply(&Complete{Token: fx.Grants[0].Lease.Token, Output: []byte("1")})
	}
	for i := range 3 * maxFunctions {
		if a := r.do(&Demand{Session: w, Functions: []string{"f", fmt.Sprint("f", i)}, Slots: 1}); a.Err != nil {
			t.Fatal(a.Err)
		}
	}
	if err := r.l.Check(); err != nil {
		t.Error(err)
	}
	var names []string
	for i := range maxFunctions {
		names = append(names, fmt.Sprint("g", i))
	}
	if a := r.do(&Demand{Session: w, Functions: names, Slots: 1}); a.Err == nil {
		t.Error("a function in use made room")
	}
	r.do(&Demand{Session: w, Slots: 1})
	if a := r.do(&Demand{Session: w, Functions: names, Slots: 1}); a.Err != nil {
		t.Error(a.Err)
	}
	if a := r.do(&Submit{Spec: spec(1)}); polymath.CodeOf(a.Err) != polymath.Overloaded {
		t.Errorf("a function too many: %v", a.Err)
	}
	if err := r.l.Check(); err != nil {
		t.Error(err)
	}
}

// TestQueueBound: queues with jobs or settings stay.
func TestQueueBound(t *testing.T) {
	r := newRig(t)
	for i := range maxQueues {
		if a := r.do(&Configure{Queue: fmt.Sprint(i), Weight: 2}); a.Err != nil {
			t.Fatal(a.Err)
		}
	}
	if a := r.do(&Submit{Spec: spec(1)}); polymath.CodeOf(a.Err) != polymath.Overloaded {
		t.Errorf("a queue too many: %v", a.Err)
	}
}
