package ledger

import (
	"slices"

	"github.com/polymath-run/polymath"
)

// How pieces are cut, in microseconds.
const (
	defaultLeaseMicros = 1_000_000 // when a demand names no length
	probeMicros        = 50_000    // the first lease of a session and function
	leastLeaseMicros   = 2_000     // pieces near the end shrink no further
)

// maxLeases bounds the leases that are out on one shard.
const maxLeases = 1 << 20

// match grants leases while there is an idle session and a job it can serve.
// Sessions take turns, one lease each, the one that waited longest first, so
// that the pieces of one job spread over the workers.
func (l *Ledger) match(fx *Effects) {
	for l.leases.Len() < maxLeases {
		s := l.nextServed()
		if s == nil {
			break
		}
		l.carve(l.pick(s), s, fx)
	}
	l.speculate(fx)
}

// nextServed is the idle session that waited longest of those there is a job
// for, or nil.
func (l *Ledger) nextServed() *session {
	var first *session
	for _, f := range l.functions {
		if len(f.open) == 0 || f.idle.idle == 0 {
			continue
		}
		if s := f.idle.first(nil); first == nil || s.since < first.since {
			first = s
		}
	}
	return first
}

// pick is the job that a session should serve: the first one for it in the
// queue that is due. There must be one.
func (l *Ledger) pick(s *session) *job {
	var due *queue
	for _, n := range s.functions {
		if h := l.functions[n].open; len(h) > 0 && (due == nil || h[0].queue.before(due)) {
			due = h[0].queue
		}
	}
	return due.best(s.functions)
}

// carve cuts the next piece off a job and leases it out: a failed interval
// whose wait is over, else what was given back, else units nobody had.
func (l *Ledger) carve(j *job, s *session, fx *Effects) {
	var ls *lease
	if j.run == nil {
		ls = l.start(j, fx)
	} else {
		l.edit(j)
		ls = new(lease)
	}
	ls.job, ls.attempt = j, 1
	r := j.run
	if i := r.dueFailed(); i >= 0 {
		f := r.failed[i]
		ls.interval, ls.attempt, ls.cause, ls.again = f.interval, f.attempts+1, f.cause, true
		r.failed = slices.Delete(r.failed, i, i+1)
		r.again++
	} else if len(r.returned) > 0 {
		var rest polymath.Interval
		ls.interval, rest = r.returned[0].Split(l.pieceOf(j, s, r.returned[0].From))
		if r.returned[0] = rest; rest.Empty() {
			r.returned = r.returned[1:]
		}
		r.returnedCost -= j.cost(ls.interval)
	} else {
		n := l.pieceOf(j, s, r.cursor)
		ls.interval, _ = polymath.Interval{From: r.cursor, To: j.units}.Split(n)
		r.cursor = ls.interval.To
		if l.fault == DoubleGrant {
			j.putBack(ls.interval)
		}
	}
	r.leased += ls.interval.Len()
	l.grant(ls, s, fx)
	l.refresh(j)
}

// pieceOf is how many units from one on make a good lease for a session: as
// many as it works off in the time it asks for, but near the end of the job
// no more than half its fair share of what is left, so that all finish
// together (guided self-scheduling: Polychronopoulos, Kuck, 1987).
func (l *Ledger) pieceOf(j *job, s *session, from uint64) uint64 {
	micros := s.micros
	if micros == 0 {
		micros = defaultLeaseMicros
	}
	rate, known := s.rate(j.function)
	if !known {
		micros = min(micros, probeMicros)
	}
	want := mulDiv(micros, rate, rateOne)
	slots := max(l.functions[j.function].slots, 1)
	want = min(want, max(j.remaining()/(2*slots), leastLeaseMicros))
	before := costAt(j.costs, from)
	to := unitAt(j.costs, before+min(want, ^before), j.units)
	if to <= from {
		return 1
	}
	return to - from
}

// grant makes a lease, names it and tells the session.
func (l *Ledger) grant(ls *lease, s *session, fx *Effects) {
	j := ls.job
	if ls.ref = l.newRef(); l.fault == ReuseToken && len(s.leases) > 0 {
		ls.ref = s.leases[len(s.leases)-1].ref
	}
	ls.session = s
	s.leases = append(s.leases, ls)
	j.run.leases = append(j.run.leases, ls)
	l.leases.Put(ls)
	l.charge(j.queue, j.cost(ls.interval))
	l.unpark(s) // its turn is over
	l.park(s)
	fx.Grants = append(fx.Grants, l.grantOf(ls))
}

// grantOf is a lease as its session gets to see it.
func (l *Ledger) grantOf(ls *lease) Grant {
	j := ls.job
	rate, _ := ls.session.rate(j.function)
	return Grant{Session: ls.session.ref, Lease: polymath.Lease{
		Token: l.token(ls.ref), Job: l.jobID(j.ref), Function: l.functions[j.function].name, Input: j.input,
		Interval: ls.interval, Attempt: ls.attempt, Micros: mulDiv(j.cost(ls.interval), rateOne, rate),
		LongestRun: j.longestRun, Speculative: ls.twin != nil,
	}}
}

// speculate gives idle sessions a second token over the intervals of the slow
// leases that the timekeeper pointed at. A lease is pointed at for one second
// token: should that one fail, it is for the timekeeper to point again.
func (l *Ledger) speculate(fx *Effects) {
	for i := 0; i < len(l.suspects) && l.leases.Len() < maxLeases; {
		slow := l.suspects[i]
		j := slow.job
		s := l.functions[j.function].idle.first(slow.session)
		if s == nil || !j.queue.mayLease() {
			i++
			continue
		}
		l.edit(j)
		l.unsuspect(slow)
		ls := &lease{job: j, interval: slow.interval, attempt: slow.attempt, cause: slow.cause, again: slow.again, twin: slow}
		slow.twin = ls
		l.grant(ls, s, fx)
	}
}
