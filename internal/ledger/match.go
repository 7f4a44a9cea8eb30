package ledger

import (
	"github.com/polymath-run/polymath"
)

// How pieces are cut, in microseconds.
const (
	defaultLeaseMicros = 1_000_000 // when a demand names no length
	probeMicros        = 50_000    // the first lease of a session and function
	leastLeaseMicros   = 2_000     // pieces near the end shrink no further
)

// match grants leases while there is an idle session and a job it can serve.
// Sessions take turns, one lease each, the one that waited longest first, so
// that the pieces of one job spread over the workers.
func (l *Ledger) match(fx *Effects) {
	misses := 0
	for misses < len(l.idle) && (l.ready > 0 || len(l.suspects) > 0) {
		s := l.idle[0]
		if l.serve(s, fx) {
			misses = 0
		} else {
			misses++
		}
		if s.idle {
			l.idle = append(l.idle[1:], s)
		}
	}
}

// serve grants one lease to a session, of the queue that is due.
func (l *Ledger) serve(s *session, fx *Effects) bool {
	var due *queue
	var pick *job
	for _, q := range l.queues {
		if !q.open() || (due != nil && q.pass >= due.pass) {
			continue
		}
		if j := q.best(s.functions); j != nil {
			due, pick = q, j
		}
	}
	if pick != nil {
		l.carve(pick, s, fx)
		return true
	}
	return l.speculate(s, fx)
}

// carve cuts the next piece off a job and leases it out: a failed interval
// whose wait is over, else what was given back, else units nobody had.
func (l *Ledger) carve(j *job, s *session, fx *Effects) {
	l.start(j, fx)
	l.edit(j)
	r := j.run
	ls := &lease{job: j, attempt: 1}
	if i := r.dueFailed(); i >= 0 {
		ls.interval, ls.attempt, ls.cause = r.failed[i].interval, r.failed[i].attempts+1, r.failed[i].cause
		r.dropFailed(i)
	} else if len(r.returned) > 0 {
		var rest polymath.Interval
		ls.interval, rest = r.returned[0].Split(l.pieceOf(j, s, r.returned[0].From))
		if r.returned[0] = rest; rest.Empty() {
			r.returned = r.returned[1:]
		}
	} else {
		n := l.pieceOf(j, s, r.cursor)
		ls.interval, _ = polymath.Interval{From: r.cursor, To: j.units}.Split(n)
		r.cursor = ls.interval.To
		if l.fault == DoubleGrant {
			r.putBack(ls.interval)
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
	share := j.remaining() / (2 * uint64(l.slots(j.function)))
	want = min(want, max(share, leastLeaseMicros))
	before := costAt(j.costs, from)
	to := unitAt(j.costs, before+min(want, ^before), j.units)
	if to <= from {
		return 1
	}
	return to - from
}

// slots is how many leases of a function all sessions together may hold.
func (l *Ledger) slots(function uint16) uint32 {
	var n uint32
	for _, s := range l.sessions {
		if s.slots > 0 && contains(s.functions, function) {
			n += s.slots
		}
	}
	return max(n, 1)
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
	l.leases[ls.ref] = ls
	l.charge(j.queue, j.cost(ls.interval))
	l.park(s)
	fx.Grants = append(fx.Grants, l.grantOf(ls))
}

// grantOf is a lease as its session gets to see it.
func (l *Ledger) grantOf(ls *lease) Grant {
	j := ls.job
	rate, _ := ls.session.rate(j.function)
	return Grant{Session: ls.session.ref, Lease: polymath.Lease{
		Token: l.token(ls.ref), Job: l.jobID(j.ref), Function: l.functions[j.function], Input: j.input,
		Interval: ls.interval, Attempt: ls.attempt, Micros: mulDiv(j.cost(ls.interval), rateOne, rate),
		LongestRun: j.longestRun, Speculative: ls.twin != nil,
	}}
}

// speculate gives an idle session a second token over the interval of the
// slowest lease that the timekeeper pointed at.
func (l *Ledger) speculate(s *session, fx *Effects) bool {
	for _, slow := range l.suspects {
		q := slow.job.queue
		if slow.twin != nil || slow.session == s || !contains(s.functions, slow.job.function) ||
			q.paused || (q.concurrency > 0 && q.leased >= q.concurrency) {
			continue
		}
		l.edit(slow.job)
		ls := &lease{job: slow.job, interval: slow.interval, attempt: slow.attempt, cause: slow.cause, twin: slow}
		slow.twin = ls
		l.grant(ls, s, fx)
		return true
	}
	return false
}
