package ledger

import (
	"fmt"

	"github.com/polymath-run/polymath"
)

// Waits between attempts, in milliseconds: 1 s, doubled up to 60 s, with up
// to a fifth more or less so that failures do not come back in step.
const (
	firstWait = 1_000
	maxWait   = 60_000
	jitter    = 5 // a fifth
)

// Values of failed.due that are no time.
const (
	dueNow   = 0  // may be leased at once
	dueLoose = -1 // waits for a Tick to tell when the wait began
)

// failed is an interval that did not work out and will be tried again, whole,
// by one lease.
type failed struct {
	interval polymath.Interval
	attempts uint32 // so far
	cause    string
	due      int64 // Unix milliseconds, dueNow or dueLoose
	wait     int64 // milliseconds
}

// dueFailed finds the first failed interval that may run, or -1.
func (r *run) dueFailed() int {
	for i := range r.failed {
		if r.failed[i].due == dueNow {
			return i
		}
	}
	return -1
}

// lose ends a lease whose worker was not heard of any more. That says little
// about the interval, which runs again at once after its first attempt; one
// that takes its workers with it waits like any other from the second on.
func (l *Ledger) lose(ls *lease, cause string, fx *Effects) {
	l.retry(ls, cause, ls.attempt == 1, fx)
}

// giveUp ends a lease as a failed attempt. The interval runs again after a
// wait while it has attempts left; then it is halved, again and again, until
// the unit at fault is alone: that one is a dead letter.
func (l *Ledger) giveUp(ls *lease, cause string, fx *Effects) { l.retry(ls, cause, false, fx) }

func (l *Ledger) retry(ls *lease, cause string, atOnce bool, fx *Effects) {
	l.edit(ls.job)
	j, r, last := ls.job, ls.job.run, ls.twin == nil
	l.drop(ls)
	if !last { // the twin goes on, and its outcome counts
		l.refresh(j)
		return
	}
	iv := ls.interval
	switch {
	case l.fault == ForgetFailed:
		r.done += iv.Len()
	case ls.attempt < uint32(j.attempts) && atOnce:
		r.failed = append(r.failed, failed{interval: iv, attempts: ls.attempt, cause: cause, due: dueNow})
	case ls.attempt < uint32(j.attempts):
		wait := backoff(j.ref, iv.From, ls.attempt)
		r.failed = append(r.failed, failed{interval: iv, attempts: ls.attempt, cause: cause, due: dueLoose, wait: wait})
		l.loose = append(l.loose, looseTimer{j.ref, iv.From})
	case iv.Len() > 1:
		first, second := iv.Halves()
		for _, half := range []polymath.Interval{first, second} { // halves inherit: this attempt is theirs to repeat
			r.failed = append(r.failed, failed{interval: half, attempts: ls.attempt - 1, cause: cause, due: dueNow})
		}
	default:
		l.bury(ls, cause, fx)
		return
	}
	if len(r.failed)+r.again > maxFailed {
		l.finish(j, polymath.Failed, polymath.JobFailed, fmt.Sprintf("more than %d intervals failed, the last one with: %s", maxFailed, cause), fx)
		return
	}
	l.settle(j, fx)
}

// backoff is how long to wait after the attempt-th failure, in milliseconds.
// Its jitter is a hash of what failed: chance without a source of chance.
func backoff(job polymath.Ref, from uint64, attempt uint32) int64 {
	wait := int64(maxWait)
	if attempt < 7 {
		wait = min(int64(firstWait)<<(attempt-1), maxWait)
	}
	h := job.Index.Position ^ uint64(job.Ordinal)<<40 ^ from*0x9e3779b97f4a7c15 ^ uint64(attempt)<<56
	h ^= h >> 33 // the mixing steps of MurmurHash3's 64-bit finalizer
	h *= 0xff51afd7ed558ccd
	h ^= h >> 33
	h *= 0xc4ceb9fe1a85ec53
	h ^= h >> 33
	span := wait / jitter
	return wait - span + int64(h%uint64(2*span+1))
}
