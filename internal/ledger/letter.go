package ledger

import (
	"github.com/polymath-run/polymath"
)

// bury makes the unit of a lease that was dropped a dead letter.
func (l *Ledger) bury(ls *lease, cause string, fx *Effects) {
	j := ls.job
	j.run.dead += ls.interval.Len()
	j.queue.letters++
	fx.Dead = append(fx.Dead, polymath.DeadLetter{
		Job: l.jobID(j.ref), Interval: ls.interval,
		Tenant: j.queue.tenant, Queue: j.queue.name, Function: l.functions[j.function].name,
		Attempts: ls.attempt, Error: cause, Worker: ls.session.name, At: l.at,
	})
	l.jobEvent(UnitDead, j, fx)
	if !j.skipDead {
		l.finish(j, polymath.Failed, polymath.JobFailed, cause, fx)
		return
	}
	l.settle(j, fx)
}

// burdened is the refusal of a queue that has too many dead letters to take
// new work: somebody must look at them first.
func (l *Ledger) burdened(q *queue) error {
	if q.letters < l.maxLetters {
		return nil
	}
	return polymath.Errorf(polymath.Overloaded,
		"queue %q of tenant %q has %d dead letters and takes no new job from %d on: requeue or purge its dead letters",
		q.name, q.tenant, q.letters, l.maxLetters)
}

// apply counts the letters and leaves it to the archive to find them: a queue
// that the ledger has forgotten had none to count.
func (d *Discard) apply(l *Ledger, fx *Effects) Answer {
	gone := Discarded{Job: d.Job, Unit: d.Unit, Tenant: d.Tenant, Queue: d.Queue, Older: len(fx.Dead)}
	if gone.Queue == "" {
		gone.Queue = polymath.DefaultQueue
	}
	q := l.queueNames[queueName{gone.Tenant, gone.Queue}]
	switch one := !d.Job.IsZero(); {
	case one && d.Job.Shard != l.shard:
		return refused(polymath.NotFound, "job %v is of another server: its dead letters are not here", d.Job)
	case one && q != nil:
		q.letters -= min(q.letters, 1)
	case !one:
		gone.Job, gone.Unit = polymath.JobID{}, 0
		if q != nil {
			q.letters = 0
		}
	}
	if l.fault != ForgetDiscard {
		fx.Discarded = append(fx.Discarded, gone)
	}
	if l.fault == DiscardBeside {
		l.discardBeside(&gone, fx)
	}
	return Answer{}
}

// discardBeside is the planted defect DiscardBeside.
func (l *Ledger) discardBeside(gone *Discarded, fx *Effects) {
	for _, q := range l.queues {
		if q.tenant == gone.Tenant && q.name != gone.Queue {
			fx.Discarded = append(fx.Discarded, Discarded{Tenant: q.tenant, Queue: q.name, Older: gone.Older})
		}
	}
}
