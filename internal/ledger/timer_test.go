package ledger

import (
	"strings"
	"testing"

	"github.com/polymath-run/polymath"
)

const noon = int64(1_000_000_000_000) // a time to begin at, in Unix milliseconds

func TestNotBeforeAndDeadline(t *testing.T) {
	r := newRig(t)
	r.worker(1)
	r.do(&Tick{Term: r.term, Now: noon})
	s := spec(10)
	s.Options.NotBefore, s.Options.Deadline = noon+500, noon+900
	if fx := r.apply(&Submit{Spec: s}); len(fx.Grants) != 0 || r.l.NextTick() != noon+500 {
		t.Fatalf("leased early, or the next tick is at %d", r.l.NextTick())
	}
	if fx := r.apply(&Tick{Term: r.term, Now: noon + 499}); len(fx.Grants) != 0 {
		t.Error("leased early")
	}
	if fx := r.apply(&Tick{Term: r.term, Now: noon + 500}); len(fx.Grants) != 1 || r.l.NextTick() != noon+900 {
		t.Errorf("%d leases, next tick at %d", len(fx.Grants), r.l.NextTick())
	}
	if fx := r.apply(&Tick{Term: r.term, Now: 5}); len(fx.Finished) != 0 || r.l.Now() != noon+500 {
		t.Error("time ran back")
	}
	fx := r.apply(&Tick{Term: r.term, Now: noon + 900})
	if len(fx.Finished) != 1 || fx.Finished[0].Code != polymath.Timeout || fx.Finished[0].State != polymath.Failed || len(fx.Retired) != 1 {
		t.Errorf("%+v", fx)
	}
	if r.l.NextTick() != 0 {
		t.Errorf("a tick is wanted at %d", r.l.NextTick())
	}
}

// TestDeadlinesThatCannotBeMet: a job that would be over before it may begin is
// refused, by the clock of whoever proposes it and by the timekeeper's; what
// was acknowledged under a key is the answer all the same, however late.
func TestDeadlinesThatCannotBeMet(t *testing.T) {
	r := newRig(t)
	r.do(&Tick{Term: r.term, Now: 500})
	at := func(now, notBefore, deadline int64, key byte) Answer {
		s := spec(10)
		s.Options.NotBefore, s.Options.Deadline, s.Options.Key = notBefore, deadline, [16]byte{key}
		r.number++
		return r.raw(&Entry{Session: r.lane, Number: r.number, At: now, Commands: []Command{&Submit{Spec: s}}}).Answers[0]
	}
	for name, c := range map[string]struct {
		now, notBefore, deadline int64
		want                     string // "" is taken
	}{
		"in time":             {noon, 0, noon + 1, ""},
		"now":                 {noon, 0, noon, "2001-09-09T01:46:40Z"},
		"a millisecond ago":   {noon, 0, noon - 1, "2001-09-09T01:46:39.999Z"},
		"by the timekeeper":   {0, 0, 500, "1970-01-01T00:00:00.5Z"},
		"begins in the past":  {noon, 1, noon + 1, ""},
		"begins as it ends":   {noon, noon + 9, noon + 9, "2001-09-09T01:46:40.009Z"},
		"ends before":         {noon, noon + 9, noon + 8, "2001-09-09T01:46:40.009Z"},
		"the last time":       {noon, polymath.MaxMillis - 1, polymath.MaxMillis, ""},
		"beyond it":           {noon, 0, polymath.MaxMillis + 1, "9999"},
		"begins beyond it":    {noon, polymath.MaxMillis + 1, 0, "9999"},
		"never, in the past":  {noon, 5, 0, ""},
		"never, in two years": {noon, noon * 2, 0, ""},
	} {
		a := at(c.now, c.notBefore, c.deadline, 0)
		if c.want == "" && a.Err != nil {
			t.Errorf("%s: %v", name, a.Err)
		}
		if c.want != "" && (polymath.CodeOf(a.Err) != polymath.InvalidArgument || !strings.Contains(a.Err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", name, a.Err, c.want)
		}
	}
	first := at(noon, 0, noon+5, 1)
	for _, now := range []int64{noon + 4, noon + 5, noon + 500} {
		if a := at(now, 0, noon+5, 1); a.Ref != first.Ref || !a.Existing {
			t.Errorf("asked again at %d: %+v", now, a)
		}
	}
	if err := r.l.Check(); err != nil {
		t.Error(err)
	}
}

// TestTermsFence: no command of an older timekeeper, or of none, counts.
func TestTermsFence(t *testing.T) {
	r := newRig(t)
	r.worker(1)
	token := r.apply(&Submit{Spec: spec(10)}).Grants[0].Lease.Token
	old := r.term
	r.term = r.do(&Assume{}).Ref
	for _, term := range []polymath.Ref{old, {}} {
		for _, cmd := range []Command{&Tick{Term: term, Now: noon}, &Expire{Term: term, Token: token}, &Suspect{Term: term, Token: token}, &Prune{Term: term, Before: 9}} {
			fx := r.apply(cmd)
			if polymath.CodeOf(fx.Answers[0].Err) != polymath.Conflict || len(fx.Ended) != 0 || fx.Prune != 0 || r.l.Now() != 0 {
				t.Errorf("%T of term %v: %v", cmd, term, fx.Answers[0].Err)
			}
		}
	}
	if fx := r.apply(&Prune{Term: r.term, Before: 9}); fx.Prune != 9 {
		t.Errorf("prune %d", fx.Prune)
	}
	for _, now := range []int64{0, -1, maxDelay + 1} {
		if a := r.do(&Tick{Term: r.term, Now: now}); polymath.CodeOf(a.Err) != polymath.InvalidArgument {
			t.Errorf("time %d: %v", now, a.Err)
		}
	}
}

// TestNoTermNoTime: before the first Assume there is no timekeeper.
func TestNoTermNoTime(t *testing.T) {
	r := &rig{t: t, l: New(0)}
	r.lane = r.raw(&Entry{Commands: []Command{&Open{Node: "n"}}}).Answers[0].Ref
	if a := r.do(&Tick{Now: noon}); polymath.CodeOf(a.Err) != polymath.Conflict || r.l.Now() != 0 {
		t.Errorf("a tick without a term: %v", a.Err)
	}
}

// TestStaleTimersAreSwept: jobs that ended leave no heap of timers behind.
func TestStaleTimersAreSwept(t *testing.T) {
	const jobs, live = 20_000, 100
	r := newRig(t)
	s := spec(1)
	s.Options.Deadline, s.Options.NotBefore = noon+1, noon-1
	for i := range jobs {
		a := r.do(&Submit{Spec: s})
		if i >= live {
			r.do(&Cancel{Job: polymath.JobID{Ref: a.Ref}})
		}
	}
	if n := len(r.l.timers); n < 2*live || n > 2*minStale+4*live {
		t.Errorf("%d timers for %d jobs", n, live)
	}
	w := r.worker(1)
	r.do(&Demand{Session: w, Functions: []string{"f"}, Slots: 1})
	for range jobs / 10 { // intervals that failed, of jobs that ended
		s := spec(1)
		fx := r.apply(&Submit{Spec: s})
		id := fx.Grants[0].Lease.Job
		r.apply(&Fail{Token: fx.Grants[0].Lease.Token}, &Cancel{Job: id})
	}
	if n := len(r.l.loose); n > 2*minStale+4*live {
		t.Errorf("%d loose timers", n)
	}
	if err := r.l.Check(); err != nil {
		t.Error(err)
	}
}

// TestManyTimersAtOnce: one Tick rings a bounded number, and asks for the
// next at once; a ledger restored in between goes on the same way.
func TestManyTimersAtOnce(t *testing.T) {
	const jobs = maxRings + 500
	r := newRig(t)
	s := spec(1)
	s.Options.NotBefore = noon
	for range jobs {
		r.do(&Submit{Spec: s})
	}
	r.do(&Tick{Term: r.term, Now: noon})
	if r.l.NextTick() != noon {
		t.Fatalf("the next tick is wanted at %d", r.l.NextTick())
	}
	l, err := restore(takeAll(r.l))
	if err != nil || l.NextTick() != noon || l.Hash() != r.l.Hash() {
		t.Fatalf("restored: %v", err)
	}
	r.l = l
	r.do(&Tick{Term: r.term, Now: noon})
	if r.l.NextTick() != 0 || r.l.queues[0].waiting != jobs {
		t.Errorf("%d of %d jobs woke", r.l.queues[0].waiting, jobs)
	}
}
