package ledger

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/polymath-run/polymath"
)

// Check counts everything again and looks for a broken invariant: a unit in
// two hands or in none, a table that disagrees with another, a count that is
// off. It takes time in the size of the state, and is for restored images,
// the simulator and tests. DESIGN.md lists what it holds.
func (l *Ledger) Check() error {
	c := checker{l: l, queues: make([]queue, len(l.queues)), functions: make([]function, len(l.functions))}
	c.wait = make(map[timer]bool, len(l.timers))
	for _, t := range l.timers {
		c.wait[t] = true
	}
	for _, t := range l.loose {
		c.wait[timer{due: dueLoose, kind: timerRetry, job: t.job, from: t.from}] = true
	}
	c.sessions()
	for n := range l.buckets {
		c.bucket(n)
	}
	c.tables()
	c.demand()
	c.shares()
	c.past()
	return c.err
}

// checker is one walk: what it counted, and the first thing it found wrong.
type checker struct {
	l         *Ledger
	err       error
	queues    []queue    // recounted, by number
	functions []function // the same
	held, out int        // leases, as sessions and as jobs have them
	suspects  int
	keys      int
	jobs      uint64
	bytes     uint64
	wait      map[timer]bool // timers and loose ones
}

// want notes that a law is broken, unless it holds.
func (c *checker) want(holds bool, format string, args ...any) {
	if !holds && c.err == nil {
		c.err = fmt.Errorf("ledger: invariant broken: "+format, args...)
	}
}

func (c *checker) sessions() {
	var last polymath.Ref
	c.want(len(c.l.sessions) <= MaxSessions, "%d sessions", len(c.l.sessions))
	for _, s := range c.l.sessions {
		c.want(last.Compare(s.ref) < 0, "session %v is not after %v", s.ref, last)
		last = s.ref
		c.want(s.slots <= polymath.MaxSlots, "session %v has %d slots", s.ref, s.slots)
		c.want(slices.IsSorted(s.functions) && len(slices.Compact(slices.Clone(s.functions))) == len(s.functions),
			"session %v wants %v, which is not sorted", s.ref, s.functions)
		c.want((s.since != 0) == (len(s.leases) < int(s.slots)), "session %v with %d of %d leases: idle %v",
			s.ref, len(s.leases), s.slots, s.since != 0)
		for _, n := range s.functions {
			if int(n) >= len(c.functions) {
				c.want(false, "session %v wants function %d", s.ref, n)
				return
			}
			c.functions[n].wanted++
			c.functions[n].slots += uint64(s.slots)
			if s.since != 0 {
				c.functions[n].idle.idle++
			}
		}
		var token polymath.Ref
		for _, ls := range s.leases {
			c.want(token.Compare(ls.ref) < 0, "lease %v of session %v is not after %v", ls.ref, s.ref, token)
			token = ls.ref
			c.want(ls.session == s && c.l.leases.Get(ls.ref) == ls, "lease %v of session %v is not its own", ls.ref, s.ref)
		}
		c.held += len(s.leases)
	}
}

func (c *checker) bucket(n int) {
	var last polymath.Ref
	for _, j := range c.l.buckets[n].all {
		c.want(last.Compare(j.ref) < 0 && bucketOf(j.ref) == n, "job %v is in the wrong place", j.ref)
		last = j.ref
		c.job(j)
		if j.run != nil {
			c.run(j)
		}
	}
}

// job checks a job against the tables it is in.
func (c *checker) job(j *job) {
	c.jobs++
	c.bytes += j.size()
	q := &c.queues[j.queue.number]
	q.jobs++
	c.functions[j.function].jobs++
	// Of a million jobs, nothing is made ready to be printed.
	switch {
	case j.queue != c.l.queues[j.queue.number]:
		c.want(false, "job %v is in a queue that is gone", j.ref)
	case !validCosts(j.costs, j.units):
		c.want(false, "job %v has a bad cost table", j.ref)
	case j.ended || j.complete():
		c.want(false, "job %v has ended and is still here", j.ref)
	case j.leasable() != (j.place != nowhere):
		c.want(false, "job %v at place %d: leasable %v", j.ref, j.place, j.leasable())
	}
	if j.place != nowhere {
		if !j.queue.offer(j.function).jobs.has(j) {
			c.want(false, "job %v is not at its place", j.ref)
		}
		q.waiting++
	}
	c.options(j)
}

// options checks what a job may ask for beside its work.
func (c *checker) options(j *job) {
	x := j.extra
	switch {
	case x == nil && j.delayed:
		c.want(false, "job %v waits for nothing", j.ref)
	case x == nil:
		return
	case j.delayed && !c.wait[timer{due: x.notBefore, kind: timerStart, job: j.ref}]:
		c.want(false, "job %v will not wake", j.ref)
	case x.deadline != 0 && !c.wait[timer{due: x.deadline, kind: timerDeadline, job: j.ref}]:
		c.want(false, "job %v will miss its deadline", j.ref)
	}
	if x != nil && x.key != [16]byte{} {
		if c.keys++; !c.l.keys.leads(x.key, livePlace(j.ref)) {
			c.want(false, "the key of job %v is not known", j.ref)
		}
	}
}

// run checks that every unit of a started job is in one place: merged or
// dead, out, given back, failed, or not yet carved.
func (c *checker) run(j *job) {
	r := j.run
	here := append([]polymath.Interval(nil), r.returned...)
	var cost uint64
	for i, iv := range r.returned {
		c.want(i == 0 || r.returned[i-1].To < iv.From, "job %v: %v was given back beside %v", j.ref, iv, r.returned[max(i, 1)-1])
		cost += j.cost(iv)
	}
	c.want(cost == r.returnedCost, "job %v: what was given back costs %d, not %d", j.ref, cost, r.returnedCost)
	for _, f := range r.failed {
		here = append(here, f.interval)
		c.want(f.attempts < uint32(j.attempts), "job %v: %v was tried %d times", j.ref, f.interval, f.attempts)
		c.want(f.due == dueNow || c.wait[timer{due: f.due, kind: timerRetry, job: j.ref, from: f.interval.From}],
			"job %v: %v will not run again", j.ref, f.interval)
	}
	out, again := c.leased(j)
	here = append(here, out...)
	c.want(again == r.again && len(r.failed)+again <= maxFailed, "job %v: %d failed intervals are out, not %d", j.ref, again, r.again)
	var leased, sum uint64
	for _, iv := range out {
		leased += iv.Len()
	}
	c.want(leased == r.leased, "job %v: %d units are out, not %d", j.ref, leased, r.leased)
	merged := 0
	for _, p := range r.sum.pieces {
		here = append(here, p.interval)
		sum -= p.interval.Len() // counted again in done
		merged += len(p.data)
	}
	c.want(merged == r.sum.size, "job %v: the answer has %d bytes, not %d", j.ref, merged, r.sum.size)
	slices.SortFunc(here, func(a, b polymath.Interval) int { return cmp.Compare(a.From, b.From) })
	var end uint64
	for _, iv := range here {
		c.want(!iv.Empty() && iv.From >= end && iv.To <= r.cursor, "job %v: %v is in two hands", j.ref, iv)
		end = iv.To
		sum += iv.Len()
	}
	c.want(r.cursor <= j.units && sum+r.done+r.dead == r.cursor, "job %v: of %d units carved %d are accounted for",
		j.ref, r.cursor, sum+r.done+r.dead)
}

// leased lists the intervals of a job's leases, each once, and how many of them
// failed before.
func (c *checker) leased(j *job) (all []polymath.Interval, again int) {
	var last polymath.Ref
	for _, ls := range j.run.leases {
		c.want(last.Compare(ls.ref) < 0, "lease %v of job %v is not after %v", ls.ref, j.ref, last)
		last = ls.ref
		c.want(ls.job == j && c.l.leases.Get(ls.ref) == ls, "lease %v of job %v is not its own", ls.ref, j.ref)
		c.out++
		c.queues[j.queue.number].leased++
		if ls.suspect {
			c.suspects++
		}
		if t := ls.twin; t != nil {
			c.want(t.twin == ls && t != ls && t.job == j && t.interval == ls.interval && t.session != ls.session && t.again == ls.again,
				"lease %v has a wrong twin", ls.ref)
			if t.ref.Compare(ls.ref) < 0 {
				continue
			}
		}
		all = append(all, ls.interval)
		if ls.again {
			again++
		}
	}
	return all, again
}

// tables compares what was counted with what the ledger thinks.
func (c *checker) tables() {
	l := c.l
	c.want(c.held == l.leases.Len() && c.out == c.held && c.out <= maxLeases, "%d leases in sessions, %d in jobs, not %d", c.held, c.out, l.leases.Len())
	c.want(c.suspects == len(l.suspects), "%d suspects, not %d", c.suspects, len(l.suspects))
	for _, ls := range l.suspects {
		c.want(ls.suspect && ls.twin == nil && l.leases.Get(ls.ref) == ls, "suspect %v is none", ls.ref)
	}
	c.want(c.keys+l.keys.line.count == len(l.keys.known), "%d keys of jobs and %d past ones, not %d", c.keys, l.keys.line.count, len(l.keys.known))
	c.want(c.jobs == l.jobs, "%d jobs, not %d", c.jobs, l.jobs)
	c.want(c.bytes == l.bytes, "%d bytes, not %d", c.bytes, l.bytes)
	c.want(l.nextServed() == nil || l.leases.Len() == maxLeases, "an idle worker and a job for it were left apart")
}

// demand compares the functions, and who waits for them.
func (c *checker) demand() {
	l := c.l
	c.want(len(l.names) == len(l.functions) && len(l.functions) <= maxFunctions, "%d functions have %d names", len(l.functions), len(l.names))
	for n, f := range l.functions {
		got := &c.functions[n]
		c.want(int(l.names[f.name]) == n, "function %q is known by another number", f.name)
		c.want(got.jobs == f.jobs && got.wanted == f.wanted && got.slots == f.slots && got.idle.idle == f.idle.idle,
			"function %q: %d jobs, %d sessions, %d slots, %d idle; not %d, %d, %d, %d",
			f.name, got.jobs, got.wanted, got.slots, got.idle.idle, f.jobs, f.wanted, f.slots, f.idle.idle)
		current, since := 0, uint64(0)
		for _, p := range f.idle.spots {
			c.want(p.since > since, "function %q: its line is out of order", f.name)
			if since = p.since; p.current() {
				current++
			}
		}
		c.want(current == f.idle.idle, "function %q: %d sessions in line, not %d", f.name, current, f.idle.idle)
		for i, o := range f.open {
			c.want(o.place == i && (i == 0 || !f.open.Less(i, (i-1)/2)), "function %q: offer %d is not at its place", f.name, i)
		}
	}
}

// shares compares the queues, and what they offer.
func (c *checker) shares() {
	l := c.l
	c.want(len(l.queueNames) == len(l.queues) && len(l.queues) <= maxQueues, "%d queues have %d names", len(l.queues), len(l.queueNames))
	for n, q := range l.queues {
		got := &c.queues[n]
		c.want(q.number == n && l.queueNames[q.queueName] == q, "queue %q is known by another number", q.name)
		c.want(got.jobs == q.jobs && got.leased == q.leased && got.waiting == q.waiting, "queue %q: %d jobs, %d leased, %d waiting; not %d, %d, %d",
			q.name, got.jobs, got.leased, got.waiting, q.jobs, q.leased, q.waiting)
		c.want(q.concurrency == 0 || q.leased <= q.concurrency || !q.open(), "queue %q is open beyond its bound", q.name)
		for _, o := range q.offers {
			listed := o.place >= 0
			c.want(listed == (q.open() && o.jobs.len() > 0), "queue %q: an offer of %d jobs: listed %v", q.name, o.jobs.len(), listed)
			c.want(o.jobs.inOrder(), "queue %q: its jobs are out of order", q.name)
			h := l.functions[o.function].open
			c.want(!listed || (o.place < len(h) && h[o.place] == o), "queue %q: an offer is not at its place", q.name)
		}
	}
}

// past checks the keys of jobs that ended.
func (c *checker) past() {
	k := &c.l.keys
	c.want(k.line.count <= maxPastKeys, "%d past keys", k.line.count)
	c.want(len(k.known)+len(k.free) == len(k.slots), "%d keys and %d free slots of %d", len(k.known), len(k.free), len(k.slots))
	for i := range k.line.count {
		c.want(k.leads(k.line.at(i).key, keyPlace(k.first)+keyPlace(i)), "a past key is not at its place")
	}
	last := mark{upto: k.first}
	for _, m := range k.marks {
		c.want(last.upto < m.upto && last.due < m.due && m.upto <= k.end(), "the keys below %d expire out of order", m.upto)
		last = m
	}
}
