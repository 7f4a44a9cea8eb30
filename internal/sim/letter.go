package sim

import (
	"slices"
	"time"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/ledger"
)

// tidy is somebody who looks at the dead letters now and then and discards
// one, or all of its queue, sometimes twice.
func (w *world) tidy() {
	w.after(w.between(200*time.Millisecond, 4*time.Second), func() {
		if w.calm {
			return
		}
		if m := w.machine; m.up && len(m.archive.letters) > 0 {
			one := m.archive.letters[w.chance.IntN(len(m.archive.letters))]
			d := &ledger.Discard{Tenant: one.Tenant, Queue: one.Queue}
			if !w.odds(4) {
				d.Job, d.Unit = one.Job, one.Interval.From
			}
			m.core.Propose(d, func(ledger.Answer) {})
			if w.odds(8) {
				m.core.Propose(d, func(ledger.Answer) {})
			}
			m.settle()
		}
		w.tidy()
	})
}

// takes reports whether a Discard is of a letter.
func takes(d *ledger.Discard, l *polymath.DeadLetter) bool {
	named := d.Job.IsZero() || d.Job == l.Job && d.Unit == l.Interval.From
	return named && d.Tenant == l.Tenant && d.Queue == l.Queue
}

// putLetters takes what an entry says of dead letters into the archive.
func (a *archive) putLetters(fx *ledger.Effects) {
	dead := 0
	for _, d := range fx.Discarded {
		a.letters = append(a.letters, fx.Dead[dead:d.Older]...)
		dead = d.Older
		a.letters = slices.DeleteFunc(a.letters, func(l polymath.DeadLetter) bool {
			return takes(&ledger.Discard{Job: d.Job, Unit: d.Unit, Tenant: d.Tenant, Queue: d.Queue}, &l)
		})
	}
	a.letters = append(a.letters, fx.Dead[dead:]...)
}

// settleLetters keeps the books of dead letters by the commands of an entry.
// Only which of its own letters died before a Discard is the ledger's word.
func (o *oracle) settleLetters(e *ledger.Entry, fx *ledger.Effects) {
	dead, next := 0, 0
	for i, cmd := range e.Commands {
		d, ok := cmd.(*ledger.Discard)
		if !ok || fx.Answers[i].Err != nil {
			continue
		}
		o.w.counts.Discards++
		if next < len(fx.Discarded) {
			o.bury(fx.Dead[dead:fx.Discarded[next].Older])
			dead = fx.Discarded[next].Older
			next++
		}
		o.letters = slices.DeleteFunc(o.letters, func(l polymath.DeadLetter) bool { return takes(d, &l) })
	}
	o.bury(fx.Dead[dead:])
}

// bury notes dead letters, each under the name its job was submitted with.
func (o *oracle) bury(dead []polymath.DeadLetter) {
	for _, d := range dead {
		if t := o.jobs[d.Job]; t != nil && (d.Tenant != t.tenant || d.Queue != t.queue || d.Function != "f") {
			o.w.violate("the dead letter of job %v of %s/%s is of %s/%s", d.Job, t.tenant, t.queue, d.Tenant, d.Queue)
		}
		o.letters = append(o.letters, d)
	}
}

// compareLetters holds that readers see the dead letters that nobody discarded,
// and no others.
func (o *oracle) compareLetters() {
	shown := o.w.machine.archive.letters
	if slices.Equal(shown, o.letters) {
		return
	}
	for _, d := range shown {
		if !slices.Contains(o.letters, d) {
			o.w.violate("unit %v of job %v is shown as a dead letter, which was discarded or never was", d.Interval, d.Job)
		}
	}
	for _, d := range o.letters {
		if !slices.Contains(shown, d) {
			o.w.violate("the dead letter of unit %v of job %v is gone, and nobody discarded it", d.Interval, d.Job)
		}
	}
	o.w.violate("the dead letters are shown twice or out of order: %v", shown)
}
