package ledger

import (
	"slices"
	"testing"

	"github.com/polymath-run/polymath"
)

// twins has one interval in the hands of two workers.
func twins(t *testing.T) (r *rig, slow, fast Grant) {
	r = newRig(t)
	r.worker(1)
	fx := r.apply(&Submit{Spec: spec(1000)})
	slow = fx.Grants[0]
	for len(fx.Grants) > 0 && r.l.get(slow.Lease.Job.Ref).leasable() { // nothing else is left to lease
		w := r.worker(1)
		fx = &r.fx
		if len(fx.Grants) == 0 {
			t.Fatal("no more workers are served")
		}
		r.apply(&Complete{Token: fx.Grants[0].Lease.Token, Output: []byte("1")}, &Close{Session: w})
	}
	if fx = r.apply(&Suspect{Term: r.term, Token: slow.Lease.Token}); len(fx.Grants) != 0 {
		t.Fatal("somebody idle was granted a second token")
	}
	r.worker(1)
	if len(r.fx.Grants) != 1 {
		t.Fatalf("%d grants to an idle worker", len(r.fx.Grants))
	}
	fast = r.fx.Grants[0]
	if fast.Lease.Interval != slow.Lease.Interval || !fast.Lease.Speculative || fast.Session == slow.Session {
		t.Fatalf("%+v", fast)
	}
	return r, slow, fast
}

// TestFirstOfTwins: the first to complete retires both.
func TestFirstOfTwins(t *testing.T) {
	for _, second := range []bool{false, true} {
		r, slow, fast := twins(t)
		a, b := slow, fast
		if second {
			a, b = fast, slow
		}
		fx := r.apply(&Complete{Token: a.Lease.Token, Output: []byte("7")})
		if !slices.Contains(fx.Retired, Retired{b.Session, b.Lease.Token}) || !slices.Contains(fx.Ended, Ended{b.Lease.Token, Superseded, b.Lease.Interval.Len()}) {
			t.Errorf("the other was not retired: %+v", fx)
		}
		if a := r.do(&Complete{Token: b.Lease.Token, Output: []byte("7")}); polymath.CodeOf(a.Err) != polymath.StaleToken {
			t.Errorf("the other completed, too: %v", a.Err)
		}
	}
}

// TestOneTwinEnds: however one of two ends, the interval stays with the other
// and nothing is lost or counted as failed.
func TestOneTwinEnds(t *testing.T) {
	for _, second := range []bool{false, true} {
		for name, end := range map[string]func(r *rig, g Grant) Command{
			"failed":       func(_ *rig, g Grant) Command { return &Fail{Token: g.Lease.Token, Error: "boom"} },
			"released":     func(_ *rig, g Grant) Command { return &Release{Token: g.Lease.Token} },
			"expired":      func(r *rig, g Grant) Command { return &Expire{Term: r.term, Token: g.Lease.Token, Started: true} },
			"worker left":  func(_ *rig, g Grant) Command { return &Close{Session: g.Session} },
			"worker lost":  func(_ *rig, g Grant) Command { return &Close{Session: g.Session, Lost: true} },
			"bad output":   func(_ *rig, g Grant) Command { return &Complete{Token: g.Lease.Token, Output: []byte("x")} },
			"told no more": func(_ *rig, g Grant) Command { return &Close{Session: g.Session} },
		} {
			r, slow, fast := twins(t)
			a, b := slow, fast
			if second {
				a, b = fast, slow
			}
			fx := r.apply(end(r, a))
			if len(fx.Grants) != 0 {
				t.Errorf("%s: another token was granted at once, before the timekeeper asked", name)
			}
			if err := r.l.Check(); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			fx = r.apply(&Complete{Token: b.Lease.Token, Output: []byte("7")})
			if fx.Answers[0].Err != nil || len(fx.Finished) != 1 {
				t.Errorf("%s: the other could not finish the job: %v", name, fx.Answers[0].Err)
			}
		}
	}
}

// TestSuspectIsMarkedOnce: pointing twice is pointing once, and a lease with
// a second token gets no third.
func TestSuspectIsMarkedOnce(t *testing.T) {
	r, slow, fast := twins(t)
	r.worker(1)
	for range 3 {
		if fx := r.apply(&Suspect{Term: r.term, Token: slow.Lease.Token}, &Suspect{Term: r.term, Token: fast.Lease.Token}); len(fx.Grants) != 0 {
			t.Fatal("a third token")
		}
	}
	r.do(&Release{Token: fast.Lease.Token})
	if fx := r.apply(&Suspect{Term: r.term, Token: slow.Lease.Token}); len(fx.Grants) != 1 {
		t.Error("no second token, although the timekeeper asked again")
	}
}
