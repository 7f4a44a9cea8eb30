package ledger

import (
	"cmp"
	"slices"

	"github.com/polymath-run/polymath"
)

// Most of what an image may hold, so that a damaged length is seen as one.
const (
	maxBucketJobs = 1 << 24
	maxImageItems = 1 << 24
)

// lateRefs are refs in the head that can be followed once everything is read.
type lateRefs struct{ idle, suspects []polymath.Ref }

func (l *Ledger) codeHead(c *coder) lateRefs {
	var late lateRefs
	for _, s := range l.idle() {
		late.idle = append(late.idle, s.ref)
	}
	for _, ls := range l.suspects {
		late.suspects = append(late.suspects, ls.ref)
	}
	small(c, &l.shard)
	small(c, &l.version)
	c.index(&l.index)
	c.int(&l.now)
	c.ref(&l.term)
	c.uint(&l.maxJobs)
	c.uint(&l.maxBytes)
	c.uint(&l.virtual)
	list(c, &l.functions, maxFunctions, func(f **function) { codeFunction(c, f) })
	list(c, &l.queues, maxQueues, func(q **queue) { codeQueue(c, q) })
	list(c, &l.sessions, MaxSessions, func(s **session) { codeSession(c, s) })
	list(c, &late.idle, MaxSessions, c.ref)
	list(c, &late.suspects, maxImageItems, c.ref)
	l.keys.code(c)
	if c.reading {
		for i, f := range l.functions {
			l.names[f.name] = uint16(i)
		}
		for i, q := range l.queues {
			q.number = i
			l.queueNames[q.queueName] = q
		}
	}
	return late
}

// idle lists the idle sessions, longest waiting first.
func (l *Ledger) idle() []*session {
	var all []*session
	for _, s := range l.sessions {
		if s.since != 0 {
			all = append(all, s)
		}
	}
	slices.SortFunc(all, func(a, b *session) int { return cmp.Compare(a.since, b.since) })
	return all
}

func codeFunction(c *coder, p **function) {
	if c.reading {
		*p = new(function)
	}
	c.text(&(*p).name, polymath.MaxNameBytes)
}

func codeQueue(c *coder, p **queue) {
	if c.reading {
		*p = new(queue)
	}
	q := *p
	c.text(&q.tenant, polymath.MaxNameBytes)
	c.text(&q.name, polymath.MaxNameBytes)
	small(c, &q.weight)
	small(c, &q.concurrency)
	c.bool(&q.paused)
	c.uint(&q.pass)
	c.uint(&q.letters)
	if q.weight == 0 {
		c.fail()
	}
}

func codeSession(c *coder, p **session) {
	if c.reading {
		*p = new(session)
	}
	s := *p
	c.ref(&s.ref)
	c.fixed(s.nonce[:])
	c.text(&s.node, polymath.MaxNameBytes)
	c.text(&s.name, polymath.MaxNameBytes)
	c.bool(&s.local)
	c.uint(&s.last)
	list(c, &s.functions, maxFunctions, func(f *uint16) { small(c, f) })
	small(c, &s.slots)
	c.uint(&s.micros)
	list(c, &s.rates, maxFunctions, func(r *rate) {
		small(c, &r.function)
		c.uint(&r.value)
	})
}

func (l *Ledger) codeBucket(c *coder, b *bucket[*job]) {
	n := c.length(len(b.all), maxBucketJobs)
	if !c.reading {
		for _, j := range b.all {
			l.codeJob(c, j)
		}
		return
	}
	for range n {
		j := &job{place: nowhere}
		l.codeJob(c, j)
		if c.err != nil {
			return
		}
		l.admit(j)
	}
}

func (l *Ledger) codeJob(c *coder, j *job) {
	c.ref(&j.ref)
	var number uint32
	if !c.reading {
		number = uint32(j.queue.number)
	}
	small(c, &number)
	small(c, &j.function)
	if int(number) >= len(l.queues) || int(j.function) >= len(l.functions) {
		c.fail()
		return
	}
	j.queue = l.queues[number]
	c.bytes(&j.input, polymath.MaxInlineBytes)
	if c.reading {
		j.input = slices.Clone(j.input)
	}
	codeCosts(c, &j.costs)
	c.uint(&j.units)
	c.int(&j.submitted)
	small(c, &j.longestRun)
	small(c, &j.reducer)
	priority := int64(j.priority)
	c.int(&priority)
	j.priority = int8(priority)
	small(c, &j.attempts)
	c.bool(&j.skipDead)
	rare := j.extra != nil
	if c.bool(&rare); rare {
		codeExtra(c, &j.extra)
		c.bool(&j.delayed)
	}
	started := j.run != nil
	if c.bool(&started); started {
		l.codeRun(c, j)
	}
}

func codeExtra(c *coder, p **extra) {
	if c.reading {
		*p = new(extra)
	}
	x := *p
	c.int(&x.notBefore)
	c.int(&x.deadline)
	c.fixed(x.key[:])
	c.fixed(x.body[:])
}

func (l *Ledger) codeRun(c *coder, j *job) {
	if c.reading {
		j.run = new(run)
	}
	r := j.run
	c.int(&r.started)
	c.uint(&r.cursor)
	c.uint(&r.leased)
	c.uint(&r.done)
	c.uint(&r.dead)
	if !c.reading && l.fault == ForgetOnImage {
		var none []polymath.Interval
		list(c, &none, maxImageItems, c.interval)
	} else {
		list(c, &r.returned, maxImageItems, c.interval)
	}
	for _, iv := range r.returned {
		if c.reading {
			r.returnedCost += j.cost(iv)
		}
	}
	list(c, &r.failed, maxFailed, func(f *failed) {
		c.interval(&f.interval)
		small(c, &f.attempts)
		c.text(&f.cause, polymath.MaxErrorBytes)
		c.int(&f.due)
		c.int(&f.wait)
		if c.reading {
			l.rewind(j, f)
		}
	})
	list(c, &r.leases, maxImageItems, func(p **lease) { l.codeLease(c, j, p) })
	r.sum.code(c)
}

// rewind sets the timer of a failed interval that was restored.
func (l *Ledger) rewind(j *job, f *failed) {
	switch {
	case f.due == dueLoose:
		l.loose = append(l.loose, looseTimer{j.ref, f.interval.From})
	case f.due > dueNow:
		l.timers.add(timer{due: f.due, kind: timerRetry, job: j.ref, from: f.interval.From})
	}
}

func (l *Ledger) codeLease(c *coder, j *job, p **lease) {
	var session, twin polymath.Ref
	if c.reading {
		*p = &lease{job: j}
	} else {
		session = (*p).session.ref
		if (*p).twin != nil {
			twin = (*p).twin.ref
		}
	}
	ls := *p
	c.ref(&ls.ref)
	c.ref(&session)
	c.interval(&ls.interval)
	small(c, &ls.attempt)
	c.text(&ls.cause, polymath.MaxErrorBytes)
	c.bool(&ls.again)
	c.bool(&ls.suspect)
	c.ref(&twin)
	if !c.reading {
		return
	}
	if ls.session = l.session(session); ls.session == nil {
		c.fail()
		return
	}
	if other := l.leases.Get(twin); other != nil { // the older of two is read first
		ls.twin, other.twin = other, ls
	} else if ls.again {
		j.run.again++
	}
	l.leases.Put(ls)
	ls.session.leases = append(ls.session.leases, ls)
	j.queue.leased++
}
