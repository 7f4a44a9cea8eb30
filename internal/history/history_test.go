package history

import (
	"fmt"
	"reflect"
	"slices"
	"sync"
	"testing"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/ledger"
)

// TestWays: each way a lease can end is counted as what it is, and its span
// says so, too.
func TestWays(t *testing.T) {
	for _, c := range []struct {
		state string
		end   func(r *rig, g ledger.Grant) ledger.Command
		want  Counts
	}{
		{"completed", func(_ *rig, g ledger.Grant) ledger.Command {
			return &ledger.Complete{Token: g.Lease.Token, Output: []byte("1")}
		}, Counts{Submitted: 1, Started: 1, Succeeded: 1, Granted: 1, Completed: 1, Units: 1}},
		{"failed", func(_ *rig, g ledger.Grant) ledger.Command {
			return &ledger.Fail{Token: g.Lease.Token, Error: "boom"}
		}, Counts{Submitted: 1, Started: 1, Granted: 1, Errored: 1}},
		{"returned", func(r *rig, g ledger.Grant) ledger.Command {
			return &ledger.Close{Session: g.Session}
		}, Counts{Submitted: 1, Started: 1, Granted: 1, Returned: 1}},
		{"expired", func(_ *rig, g ledger.Grant) ledger.Command {
			return &ledger.Close{Session: g.Session, Lost: true}
		}, Counts{Submitted: 1, Started: 1, Granted: 1, Expired: 1}},
		{"superseded", func(_ *rig, g ledger.Grant) ledger.Command {
			return &ledger.Cancel{Job: g.Lease.Job}
		}, Counts{Submitted: 1, Started: 1, Cancelled: 1, Granted: 1, Superseded: 1}},
	} {
		t.Run(c.state, func(t *testing.T) {
			r := newRig(t)
			r.worker("ada", 1)
			r.submit(1)
			g := r.lease()
			want := Span{
				Token: g.Lease.Token, Job: g.Lease.Job, Function: "f", Worker: "ada",
				Interval: g.Lease.Interval, Attempt: 1, Granted: start,
			}
			if open := r.h.Open(polymath.Token{}, 10); !slices.Equal(open, []Span{want}) || want.State() != "running" {
				t.Errorf("open %+v, want %+v", open, want)
			}
			r.now += 2500
			r.do(c.end(r, g))
			if got := r.h.Totals(); got != c.want || got.Ended() != 1 {
				t.Errorf("counted %+v, want %+v", got, c.want)
			}
			want.Ended, want.Outcome = r.now, r.fx.Ended[0].Outcome
			page := r.h.Ended(r.now, 0, 10)
			if !slices.Equal(page.Spans, []Span{want}) || want.State() != c.state {
				t.Errorf("ended %+v (%s), want %+v (%s)", page.Spans, want.State(), want, c.state)
			}
			if open := r.h.Open(polymath.Token{}, 10); len(open) != 0 {
				t.Errorf("still open: %+v", open)
			}
		})
	}
}

// TestDead: a guilty unit is a dead letter and fails its job.
func TestDead(t *testing.T) {
	r := newRig(t)
	r.worker("ada", 1)
	spec := polymath.Spec{Function: "f", Plan: polymath.Plan{Units: 1, Reducer: polymath.Count}, Options: polymath.Options{Attempts: 1}}
	r.do(&ledger.Submit{Spec: spec})
	r.do(&ledger.Fail{Token: r.lease().Lease.Token, Error: "boom"})
	want := Counts{Submitted: 1, Started: 1, Failed: 1, Dead: 1, Granted: 1, Errored: 1}
	if got := r.h.Totals(); got != want {
		t.Errorf("counted %+v, want %+v", got, want)
	}
	want.Granted, want.Errored = 0, 0
	if got := r.h.Functions(); !slices.Equal(got, []FunctionCounts{{"f", want}}) {
		t.Errorf("by function: %+v", got)
	}
}

// TestRestore: what was there before the history began has names and spans,
// wherever in the list of leases it comes.
func TestRestore(t *testing.T) {
	r := newRig(t)
	r.worker("ada", 2)
	r.worker("bob", 2)
	r.submit(1_000_000)
	r.h = New(start + 60_000)
	r.now = start + 60_000
	r.h.Restore(r.now, r.l.Sessions(), r.l.Leases())
	open := r.h.Open(polymath.Token{}, 10)
	if len(open) != 4 || r.h.Workers() != 2 {
		t.Fatalf("%d spans and %d workers, want 4 and 2", len(open), r.h.Workers())
	}
	if !slices.IsSortedFunc(open, func(a, b Span) int { return a.Token.Ref.Compare(b.Token.Ref) }) {
		t.Errorf("not by token: %+v", open)
	}
	for _, g := range r.l.Leases() {
		r.do(&ledger.Close{Session: g.Session})
		break
	}
	page := r.h.Ended(r.now, 0, 10)
	if len(page.Spans) != 2 || page.Spans[0].Worker != "ada" || r.h.Workers() != 1 {
		t.Errorf("ended %+v, %d workers", page.Spans, r.h.Workers())
	}
	rest := r.h.Open(polymath.Token{}, 10)
	if len(rest) != 2 || rest[0].Worker != "bob" || rest[1].Worker != "bob" {
		t.Fatalf("still open: %+v", rest)
	}
	if second := r.h.Open(rest[0].Token, 10); !slices.Equal(second, rest[1:]) {
		t.Errorf("after %v: %+v", rest[0].Token, second)
	}
}

// TestSample: gauges are those of the ledger, and a quiet second is no gap.
func TestSample(t *testing.T) {
	r := newRig(t)
	r.worker("ada", 1)
	r.submit(5)
	r.h.Sample(r.now+100, r.l.Stats())
	r.h.Sample(r.now+1000, r.l.Stats())
	got := r.h.Series(Second, start, start+10_000)
	g := Gauges{Jobs: 1, Leases: 1, Workers: 1, Bytes: r.l.Stats().Bytes}
	want := []Point{
		{At: start, Counts: Counts{Submitted: 1, Started: 1, Granted: 1}, Gauges: g, Sampled: true},
		{At: start + 1000, Gauges: g, Sampled: true},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	want[0].At = start
	if got := r.h.Series(TenSeconds, start, start+10_000); !reflect.DeepEqual(got, want[:1]) {
		t.Errorf("coarse %+v, want %+v", got, want[:1])
	}
}

// TestOther: more functions than are counted by name share one.
func TestOther(t *testing.T) {
	h := New(start)
	fx := &ledger.Effects{}
	for i := range 10 * MaxFunctions {
		fx.Events = []ledger.Event{{Kind: ledger.JobQueued, Name: fmt.Sprint("f", i)}}
		h.Observe(start, fx)
	}
	got := h.Functions()
	if len(got) != MaxFunctions+1 {
		t.Fatalf("%d names, want %d", len(got), MaxFunctions+1)
	}
	sum := uint64(0)
	for _, f := range got {
		if sum += f.Counts.Submitted; f.Function == Other && f.Counts.Submitted != 9*MaxFunctions {
			t.Errorf("other: %d, want %d", f.Counts.Submitted, 9*MaxFunctions)
		}
	}
	if sum != h.Totals().Submitted {
		t.Errorf("%d by function, %d altogether", sum, h.Totals().Submitted)
	}
}

// TestTogether reads while it is written, for the race detector; every read
// must be a state there was.
func TestTogether(t *testing.T) {
	h := New(start)
	var wait sync.WaitGroup
	stop := make(chan struct{})
	wait.Go(func() {
		defer close(stop)
		f := newFeed(1)
		for i := range int64(20_000) {
			f.turn(h, start+i)
			if i%1000 == 0 {
				h.Sample(start+i, ledger.Stats{Leases: 1})
			}
		}
	})
	for range 3 {
		wait.Go(func() {
			cursor, seen := uint64(0), uint64(0)
			for over := false; !over; {
				select {
				case <-stop:
					over = true
				default:
				}
				for _, p := range h.Series(Second, start, start+1e6) {
					if c := p.Counts; c.Granted != c.Completed && c.Granted != c.Completed+1 {
						t.Errorf("torn: %+v", p)
					}
				}
				page := h.Ended(start+20_000, cursor, MaxPage)
				cursor, seen = page.Next, seen+uint64(len(page.Spans))
				h.Open(polymath.Token{}, 10)
			}
			if total := h.Totals(); seen > total.Completed {
				t.Errorf("saw %d spans of %d", seen, total.Completed)
			}
		})
	}
	wait.Wait()
}
