package ledger

import (
	"slices"

	"github.com/polymath-run/polymath"
)

// Bounds of what a Standing counts.
const (
	MaxAhead   = 4096 // jobs of the same queue that go first
	maxOffered = 20   // names of functions that workers offer instead
)

// Standing is where an unfinished job stands in line: the facts that answer
// why it is not running, or not faster.
type Standing struct {
	Job   polymath.Job // without its Result
	Queue QueueInfo
	Now   int64 // the wall time the ledger knows of, Unix milliseconds

	Delayed bool   // its not-before has not come
	Ready   bool   // it has units that a worker could have at once
	Leases  int    // of it, out
	Retries int    // intervals that wait to be tried again
	Next    *Retry // the one of them that is tried first; nil: none

	// Workers offer its function; they have Slots for Busy leases of all kinds.
	Workers uint32
	Slots   uint64
	Busy    uint64
	// Offered is what workers offer when none offers this, and OfferedMore
	// that the list goes on.
	Offered     []string
	OfferedMore bool

	// Ahead counts the jobs of the queue that those workers serve first, by
	// priority and then age, up to MaxAhead; AheadUnits is what is left of
	// these. A job that is not Ready has none.
	Ahead, AheadUnits uint64
	// Rivals are other queues with jobs of the function that take turns with
	// this one, and RivalJobs how many such jobs they have.
	Rivals, RivalJobs uint64
}

// Standing reads where an unfinished job stands; false when there is none.
func (l *Ledger) Standing(id polymath.JobID) (Standing, bool) {
	j := l.own(id)
	if j == nil {
		return Standing{}, false
	}
	s := Standing{Job: l.outline(j), Queue: j.queue.info(), Now: l.now, Delayed: j.delayed, Ready: j.leasable()}
	if r := j.run; r != nil {
		s.Leases, s.Retries, s.Next = len(r.leases), len(r.failed), r.nextRetry()
	}
	served := s.countWorkers(l, j.function)
	if s.Workers == 0 {
		s.listOffered(l)
	}
	if s.Ready {
		for _, o := range j.queue.offers {
			if served[o.function] {
				s.countAhead(j, &o.jobs)
			}
		}
		for _, o := range l.functions[j.function].open {
			if o.queue != j.queue {
				s.Rivals++
				s.RivalJobs += uint64(o.jobs.len())
			}
		}
	}
	return s, true
}

// nextRetry is the failed interval that will be tried first, or nil.
func (r *run) nextRetry() *Retry {
	var first *Retry
	for i := range r.failed {
		next := r.failed[i].retry()
		if first == nil || next.Wait < first.Wait || next.Wait == first.Wait && next.Due < first.Due {
			first = &next
		}
	}
	return first
}

// countWorkers looks at the sessions that offer a function, and reports what
// else these serve: jobs of such functions may go first.
func (s *Standing) countWorkers(l *Ledger, function uint16) (served []bool) {
	served = make([]bool, len(l.functions))
	served[function] = true
	for _, w := range l.sessions {
		if w.slots == 0 || !contains(w.functions, function) {
			continue
		}
		s.Workers++
		s.Slots += uint64(w.slots)
		s.Busy += uint64(len(w.leases))
		for _, n := range w.functions {
			served[n] = true
		}
	}
	return served
}

func (s *Standing) listOffered(l *Ledger) {
	for _, f := range l.functions {
		if f.slots > 0 {
			s.Offered = append(s.Offered, f.name)
		}
	}
	slices.Sort(s.Offered)
	if len(s.Offered) > maxOffered {
		s.Offered, s.OfferedMore = s.Offered[:maxOffered], true
	}
}

// countAhead counts the jobs of an offer that are served before a job.
func (s *Standing) countAhead(j *job, r *ready) {
	s.countLate(j, r.late, 0)
	for i := 0; i < r.line.span && s.Ahead < MaxAhead; i++ {
		switch o := r.line.ring[r.line.slot(i)]; {
		case o == nil:
		case !o.before(j):
			return
		default:
			s.Ahead++
			s.AheadUnits += o.left()
		}
	}
}

// countLate walks the part of a heap that is served before a job: below one
// that is not, there is none.
func (s *Standing) countLate(j *job, h jobHeap, i int) {
	if i >= len(h) || s.Ahead == MaxAhead || !h[i].before(j) {
		return
	}
	s.Ahead++
	s.AheadUnits += h[i].left()
	s.countLate(j, h, 2*i+1)
	s.countLate(j, h, 2*i+2)
}

// left is how many units of a job nobody has worked off or works on.
func (j *job) left() uint64 {
	if j.run == nil {
		return j.units
	}
	return j.units - j.run.done - j.run.dead - j.run.leased
}
