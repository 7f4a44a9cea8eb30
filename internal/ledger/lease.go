package ledger

import (
	"slices"

	"github.com/polymath-run/polymath"
)

// lease is a token that is out. Its interval is in nobody else's hands, but
// for its twin's: a second token over the identical interval.
type lease struct {
	ref      polymath.Ref
	job      *job
	session  *session
	interval polymath.Interval
	attempt  uint32
	cause    string  // of the last failure of this interval, "" for none
	again    bool    // the interval failed before
	twin     *lease  // the other token, or nil
	suspect  bool    // the timekeeper finds it slow: is in Ledger.suspects
	outcome  Outcome // set by the command that ends it
}

// held finds the lease of a token, for the command that ends it.
func (l *Ledger) held(t polymath.Token) (*lease, Answer) {
	ls := l.leases.Get(t.Ref)
	if ls == nil || t.Shard != l.shard {
		return nil, refused(polymath.StaleToken, "token %v is stale: its lease ended before this arrived, nothing was changed", t)
	}
	l.edit(ls.job)
	return ls, Answer{}
}

// drop takes a lease out of every table, and leaves its units to the caller.
func (l *Ledger) drop(ls *lease) {
	r, s := ls.job.run, ls.session
	if ls.twin != nil {
		ls.twin.twin = nil
		ls.twin = nil
	} else {
		r.leased -= ls.interval.Len()
		if ls.again {
			r.again--
		}
	}
	r.leases = without(r.leases, ls)
	s.leases = without(s.leases, ls)
	l.unsuspect(ls)
	l.leases.Remove(ls)
	q := ls.job.queue
	if q.leased--; q.concurrency > 0 {
		l.relist(q)
	}
	l.ended = append(l.ended, Ended{l.token(ls.ref), ls.outcome, ls.interval.Len()})
	l.park(s)
}

// unsuspect takes the timekeeper's mark off a lease.
func (l *Ledger) unsuspect(ls *lease) {
	if ls.suspect {
		ls.suspect = false
		l.suspects = without(l.suspects, ls)
	}
}

func without(all []*lease, ls *lease) []*lease {
	if i := slices.Index(all, ls); i >= 0 {
		return cut(all, i)
	}
	return all
}

// retire drops the other token of an interval and tells its session.
func (l *Ledger) retire(twin *lease, fx *Effects) {
	fx.Retired = append(fx.Retired, Retired{twin.session.ref, l.token(twin.ref)})
	l.drop(twin)
}

func (k *Complete) apply(l *Ledger, fx *Effects) Answer {
	ls, stale := l.held(k.Token)
	if ls == nil && l.fault == SkipFencing && k.Token.Shard == l.shard {
		ls = l.anyLease(k.Token.Ref)
	}
	if ls == nil {
		return stale
	}
	j, r := ls.job, ls.job.run
	before := j.size()
	if err := r.sum.merge(j.reducer, ls.interval, k.Output); err != nil {
		return l.badOutput(ls, err, fx)
	}
	l.bytes += j.size() - before
	ls.session.learn(j.function, j.cost(ls.interval), k.Micros)
	if l.fault == MergeTwice {
		_ = r.sum.merge(j.reducer, ls.interval, k.Output)
	}
	if ls.twin != nil && l.fault != KeepTwin {
		l.retire(ls.twin, fx)
	}
	ls.outcome = Completed
	l.drop(ls)
	r.done += ls.interval.Len()
	l.settle(j, fx)
	return Answer{}
}

// anyLease is the planted defect SkipFencing: the oldest lease there is.
func (l *Ledger) anyLease(old polymath.Ref) *lease {
	for _, s := range l.sessions {
		for _, ls := range s.leases {
			if ls.ref.Compare(old) > 0 {
				l.edit(ls.job)
				return ls
			}
		}
	}
	return nil
}

// badOutput deals with an output that is none: too large an answer fails the
// job, anything else is a failure of the interval.
func (l *Ledger) badOutput(ls *lease, err error, fx *Effects) Answer {
	ls.outcome = Errored
	if polymath.CodeOf(err) == polymath.TooLarge {
		l.finish(ls.job, polymath.Failed, polymath.TooLarge, err.Error(), fx)
	} else {
		l.giveUp(ls, "the worker's output is unusable: "+err.Error(), fx)
	}
	return Answer{Err: err}
}

// settle ends a job whose last unit is accounted for.
func (l *Ledger) settle(j *job, fx *Effects) {
	early := l.fault == FinishEarly && j.run.cursor == j.units && len(j.run.returned) == 0
	if j.complete() || early {
		l.finish(j, polymath.Succeeded, 0, "", fx)
		return
	}
	l.refresh(j)
}

func (f *Fail) apply(l *Ledger, fx *Effects) Answer {
	ls, stale := l.held(f.Token)
	if ls == nil {
		return stale
	}
	ls.outcome = Errored
	l.giveUp(ls, f.Error, fx)
	return Answer{}
}

func (r *Release) apply(l *Ledger, _ *Effects) Answer {
	ls, stale := l.held(r.Token)
	if ls == nil {
		return stale
	}
	ls.outcome = Returned
	l.giveBack(ls)
	return Answer{}
}

func (e *Expire) apply(l *Ledger, fx *Effects) Answer {
	if ans, old := l.stale(e.Term); old {
		return ans
	}
	ls, stale := l.held(e.Token)
	if ls == nil {
		return stale
	}
	fx.Retired = append(fx.Retired, Retired{ls.session.ref, e.Token})
	if ls.outcome = Returned; e.Started {
		ls.outcome = Expired
		l.lose(ls, e.Reason, fx)
	} else {
		l.giveBack(ls)
	}
	return Answer{}
}

func (s *Suspect) apply(l *Ledger, _ *Effects) Answer {
	if ans, old := l.stale(s.Term); old {
		return ans
	}
	ls, stale := l.held(s.Token)
	if ls == nil {
		return stale
	}
	if !ls.suspect && ls.twin == nil {
		ls.suspect = true
		l.suspects = append(l.suspects, ls)
	}
	return Answer{}
}

// giveBack ends a lease without counting the attempt: its units can be leased
// again at once, unless a twin still works on them. An interval that had
// failed before stays a failed one, so that its attempts are not forgotten.
func (l *Ledger) giveBack(ls *lease) {
	l.edit(ls.job)
	j, last := ls.job, ls.twin == nil
	l.drop(ls)
	switch {
	case !last || l.fault == ForgetInterval:
	case ls.again:
		j.run.failed = append(j.run.failed, failed{
			interval: ls.interval, attempts: ls.attempt - 1, cause: ls.cause, due: dueNow,
		})
	default:
		j.putBack(ls.interval)
	}
	l.refresh(j)
}
