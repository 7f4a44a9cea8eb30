package ledger

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/polymath-run/polymath"
)

// ImageParts is how many parts an image has: a head, and one part for each
// bucket of jobs.
const ImageParts = 1 + bucketCount

// Most of what an image may hold, so that a damaged length is seen as one.
const (
	maxBucketJobs = 1 << 24
	maxImageLoose = 1 << 24
)

// Image is the state of a ledger at one index, being copied part by part
// while the ledger goes on. The goroutine that owns the ledger also calls
// Next. Two images of equal states are equal bytes.
type Image struct {
	ledger *Ledger
	index  polymath.Index
	head   []byte
	kept   [bucketCount][]byte // copied, not yet handed out
	next   int                 // part to hand out
}

// BeginImage begins an image of the state as it is now. One at a time: an
// image begun earlier must have been finished or ended.
func (l *Ledger) BeginImage() *Image {
	m := &Image{ledger: l, index: l.index}
	c := coder{b: []byte{Version}}
	l.codeHead(&c)
	m.head = c.b
	l.image = m
	return m
}

// Index is the index the image is of.
func (m *Image) Index() polymath.Index { return m.index }

// Next hands out the parts in order, ImageParts of them, then nil.
func (m *Image) Next() []byte {
	switch m.next {
	case 0:
		m.next++
		return m.head
	case ImageParts:
		m.End()
		return nil
	}
	n := m.next - 1
	m.ledger.keep(n)
	part := m.kept[n]
	m.kept[n] = nil
	m.next++
	return part
}

// End gives up an image that was not finished; after it nothing more is
// copied. It may be called twice.
func (m *Image) End() {
	if m.ledger.image == m {
		m.ledger.image = nil
	}
}

// keep copies a bucket for the image being taken, if it still needs it.
func (l *Ledger) keep(n int) {
	m := l.image
	if m == nil || n+1 < m.next || m.kept[n] != nil {
		return
	}
	c := coder{}
	l.codeBucket(&c, &l.buckets[n])
	m.kept[n] = c.b
}

// Hash is the SHA-256 of the ledger's image: replicas that read the same
// entries have the same. It must not be called while an image is taken.
func (l *Ledger) Hash() [sha256.Size]byte {
	h := sha256.New()
	m := l.BeginImage()
	for part := m.Next(); part != nil; part = m.Next() {
		var size [8]byte
		binary.LittleEndian.PutUint64(size[:], uint64(len(part)))
		h.Write(size[:])
		h.Write(part)
	}
	return [sha256.Size]byte(h.Sum(nil))
}

// Restore makes the ledger an image was taken of. next hands out its parts in
// order. The error is a *VersionError for an image of a newer Polymath, and
// otherwise says that the parts are no image.
func Restore(next func() ([]byte, error)) (*Ledger, error) {
	l := New(0)
	head, err := next()
	if err != nil {
		return nil, err
	}
	if len(head) == 0 {
		return nil, errMalformed
	}
	if head[0] != Version {
		return nil, &VersionError{What: "image", Got: head[0]}
	}
	c := coder{b: head[1:], reading: true}
	late := l.codeHead(&c)
	if err := c.done(); err != nil {
		return nil, fmt.Errorf("image head: %w", err)
	}
	passes := make([]uint64, len(l.queues))
	for i, q := range l.queues {
		passes[i] = q.pass
	}
	for n := range bucketCount {
		part, err := next()
		if err != nil {
			return nil, err
		}
		c := coder{b: part, reading: true}
		l.codeBucket(&c, &l.buckets[n])
		if err := c.done(); err != nil {
			return nil, fmt.Errorf("image part %d: %w", n+1, err)
		}
	}
	for i, q := range l.queues { // jobs that came back may have moved it
		q.pass = passes[i]
	}
	return l, l.relink(late)
}

// lateRefs are refs in the head that can be followed once everything is read.
type lateRefs struct{ idle, suspects []polymath.Ref }

func (l *Ledger) codeHead(c *coder) lateRefs {
	var late lateRefs
	for _, s := range l.idle {
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
	list(c, &l.functions, maxFunctions, func(s *string) { c.text(s, polymath.MaxNameBytes) })
	list(c, &l.queues, maxQueues, func(q **queue) { codeQueue(c, q) })
	list(c, &l.sessions, MaxSessions, func(s **session) { codeSession(c, s) })
	list(c, &late.idle, MaxSessions, c.ref)
	list(c, &late.suspects, maxImageLoose, c.ref)
	l.keys.code(c)
	if c.reading {
		for i, q := range l.queues {
			q.number = uint16(i)
		}
	}
	return late
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

func (l *Ledger) codeBucket(c *coder, b *bucket) {
	n := c.length(len(b.jobs), maxBucketJobs)
	if !c.reading {
		for _, j := range b.jobs {
			l.codeJob(c, j)
		}
		return
	}
	for range n {
		j := &job{place: -1}
		l.codeJob(c, j)
		if c.err != nil {
			return
		}
		l.admit(j)
	}
}

func (l *Ledger) codeJob(c *coder, j *job) {
	c.ref(&j.ref)
	var number uint16
	if !c.reading {
		number = j.queue.number
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
		list(c, &none, maxImageLoose, c.interval)
	} else {
		list(c, &r.returned, maxImageLoose, c.interval)
	}
	list(c, &r.failed, maxFailed+2, func(f *failed) {
		c.interval(&f.interval)
		small(c, &f.attempts)
		c.text(&f.cause, polymath.MaxErrorBytes)
		c.int(&f.due)
		c.int(&f.wait)
		if c.reading {
			l.rewind(j, f)
		}
	})
	list(c, &r.leases, maxImageLoose, func(p **lease) { l.codeLease(c, j, p) })
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
	c.bool(&ls.suspect)
	c.ref(&twin)
	if !c.reading {
		return
	}
	if ls.session = l.session(session); ls.session == nil {
		c.fail()
		return
	}
	if other := l.leases[twin]; other != nil { // the older of two is read first
		ls.twin, other.twin = other, ls
	}
	l.leases[ls.ref] = ls
	ls.session.leases = append(ls.session.leases, ls)
	j.queue.leased++
}

// relink follows the refs that pointed ahead, and puts the leases of sessions
// in the order of their tokens.
func (l *Ledger) relink(late lateRefs) error {
	for _, s := range l.sessions {
		slices.SortFunc(s.leases, func(a, b *lease) int { return a.ref.Compare(b.ref) })
	}
	for _, r := range late.idle {
		s := l.session(r)
		if s == nil || s.idle {
			return errMalformed
		}
		s.idle = true
		l.idle = append(l.idle, s)
	}
	for _, r := range late.suspects {
		ls := l.leases[r]
		if ls == nil {
			return errMalformed
		}
		l.suspects = append(l.suspects, ls)
	}
	return nil
}
