package history

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/ledger"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start is when the histories of the tests begin, in Unix milliseconds.
const start = 1_700_000_000_000

// rig is a ledger whose effects a history observes.
type rig struct {
	t      *testing.T
	l      *ledger.Ledger
	h      *History
	now    int64
	at     polymath.Index
	lane   polymath.Ref
	number uint64
	fx     ledger.Effects
}

func newRig(t *testing.T) *rig {
	r := &rig{t: t, l: ledger.New(3), h: New(start), now: start, at: polymath.Index{Epoch: 1}}
	r.lane = r.entry(ledger.Entry{Commands: []ledger.Command{&ledger.Open{Node: "n"}}})[0].Ref
	return r
}

// entry applies an entry and has its effects observed.
func (r *rig) entry(e ledger.Entry) []ledger.Answer {
	r.t.Helper()
	r.at.Position++
	if err := r.l.Apply(r.at, e.Encode(nil), &r.fx); err != nil || r.fx.Skip != ledger.Applied {
		r.t.Fatalf("entry %v: %v, skip %d", r.at, err, r.fx.Skip)
	}
	r.h.Observe(r.now, &r.fx)
	return r.fx.Answers
}

// do applies commands that must be taken.
func (r *rig) do(commands ...ledger.Command) []ledger.Answer {
	r.t.Helper()
	r.number++
	answers := r.entry(ledger.Entry{Session: r.lane, Number: r.number, At: r.now, Commands: commands})
	for _, a := range answers {
		if a.Err != nil {
			r.t.Fatal(a.Err)
		}
	}
	return answers
}

// worker opens a session that takes leases of the function f.
func (r *rig) worker(name string, slots uint32) polymath.Ref {
	s := r.entry(ledger.Entry{Commands: []ledger.Command{&ledger.Open{Node: "n", Name: name}}})[0].Ref
	r.do(&ledger.Demand{Session: s, Functions: []string{"f"}, Slots: slots, Micros: 1000})
	return s
}

func (r *rig) submit(units uint64) polymath.JobID {
	spec := polymath.Spec{Function: "f", Plan: polymath.Plan{Units: units, Reducer: polymath.Count}}
	return polymath.JobID{Shard: 3, Ref: r.do(&ledger.Submit{Spec: spec})[0].Ref}
}

// lease is the only lease that is out.
func (r *rig) lease() ledger.Grant {
	r.t.Helper()
	all := r.l.Leases()
	if len(all) != 1 {
		r.t.Fatalf("%d leases are out, want 1", len(all))
	}
	return all[0]
}
