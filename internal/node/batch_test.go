package node_test

import (
	"strings"
	"testing"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/ledger"
	"github.com/polymath-run/polymath/internal/node"
)

// TestBatchRefusesAlone: a command that no entry can hold is refused, and
// those beside it count.
func TestBatchRefusesAlone(t *testing.T) {
	p := open(t, t.TempDir())
	long := strings.Repeat("x", polymath.MaxNameBytes+1)
	for _, bad := range []ledger.Command{
		&ledger.Demand{Functions: []string{long}}, &ledger.Fail{Error: strings.Repeat("x", polymath.MaxErrorBytes+1)},
		&ledger.Complete{Output: make([]byte, polymath.MaxInlineBytes+1)},
	} {
		errs := make(chan error, 3)
		spec := polymath.Spec{Function: "f", Plan: polymath.Plan{Units: 1, Reducer: polymath.Count}}
		p.node.Do(func(b *node.Batch) {
			told := func(a ledger.Answer) { errs <- a.Err }
			b.Submit("", &spec, told)
			b.Propose(bad, told)
			b.Submit("", &spec, told)
		})
		refused := 0
		for range 3 {
			if err := <-errs; polymath.CodeOf(err) == polymath.InvalidArgument {
				refused++
			} else if err != nil {
				t.Errorf("%T: %v", bad, err)
			}
		}
		if refused != 1 {
			t.Errorf("%T: %d of 3 were refused", bad, refused)
		}
		alone := make(chan error, 1)
		p.node.Do(func(b *node.Batch) { b.Propose(bad, func(a ledger.Answer) { alone <- a.Err }) })
		if err := <-alone; polymath.CodeOf(err) != polymath.InvalidArgument {
			t.Errorf("%T alone: %v", bad, err)
		}
	}
}

// TestBatchTravelsTogether: what is asked for in one Batch travels in one entry,
// also when every lane is free.
func TestBatchTravelsTogether(t *testing.T) {
	const jobs = 10
	p := open(t, t.TempDir())
	refs := make(chan polymath.Ref, jobs)
	spec := polymath.Spec{Function: "f", Plan: polymath.Plan{Units: 1, Reducer: polymath.Count}}
	if _, _, err := p.node.Submit(t.Context(), "", spec); err != nil { // until then no lane is open
		t.Fatal(err)
	}
	p.node.Do(func(b *node.Batch) {
		for range jobs {
			b.Submit("", &spec, func(a ledger.Answer) {
				if a.Err != nil {
					t.Error(a.Err)
				}
				refs <- a.Ref
			})
		}
	})
	first := <-refs
	for range jobs - 1 {
		if r := <-refs; r.Index != first.Index {
			t.Errorf("job %v is in another entry than job %v", r, first)
		}
	}
}

// TestBatchOfSeveralEntries: what one entry cannot hold travels in the next one,
// as a whole and in its order.
func TestBatchOfSeveralEntries(t *testing.T) {
	const jobs = 2*polymath.MaxEntryBytes/polymath.MaxInlineBytes + 4
	p := open(t, t.TempDir())
	spec := polymath.Spec{Function: "f", Input: make([]byte, polymath.MaxInlineBytes/2), Plan: polymath.Plan{Units: 1, Reducer: polymath.Count}}
	refs := make(chan polymath.Ref, jobs)
	p.node.Do(func(b *node.Batch) {
		for range jobs {
			b.Submit("", &spec, func(a ledger.Answer) {
				if a.Err != nil {
					t.Error(a.Err)
				}
				refs <- a.Ref
			})
		}
	})
	entries := make(map[polymath.Index]int)
	var last polymath.Ref
	for range jobs {
		r := <-refs
		if entries[r.Index]++; r.Compare(last) <= 0 {
			t.Errorf("job %v comes after %v", r, last)
		}
		last = r
	}
	if len(entries) < 2 {
		t.Errorf("%d jobs of %d bytes travelled in one entry", jobs, len(spec.Input))
	}
}

// TestRoutes: a session hears over the route it took last, and a route that
// breaks later takes nothing away from it.
func TestRoutes(t *testing.T) {
	p := open(t, t.TempDir())
	heard := make(chan string, 10)
	route := func(name string) *node.Route {
		return &node.Route{Post: func(_ polymath.Ref, e node.SeatEvent) {
			switch e.(type) {
			case node.Granted:
				heard <- name
			case node.Closed:
				heard <- name + " lost it"
			}
		}}
	}
	first, second := route("first"), route("second")
	joined := make(chan polymath.Ref, 1)
	p.node.Do(func(b *node.Batch) {
		b.Join("w", first, func(s polymath.Ref, err error) {
			if err != nil {
				t.Error(err)
			}
			joined <- s
		})
	})
	session := <-joined
	p.node.Do(func(b *node.Batch) {
		b.Propose(&ledger.Demand{Session: session, Functions: []string{"f"}, Slots: 2}, func(ledger.Answer) {})
	})
	submit := func() {
		spec := polymath.Spec{Function: "f", Plan: polymath.Plan{Units: 1, Reducer: polymath.Count}}
		if _, _, err := p.node.Submit(t.Context(), "", spec); err != nil {
			t.Fatal(err)
		}
	}
	submit()
	if got := <-heard; got != "first" {
		t.Errorf("told the %s", got)
	}
	p.node.Do(func(b *node.Batch) {
		if err := b.Rejoin(session, second); err != nil {
			t.Error(err)
		}
		b.Detach(session, first)
	})
	if got := <-heard; got != "second" { // what it holds is told again
		t.Errorf("told the %s", got)
	}
	if got := <-heard; got != "first lost it" { // nobody else would tell it
		t.Errorf("told the %s", got)
	}
	submit()
	if got := <-heard; got != "second" {
		t.Errorf("told the %s", got)
	}
	p.node.Do(func(b *node.Batch) {
		b.Detach(session, second)
		if err := b.Rejoin(polymath.Ref{Index: polymath.Index{Epoch: 1, Position: 1 << 40}}, first); polymath.CodeOf(err) != polymath.NotFound {
			t.Errorf("a session that never was: %v", err)
		}
	})
}

// TestOwnRoute: the sessions of a route that keeps its own are taken up over no
// other one, and stay what they are.
func TestOwnRoute(t *testing.T) {
	p := open(t, t.TempDir())
	deaf := func(polymath.Ref, node.SeatEvent) {}
	own, other := &node.Route{Post: deaf, Own: true}, &node.Route{Post: deaf}
	joined := make(chan polymath.Ref, 1)
	p.node.Do(func(b *node.Batch) {
		b.Join("w", own, func(s polymath.Ref, _ error) { joined <- s })
	})
	session := <-joined
	p.node.Do(func(b *node.Batch) {
		if err := b.Rejoin(session, other); polymath.CodeOf(err) != polymath.NotFound {
			t.Errorf("over another route: %v", err)
		}
		b.Detach(session, other)
		if err := b.Rejoin(session, own); err != nil {
			t.Errorf("over its own: %v", err)
		}
	})
}

// TestWaitersStop: whoever is told of a job's end may stop its own waiting, and
// another's, in the middle of it; those who are left are told all the same.
func TestWaitersStop(t *testing.T) {
	p := open(t, t.TempDir())
	spec := polymath.Spec{Function: "f", Plan: polymath.Plan{Units: 1, Reducer: polymath.Count}}
	id, _, err := p.node.Submit(t.Context(), "", spec)
	if err != nil {
		t.Fatal(err)
	}
	var stops [4]func()
	var told [4]int
	p.node.Do(func(b *node.Batch) {
		for i := range stops {
			stops[i], err = b.Wait(id, func(polymath.Job) {
				told[i]++
				stops[i]()
				stops[2]()
			})
			if err != nil {
				t.Error(err)
			}
		}
	})
	if err := p.node.Cancel(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	p.node.Do(func(*node.Batch) {
		if told != [4]int{1, 1, 0, 1} {
			t.Errorf("told %v", told)
		}
	})
}

// TestVanishedWorkerCounts: what a worker had not begun when it vanished was
// no attempt; what it had begun was one. (W8)
func TestVanishedWorkerCounts(t *testing.T) {
	p := open(t, t.TempDir())
	gone, leases := p.joined("gone", "f", 2)
	spec := polymath.Spec{Function: "f", Plan: polymath.Plan{Units: 1, Reducer: polymath.Count}}
	for range 2 {
		if _, _, err := p.node.Submit(t.Context(), "", spec); err != nil {
			t.Fatal(err)
		}
	}
	begun, waiting := <-leases, <-leases
	p.node.Do(func(b *node.Batch) {
		b.Detach(gone, p.routes[gone])
		b.Progress(begun.Token, 0) // after it, so that it is not called slow first
	})
	_, leases = p.joined("next", "f", 2)
	for range 2 {
		want, ls := uint32(1), <-leases
		if ls.Job == begun.Job {
			want = 2
		} else if ls.Job != waiting.Job {
			t.Errorf("granted %+v", ls)
		}
		if ls.Attempt != want {
			t.Errorf("attempt %d, want %d: %+v", ls.Attempt, want, ls)
		}
	}
}

// TestProgressBeyondTheLease: a worker that says it is further than its lease
// goes is at its end, and does not go back.
func TestProgressBeyondTheLease(t *testing.T) {
	p := open(t, t.TempDir())
	_, leases := p.joined("liar", "f", 1)
	spec := polymath.Spec{Function: "f", Plan: polymath.Plan{Units: 10, Reducer: polymath.Count}}
	id, _, err := p.node.Submit(t.Context(), "", spec)
	if err != nil {
		t.Fatal(err)
	}
	lease := <-leases
	for _, c := range [][2]uint64{{1, 1}, {^uint64(0), lease.Interval.Len()}, {0, lease.Interval.Len()}} {
		p.node.Do(func(b *node.Batch) {
			b.Progress(lease.Token, c[0])
			if _, working, err := b.Job(id); err != nil || working != c[1] {
				t.Errorf("said %d of %v: %d are being done, %v", c[0], lease.Interval, working, err)
			}
		})
	}
	tasks, err := p.node.Tasks(id)
	if err != nil || len(tasks.Leases) != 1 || tasks.Leases[0].Done != lease.Interval.Len() {
		t.Errorf("%+v, %v", tasks, err)
	}
}
