package ledger

import (
	"github.com/polymath-run/polymath"
)

// Bounds of what one read says of a job.
const (
	MaxTasks = 1000   // leases, those out longest first
	maxParts = 16_384 // leases whose intervals a picture of a job is made of
)

// Task is a lease of a job that is out.
type Task struct {
	Token    polymath.Token
	Interval polymath.Interval
	Session  polymath.Ref // of the worker
	Worker   string       // its name
	Attempt  uint32       // 1 for the first
	Error    string       // of the attempt before; "" for the first
	// Slow: the timekeeper finds that it takes too long. Speculative: it is
	// the second token over the interval of a slow one.
	Slow, Speculative bool
}

// Retry is an interval of a job that failed and waits to run again.
type Retry struct {
	Interval polymath.Interval
	Attempts uint32 // so far
	Error    string // of the last
	// Due is when it may run, in Unix milliseconds; 0: as soon as a worker is
	// free, or, with a Wait, so many milliseconds after the next Tick.
	Due, Wait int64
}

// Tasks lists what is out of an unfinished job, at most MaxTasks leases, and
// all that waits to be tried again; false when there is no such job.
func (l *Ledger) Tasks(id polymath.JobID) (out []Task, retries []Retry, found bool) {
	j := l.own(id)
	if j == nil || j.run == nil {
		return nil, nil, j != nil
	}
	for _, ls := range j.run.leases[:min(len(j.run.leases), MaxTasks)] {
		second := ls.twin != nil && ls.ref.Compare(ls.twin.ref) > 0
		out = append(out, Task{
			Token: l.token(ls.ref), Interval: ls.interval, Session: ls.session.ref, Worker: ls.session.name,
			Attempt: ls.attempt, Error: ls.cause,
			Slow: ls.suspect || ls.twin != nil && !second, Speculative: second,
		})
	}
	for i := range j.run.failed {
		retries = append(retries, j.run.failed[i].retry())
	}
	return out, retries, true
}

func (f *failed) retry() Retry {
	r := Retry{Interval: f.interval, Attempts: f.attempts, Error: f.cause}
	switch f.due {
	case dueNow:
	case dueLoose:
		r.Wait = f.wait
	default:
		r.Due = f.due
	}
	return r
}

// Parts is what is known of the units of an unfinished job: those before
// Cursor that are in none of the lists are merged, or dead letters; those from
// Cursor on were nobody's yet.
type Parts struct {
	Units, Cursor uint64
	Dead          uint64              // how many are dead letters
	Leased        []polymath.Interval // out, each interval once, in no order
	Failed        []polymath.Interval // waiting to be tried again, in no order
	Returned      []polymath.Interval // given back untouched, in order
}

// Parts reads them. The error is NotFound when there is no such unfinished
// job, and TooLarge when so many leases of it are out that copying their
// intervals would hold the shard up.
func (l *Ledger) Parts(id polymath.JobID) (Parts, error) {
	j := l.own(id)
	if j == nil {
		return Parts{}, polymath.Errorf(polymath.NotFound, "there is no unfinished job %v", id)
	}
	p := Parts{Units: j.units}
	if j.run == nil {
		return p, nil
	}
	r := j.run
	if n := len(r.leases) + len(r.returned); n > maxParts {
		return Parts{}, polymath.Errorf(polymath.TooLarge, "job %v is in %d pieces, more than the %d a picture is made of", id, n, maxParts)
	}
	p.Cursor, p.Dead = r.cursor, r.dead
	p.Leased = make([]polymath.Interval, 0, len(r.leases))
	for _, ls := range r.leases {
		if ls.twin == nil || ls.ref.Compare(ls.twin.ref) < 0 {
			p.Leased = append(p.Leased, ls.interval)
		}
	}
	for i := range r.failed {
		p.Failed = append(p.Failed, r.failed[i].interval)
	}
	p.Returned = append(p.Returned, r.returned...)
	return p, nil
}
