package ledger

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/polymath-run/polymath"
)

func TestBackoff(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		attempt := rapid.Uint32Range(1, 40).Draw(t, "attempt")
		wait := backoff(genRef(t), rapid.Uint64().Draw(t, "from"), attempt)
		base := int64(60_000)
		if attempt < 7 {
			base = min(1000<<(attempt-1), base)
		}
		if wait < base*8/10 || wait > base*12/10 {
			t.Errorf("after attempt %d: %d ms", attempt, wait)
		}
	})
	seen := make(map[int64]bool)
	for i := range uint64(100) {
		seen[backoff(ref(1, 1), i, 1)] = true
	}
	if len(seen) < 60 {
		t.Errorf("100 intervals wait %d different times: they come back in step", len(seen))
	}
}

// TestRetrySchedule: a whole interval runs again after 1, 2, 4 s and is never
// out before.
func TestRetrySchedule(t *testing.T) {
	r := newRig(t)
	r.worker(1)
	now := int64(1e12)
	fx := r.apply(&Tick{Term: r.term, Now: now}, &Submit{Spec: spec(1)})
	for attempt, base := range []int64{1000, 2000, 4000} {
		g := fx.Grants[0].Lease
		if g.Attempt != uint32(attempt+1) {
			t.Errorf("attempt %d is called %d", attempt+1, g.Attempt)
		}
		if fx = r.apply(&Fail{Token: g.Token, Error: "boom"}); len(fx.Grants) != 0 || r.l.NextTick() != 1 {
			t.Fatalf("leased out at once, or no tick wanted: %d", r.l.NextTick())
		}
		r.do(&Tick{Term: r.term, Now: now})
		due := r.l.NextTick()
		if wait := due - now; wait < base*8/10 || wait > base*12/10 {
			t.Errorf("after attempt %d: %d ms", attempt+1, wait)
		}
		if fx = r.apply(&Tick{Term: r.term, Now: due - 1}); len(fx.Grants) != 0 {
			t.Error("leased out too early")
		}
		if fx = r.apply(&Tick{Term: r.term, Now: due}); len(fx.Grants) != 1 {
			t.Fatal("not leased out when due")
		}
		now = due
	}
	fx = r.apply(&Fail{Token: fx.Grants[0].Lease.Token, Error: "boom"})
	if len(fx.Dead) != 1 || fx.Dead[0].Attempts != 4 || fx.Dead[0].Error != "boom" || fx.Dead[0].Worker != "w" ||
		len(fx.Finished) != 1 || fx.Finished[0].State != polymath.Failed || fx.Finished[0].Error != "boom" {
		t.Errorf("%+v", fx)
	}
}

// run works a job off: outputs are the number of units, intervals with a
// guilty unit fail. It returns the finished job and its dead letters.
func (r *rig) run(guilty ...uint64) (polymath.Job, []polymath.DeadLetter) {
	r.t.Helper()
	var dead []polymath.DeadLetter
	now := r.l.Now()
	for range 100_000 {
		out := r.l.Leases()
		if len(out) == 0 {
			now = max(now+1, r.l.NextTick())
			r.do(&Tick{Term: r.term, Now: now})
			continue
		}
		g := out[0].Lease
		var fx *Effects
		if slices.ContainsFunc(guilty, func(u uint64) bool { return g.Interval.Contains(polymath.Interval{From: u, To: u + 1}) }) {
			fx = r.apply(&Fail{Token: g.Token, Error: "guilty"})
		} else {
			fx = r.apply(&Complete{Token: g.Token, Output: fmt.Append(nil, g.Interval.Len()), Micros: g.Interval.Len()})
		}
		dead = append(dead, fx.Dead...)
		if len(fx.Finished) > 0 {
			return fx.Finished[0], dead
		}
	}
	r.t.Fatal("the job does not end")
	panic("unreachable")
}

// TestHalvingFindsTheGuilty: whichever units are at fault, exactly those
// become dead letters, and everything else is counted.
func TestHalvingFindsTheGuilty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		units := rapid.Uint64Range(1, 5000).Draw(t, "units")
		guilty := rapid.SliceOfNDistinct(rapid.Uint64Range(0, units-1), 0, min(int(units), 6), rapid.ID[uint64]).Draw(t, "guilty")
		r := newRig(t)
		r.worker(uint32(rapid.IntRange(1, 4).Draw(t, "slots")))
		s := spec(units)
		s.Options.SkipDead, s.Options.Attempts = true, uint8(rapid.IntRange(0, 3).Draw(t, "attempts"))
		r.do(&Submit{Spec: s})
		job, dead := r.run(guilty...)
		var found []uint64
		for _, d := range dead {
			if d.Interval.Len() != 1 {
				t.Fatalf("%v is dead", d.Interval)
			}
			found = append(found, d.Interval.From)
		}
		slices.Sort(found)
		slices.Sort(guilty)
		if !slices.Equal(found, guilty) || job.State != polymath.Succeeded || string(job.Result) != fmt.Sprint(units-uint64(len(guilty))) {
			t.Errorf("guilty %v, dead %v, job %v with %s", guilty, found, job.State, job.Result)
		}
	})
}

func TestDeadUnitFailsTheJob(t *testing.T) {
	r := newRig(t)
	r.worker(2)
	r.do(&Submit{Spec: spec(5000)})
	job, dead := r.run(1234)
	if job.State != polymath.Failed || job.Code != polymath.JobFailed || len(dead) != 1 || dead[0].Interval.From != 1234 || len(r.l.Leases()) != 0 {
		t.Errorf("%+v, %v", job, dead)
	}
}

// TestTooManyFailed: the bound counts failed intervals that are out, too, so
// that handing them back never breaks it, and an image holds them all.
func TestTooManyFailed(t *testing.T) {
	r := newRig(t)
	s := spec(1 << 40)
	s.Options.Attempts = 20
	r.do(&Submit{Spec: s})
	w := r.worker(polymath.MaxSlots)
	now := int64(1e12)
	var finished []polymath.Job
	for round := 0; len(finished) == 0 && round < 5; round++ {
		var cmds []Command
		for _, g := range r.l.Leases() {
			if g.Lease.Attempt == 1 && len(cmds) < 600 {
				cmds = append(cmds, &Fail{Token: g.Lease.Token, Error: "boom"})
			}
		}
		finished = append(finished, r.apply(cmds...).Finished...)
		now += 100_000
		r.do(&Tick{Term: r.term, Now: now})
		now += 100_000
		r.do(&Tick{Term: r.term, Now: now}) // all of them are out again
		if err := r.l.Check(); err != nil {
			t.Fatal(err)
		}
		if round == 0 {
			r.apply(&Close{Session: w})
			w = r.worker(polymath.MaxSlots)
			if _, err := restore(takeAll(r.l)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if len(finished) != 1 || finished[0].State != polymath.Failed || !strings.Contains(finished[0].Error, "1000") {
		t.Errorf("%+v", finished)
	}
}

// TestHandedBackHalf: a half that is handed back stays a half, also where one
// attempt is all there is.
func TestHandedBackHalf(t *testing.T) {
	r := newRig(t)
	r.worker(1)
	s := spec(1000)
	s.Options.Attempts = 1
	fx := r.apply(&Submit{Spec: s})
	whole := fx.Grants[0].Lease.Interval
	fx = r.apply(&Fail{Token: fx.Grants[0].Lease.Token, Error: "boom"})
	half := fx.Grants[0].Lease
	if half.Interval.Len() != whole.Len()/2 || half.Attempt != 1 {
		t.Fatalf("%+v", half)
	}
	for range 4 {
		fx = r.apply(&Release{Token: fx.Grants[0].Lease.Token})
		if got := fx.Grants[0].Lease; got.Interval.Len() > half.Interval.Len() || got.Attempt != 1 {
			t.Errorf("the half came back as %+v", got)
		}
	}
}
