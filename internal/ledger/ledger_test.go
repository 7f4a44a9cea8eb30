package ledger

import (
	"fmt"
	"testing"

	"github.com/polymath-run/polymath"
)

// tester is what a rig needs of a test, also of a random one.
type tester interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

// rig is a ledger, a journal position and a proposer's session.
type rig struct {
	t      tester
	l      *Ledger
	at     polymath.Index
	lane   polymath.Ref
	number uint64
	fx     Effects
	term   polymath.Ref

	workers []polymath.Ref
}

func newRig(t tester) *rig {
	t.Helper()
	r := &rig{t: t, l: New(0)}
	r.lane = r.raw(&Entry{Commands: []Command{&Open{Node: "n"}}}).Answers[0].Ref
	r.term = r.do(&Assume{}).Ref
	return r
}

func (r *rig) raw(e *Entry) *Effects {
	r.t.Helper()
	r.at.Epoch = 1
	r.at.Position++
	if err := r.l.Apply(r.at, e.Encode(nil), &r.fx); err != nil {
		r.t.Fatal(err)
	}
	return &r.fx
}

func (r *rig) apply(cmds ...Command) *Effects {
	r.t.Helper()
	r.number++
	fx := r.raw(&Entry{Session: r.lane, Number: r.number, At: 1000 + int64(r.number), Commands: cmds})
	if fx.Skip != Applied {
		r.t.Fatalf("entry skipped: %v", fx.Skip)
	}
	return fx
}

func (r *rig) do(cmd Command) Answer {
	r.t.Helper()
	return r.apply(cmd).Answers[0]
}

func (r *rig) worker(slots uint32) polymath.Ref {
	r.t.Helper()
	s := r.do(&Open{Node: "n", Name: "w"}).Ref
	r.workers = append(r.workers, s)
	r.apply(&Demand{Session: s, Functions: []string{"f"}, Slots: slots, Micros: 1000})
	return s
}

// grants lists the tokens an entry granted.
func grants(fx *Effects) []polymath.Token {
	var all []polymath.Token
	for _, g := range fx.Grants {
		all = append(all, g.Lease.Token)
	}
	return all
}

func spec(units uint64) polymath.Spec {
	return polymath.Spec{Function: "f", Input: []byte(`{}`), Plan: polymath.Plan{Units: units, Reducer: polymath.Count}}
}

func TestJobRunsToItsEnd(t *testing.T) {
	r := newRig(t)
	r.worker(2)
	fx := r.apply(&Submit{Tenant: "t", Spec: spec(1_000_000)})
	var leases []polymath.Lease
	take := func() {
		for _, g := range r.fx.Grants {
			leases = append(leases, g.Lease)
		}
	}
	take()
	steps := 0
	for len(r.fx.Finished) == 0 {
		ls := leases[0]
		leases = leases[1:]
		fx = r.apply(&Complete{Token: ls.Token, Output: fmt.Append(nil, ls.Interval.Len()), Micros: ls.Interval.Len()})
		if fx.Answers[0].Err != nil {
			t.Fatal(fx.Answers[0].Err)
		}
		take()
		steps++
	}
	if got := string(fx.Finished[0].Result); got != "1000000" {
		t.Errorf("result %s", got)
	}
	t.Log(steps, "leases")
	if r.l.jobs != 0 || r.l.bytes != 0 || r.l.leases.Len() != 0 {
		t.Errorf("something stayed: %+v", r.l.Stats())
	}
}
