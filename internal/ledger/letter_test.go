package ledger

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/polymath-run/polymath"
)

// worldLetters is the bound of dead letters in a world: one that is reached.
const worldLetters = 5

// discard chooses a Discard: of a queue, of a letter, of what never was.
func (w *world) discard() Command {
	d := &Discard{Tenant: w.word("t", 3), Queue: w.word("q", 2)}
	if w.pick(3) > 0 {
		d.Job.Ref, d.Unit = w.lease().Job.Ref, uint64(w.pick(8))
	}
	if w.pick(10) == 0 {
		d.Job.Shard = 9
	}
	return d
}

// discards holds what is given out against what was asked, in order, and counts
// the letters of each queue anew.
func (o *oracle) discards(e *Entry, fx *Effects) error {
	older, next := 0, 0
	count := func(upTo int) {
		for ; older < upTo; older++ {
			o.letters[queueName{fx.Dead[older].Tenant, fx.Dead[older].Queue}]++
		}
	}
	for i, cmd := range e.Commands {
		d, ok := cmd.(*Discard)
		if !ok || fx.Answers[i].Err != nil {
			continue
		}
		want := Discarded{Job: d.Job, Unit: d.Unit, Tenant: d.Tenant, Queue: d.Queue}
		if d.Job.IsZero() {
			want.Job, want.Unit = polymath.JobID{}, 0
		}
		if next == len(fx.Discarded) {
			return errors.New("a Discard was not given out")
		}
		got := fx.Discarded[next]
		next++
		if want.Older = got.Older; got != want || got.Older < older || got.Older > len(fx.Dead) {
			return fmt.Errorf("discarded %+v, and %+v is right", got, want)
		}
		count(got.Older)
		q := queueName{d.Tenant, d.Queue}
		if o.letters[q] > 0 && !d.Job.IsZero() {
			o.letters[q]--
		} else {
			o.letters[q] = 0
		}
	}
	count(len(fx.Dead))
	if next != len(fx.Discarded) {
		return fmt.Errorf("discarded %+v, and nobody asked for that", fx.Discarded[next])
	}
	return nil
}

// counts compares the letters of the queues.
func (o *oracle) counts(l *Ledger) error {
	for name, n := range o.letters {
		if q := l.queueNames[name]; q == nil && n > 0 || q != nil && q.letters != n {
			return fmt.Errorf("queue %q: the ledger does not count %d dead letters", name, n)
		}
	}
	return nil
}

// die submits a job of some units to a queue and fails each of them.
func (r *rig) die(tenant, queue string, units uint64) *Effects {
	r.t.Helper()
	s := spec(units)
	s.Options = polymath.Options{Queue: queue, Attempts: 1, SkipDead: true}
	fx := r.apply(&Submit{Tenant: tenant, Spec: s})
	if fx.Answers[0].Err != nil {
		r.t.Fatal(fx.Answers[0].Err)
	}
	for len(fx.Finished) == 0 {
		fx = r.apply(&Fail{Token: r.l.Leases()[0].Lease.Token, Error: "boom"})
	}
	return fx
}

// TestLetterBound: a queue with too many dead letters refuses new work, says
// what to do, and takes work again when that was done; others never notice.
func TestLetterBound(t *testing.T) {
	r := newRig(t)
	r.l.maxLetters = 3
	r.worker(1)
	id := r.die("t", "q", 5).Finished[0].ID // beyond the bound: the job was taken before
	submit := func() Answer { return r.do(&Submit{Tenant: "t", Spec: queued("q")}) }
	for _, restored := range []bool{false, true} {
		if restored {
			l, err := restore(takeAll(r.l))
			if err != nil {
				t.Fatal(err)
			}
			l.maxLetters = r.l.maxLetters
			r.l = l
		}
		err := submit().Err
		if polymath.CodeOf(err) != polymath.Overloaded {
			t.Fatalf("a queue with 5 dead letters, 3 the most, restored %v: %v", restored, err)
		}
		for _, want := range []string{`"q"`, `"t"`, "5 dead letters", "from 3 on", "requeue or purge"} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%q does not say %q", err, want)
			}
		}
	}
	if a := r.do(&Submit{Tenant: "u", Spec: queued("q")}); a.Err != nil {
		t.Errorf("another tenant's queue: %v", a.Err)
	}
	r.apply(&Discard{Job: id, Unit: 0, Tenant: "t", Queue: "q"}, &Discard{Job: id, Unit: 1, Tenant: "t", Queue: "q"})
	if submit().Err == nil {
		t.Error("a queue with as many dead letters as it may have took work")
	}
	r.do(&Discard{Job: id, Unit: 2, Tenant: "t", Queue: "q"})
	if a := submit(); a.Err != nil {
		t.Errorf("a queue with two dead letters: %v", a.Err)
	}
}

func queued(queue string) polymath.Spec {
	s := spec(1)
	s.Options.Queue = queue
	return s
}

// TestDiscard: what is let go is spelled in one way, in the order of the
// commands, and the count never runs below 0.
func TestDiscard(t *testing.T) {
	r := newRig(t)
	r.worker(1)
	id := r.die("t", "", 3).Finished[0].ID
	q := r.l.queueNames[queueName{"t", polymath.DefaultQueue}]
	one := Discard{Job: id, Unit: 2, Tenant: "t"}
	for _, c := range []struct {
		cmd  Discard
		want uint64
		code polymath.Code
	}{
		{Discard{Job: polymath.JobID{Shard: 1, Ref: id.Ref}, Tenant: "t"}, 3, polymath.NotFound},
		{Discard{Tenant: "t", Queue: "none"}, 3, 0},
		{Discard{Tenant: "u"}, 3, 0},
		{one, 2, 0},
		{Discard{Tenant: "t", Unit: 9, Job: polymath.JobID{Shard: 1}}, 0, 0},
		{one, 0, 0},
	} {
		fx := r.apply(&c.cmd)
		if polymath.CodeOf(fx.Answers[0].Err) != c.code || q.letters != c.want || (len(fx.Discarded) == 1) != (c.code == 0) {
			t.Fatalf("%+v leaves %d letters, want %d: %+v, %v", c.cmd, q.letters, c.want, fx.Discarded, fx.Answers[0].Err)
		}
	}
	fx := r.apply(&Discard{Tenant: "t", Unit: 9}, &one)
	want := []Discarded{{Tenant: "t", Queue: "default"}, {Job: id, Unit: 2, Tenant: "t", Queue: "default"}}
	if !slices.Equal(fx.Discarded, want) {
		t.Errorf("discarded %+v, want %+v", fx.Discarded, want)
	}
}

// TestDiscardInOneEntry: a letter that dies later in the same entry stays.
func TestDiscardInOneEntry(t *testing.T) {
	r := newRig(t)
	r.worker(2)
	s := queued("q")
	s.Options.Attempts = 1
	tokens := grants(r.apply(&Submit{Tenant: "t", Spec: s}, &Submit{Tenant: "t", Spec: s}))
	fx := r.apply(&Fail{Token: tokens[0]}, &Discard{Tenant: "t", Queue: "q"}, &Fail{Token: tokens[1]})
	if len(fx.Dead) != 2 || len(fx.Discarded) != 1 || fx.Discarded[0].Older != 1 {
		t.Errorf("dead %+v, discarded %+v", fx.Dead, fx.Discarded)
	}
	if n := r.l.queueNames[queueName{"t", "q"}].letters; n != 1 {
		t.Errorf("%d letters are counted, 1 is there", n)
	}
}

// TestLettersKeepTheirQueue: a queue with dead letters does not make room, so
// that its count is not forgotten; once they are gone it does.
func TestLettersKeepTheirQueue(t *testing.T) {
	r := newRig(t)
	r.worker(1)
	r.die("t", "q", 1)
	name := queueName{"t", "q"}
	if r.l.dropQueues(); r.l.queueNames[name] == nil {
		t.Fatal("a queue with a dead letter was forgotten")
	}
	r.do(&Discard{Tenant: "t", Queue: "q"})
	if r.l.dropQueues(); r.l.queueNames[name] != nil {
		t.Error("a queue that nobody uses stays")
	}
}
