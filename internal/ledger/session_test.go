package ledger

import (
	"fmt"
	"slices"
	"testing"

	"github.com/polymath-run/polymath"
)

func TestSessionBound(t *testing.T) {
	r := newRig(t)
	for range MaxSessions - 1 {
		if a := r.do(&Open{}); a.Err != nil {
			t.Fatal(a.Err)
		}
	}
	if a := r.do(&Open{}); polymath.CodeOf(a.Err) != polymath.Overloaded {
		t.Errorf("a session too many: %v", a.Err)
	}
	r.do(&Close{Session: r.l.sessions[500].ref})
	if a := r.do(&Open{}); a.Err != nil {
		t.Error(a.Err)
	}
}

// TestOpenedTwice: an Open that was appended twice opens one session.
func TestOpenedTwice(t *testing.T) {
	r := newRig(t)
	e := &Entry{Commands: []Command{&Open{Nonce: [16]byte{9}, Name: "w"}}}
	first := r.raw(e).Answers[0]
	second := r.raw(e)
	if second.Answers[0].Ref != first.Ref || !second.Answers[0].Existing || len(second.Joined) != 0 || len(r.l.sessions) != 2 {
		t.Errorf("%+v, then %+v", first, second.Answers[0])
	}
}

func TestNumbering(t *testing.T) {
	r := newRig(t)
	before := r.l.Hash()
	for number, want := range map[uint64]Skip{r.number: SkipNumber, 0: SkipNumber, r.number + 2: SkipNumber} {
		fx := r.raw(&Entry{Session: r.lane, Number: number, Commands: []Command{&Submit{Spec: spec(1)}}})
		if fx.Skip != want || len(fx.Answers) != 0 {
			t.Errorf("number %d: %v", number, fx.Skip)
		}
	}
	fx := r.raw(&Entry{Commands: []Command{&Submit{Spec: spec(1)}}})
	if fx.Skip != SkipSession {
		t.Errorf("without a session: %v", fx.Skip)
	}
	r.l.index = polymath.Index{Epoch: 1, Position: r.at.Position - 4} // all else is as it was
	if r.l.Hash() != before {
		t.Error("a skipped entry changed something")
	}
}

// TestClose: leases of a worker that leaves go back uncounted, those of one
// that vanished count as an attempt. Either way the work runs elsewhere at
// once (W8); what takes its second worker with it waits.
func TestClose(t *testing.T) {
	for _, lost := range []bool{false, true} {
		r := newRig(t)
		w := r.worker(2)
		fx := r.apply(&Submit{Spec: spec(100)})
		out := len(fx.Grants)
		fx = r.apply(&Close{Session: w, Lost: lost})
		if len(fx.Ended) != out || !slices.Contains(fx.Closed, w) {
			t.Errorf("%d of %d leases ended", len(fx.Ended), out)
		}
		want := map[bool]Outcome{false: Returned, true: Expired}[lost]
		for _, e := range fx.Ended {
			if e.Outcome != want {
				t.Errorf("lost %v: lease %v ended as %d, want %d", lost, e.Token, e.Outcome, want)
			}
		}
		second := r.worker(2)
		if n := len(r.l.Leases()); n == 0 || r.l.NextTick() != 0 {
			t.Errorf("lost %v: %d leases, next tick %d", lost, n, r.l.NextTick())
		}
		times := map[bool]uint32{false: 1, true: 2}[lost]
		if a := r.l.Leases()[0].Lease.Attempt; a != times {
			t.Errorf("lost %v: attempt %d, want %d", lost, a, times)
		}
		r.apply(&Close{Session: second, Lost: lost})
		if waits := r.l.NextTick() == 1; waits != lost {
			t.Errorf("lost %v twice: waits %v", lost, waits)
		}
	}
}

// TestExpire: a lease that never started goes back uncounted, one that did is
// a failed attempt; the session is told either way, and the work goes on.
func TestExpire(t *testing.T) {
	for _, started := range []bool{false, true} {
		r := newRig(t)
		w := r.worker(1)
		lease := r.apply(&Submit{Spec: spec(100)}).Grants[0].Lease
		token := lease.Token
		fx := r.apply(&Expire{Term: r.term, Token: token, Started: started, Reason: "silent"})
		outcome := map[bool]Outcome{false: Returned, true: Expired}[started]
		if want := (Retired{w, token}); !slices.Contains(fx.Retired, want) || !slices.Contains(fx.Ended, Ended{token, outcome, lease.Interval.Len()}) {
			t.Errorf("retired %v, ended %v", fx.Retired, fx.Ended)
		}
		attempt := map[bool]uint32{false: 1, true: 2}[started]
		if len(fx.Grants) != 1 || fx.Grants[0].Lease.Attempt != attempt {
			t.Errorf("granted %+v, want attempt %d", fx.Grants, attempt)
		}
		if a := r.do(&Complete{Token: token, Output: []byte("9")}); polymath.CodeOf(a.Err) != polymath.StaleToken {
			t.Errorf("a late answer: %v", a.Err)
		}
	}
}

// TestDemand: a demand is a standing wish, replaced and not added.
func TestDemand(t *testing.T) {
	r := newRig(t)
	w := r.worker(2)
	r.do(&Submit{Spec: spec(1 << 40)})
	held := func() int { return len(r.l.Leases()) }
	demand := func(slots uint32, functions ...string) Answer {
		return r.do(&Demand{Session: w, Functions: functions, Slots: slots, Micros: 1000})
	}
	for _, c := range []struct {
		slots uint32
		name  string
		want  int
	}{{2, "f", 2}, {5, "f", 5}, {1, "f", 5}, {6, "g", 5}, {6, "f", 6}} {
		if demand(c.slots, c.name); held() != c.want {
			t.Errorf("%d slots for %s: %d leases, want %d", c.slots, c.name, held(), c.want)
		}
	}
	demand(0, "f")
	r.do(&Complete{Token: r.l.Leases()[0].Lease.Token, Output: []byte("1")})
	if held() != 5 {
		t.Errorf("%d leases after one of 6 ended and no more are wanted", held())
	}
	if a := demand(polymath.MaxSlots+1, "f"); polymath.CodeOf(a.Err) != polymath.InvalidArgument {
		t.Errorf("too many slots: %v", a.Err)
	}
	if demand(7, slices.Repeat([]string{"f"}, 900)...); held() != 7 {
		t.Errorf("%d leases for a demand that repeats itself", held())
	}
	if a := r.do(&Demand{Session: ref(99, 0), Slots: 1}); polymath.CodeOf(a.Err) != polymath.NotFound {
		t.Errorf("nobody's demand: %v", a.Err)
	}
	if err := r.l.Check(); err != nil {
		t.Error(err)
	}
}

// TestIdleStrangersCostNothing: workers that nobody has a job for are not
// looked at for every entry, and a short line is kept short.
func TestIdleStrangersCostNothing(t *testing.T) {
	r := newRig(t)
	for i := range 200 {
		w := r.worker(1)
		r.do(&Demand{Session: w, Functions: []string{"g"}, Slots: 1})
		if i == 0 {
			r.do(&Demand{Session: w, Functions: []string{"f", "g"}, Slots: 1})
		}
	}
	for range 1000 {
		fx := r.apply(&Submit{Spec: spec(1)})
		r.apply(&Complete{Token: fx.Grants[0].Lease.Token, Output: []byte("1")})
	}
	for _, f := range r.l.functions {
		if n := len(f.idle.spots); n > 2*201+17 {
			t.Errorf("the line for %s has %d spots", f.name, n)
		}
	}
}

func TestAdmission(t *testing.T) {
	r := newRig(t)
	r.do(&Configure{MaxJobs: 3, MaxBytes: 100})
	big := spec(1)
	big.Input = make([]byte, 99)
	var ids []polymath.Ref
	for i, want := range []polymath.Code{0, polymath.Overloaded, 0, 0, polymath.Overloaded} {
		s := spec(1)
		if i == 1 {
			s = big
		}
		a := r.do(&Submit{Spec: s})
		if polymath.CodeOf(a.Err) != want {
			t.Errorf("submission %d: %v", i, a.Err)
		}
		ids = append(ids, a.Ref)
	}
	r.apply(&Cancel{Job: polymath.JobID{Ref: ids[0]}}, &Cancel{Job: polymath.JobID{Ref: ids[2]}}, &Cancel{Job: polymath.JobID{Ref: ids[3]}})
	if st := r.l.Stats(); st.Jobs != 0 || st.Bytes != 0 {
		t.Errorf("%+v", st)
	}
	table := spec(64)
	for i := range uint64(64) {
		table.Plan.Costs = append(table.Plan.Costs, polymath.CostPoint{Unit: i + 1, Micros: i + 1})
	}
	if a := r.do(&Submit{Spec: table}); polymath.CodeOf(a.Err) != polymath.Overloaded {
		t.Errorf("a cost table larger than the bound of bytes: %v", a.Err)
	}
	for name, s := range map[string]polymath.Spec{
		"no function":  {Plan: polymath.Plan{Reducer: polymath.Sum}},
		"no reducer":   {Function: "f"},
		"late reducer": {Function: "f", Plan: polymath.Plan{Reducer: polymath.Collect + 1}},
		"attempts":     {Function: "f", Plan: polymath.Plan{Reducer: polymath.Sum}, Options: polymath.Options{Attempts: 21}},
		"priority":     {Function: "f", Plan: polymath.Plan{Reducer: polymath.Sum}, Options: polymath.Options{Priority: 101}},
		"deadline":     {Function: "f", Plan: polymath.Plan{Reducer: polymath.Sum}, Options: polymath.Options{Deadline: -1}},
		"not before":   {Function: "f", Plan: polymath.Plan{Reducer: polymath.Sum}, Options: polymath.Options{NotBefore: maxDelay + 1}},
	} {
		if a := r.do(&Submit{Spec: s}); polymath.CodeOf(a.Err) != polymath.InvalidArgument {
			t.Errorf("%s: %v", name, a.Err)
		}
	}
}

// TestAnswersCount: a growing answer counts against the bound of bytes.
func TestAnswersCount(t *testing.T) {
	r := newRig(t)
	r.worker(1)
	s := spec(1 << 40)
	s.Plan.Reducer = polymath.Collect
	fx := r.apply(&Submit{Spec: s})
	r.apply(&Complete{Token: fx.Grants[0].Lease.Token, Output: make([]byte, 5000)})
	if st := r.l.Stats(); st.Bytes != 5002 {
		t.Errorf("%d bytes", st.Bytes)
	}
}

func TestCancel(t *testing.T) {
	r := newRig(t)
	w := r.worker(1)
	fx := r.apply(&Submit{Spec: spec(100)})
	g := fx.Grants[0].Lease
	fx = r.apply(&Cancel{Job: g.Job})
	if len(fx.Finished) != 1 || fx.Finished[0].State != polymath.Cancelled || fx.Finished[0].Code != polymath.CancelledJob ||
		!slices.Equal(fx.Retired, []Retired{{w, g.Token}}) {
		t.Errorf("%+v", fx)
	}
	for _, id := range []polymath.JobID{g.Job, {Shard: 7, Ref: g.Job.Ref}, {}} {
		if a := r.do(&Cancel{Job: id}); polymath.CodeOf(a.Err) != polymath.NotFound {
			t.Errorf("job %v: %v", id, a.Err)
		}
	}
	if a := r.do(&Complete{Token: g.Token, Output: fmt.Append(nil, 1)}); polymath.CodeOf(a.Err) != polymath.StaleToken {
		t.Errorf("an answer for a cancelled job: %v", a.Err)
	}
}
