package ledger

import (
	"slices"

	"github.com/polymath-run/polymath"
)

// How long an idempotency key is remembered after its job ended.
const (
	keyMillis   = 3_600_000 // at least; up to keyGrain longer
	keyGrain    = 60_000    // keys of the same minute expire together
	maxPastKeys = 1 << 20
)

// keyring remembers idempotency keys: those of unfinished jobs (which the
// jobs hold in an image) and, for a while, those of finished ones. One map has
// them all, because nearly every job looks for a key that is not there: it has
// no pointers, so that a million keys are nothing to the garbage collector.
type keyring struct {
	known map[[16]byte]keySlot
	slots []keyPlace // of the keys known, and those of free
	free  []keySlot
	line  keyLine // of finished jobs, oldest first
	first uint64  // number of the first of line
	marks []mark  // which of line expire when, soonest first
}

// keySlot is where the place of a key is noted for as long as it is known: so
// that the job of a key can end without looking for it among a million.
type keySlot uint32

// keyPlace is where to look for a key's job: a number in line, or liveKey and
// the bucket of a job that is unfinished.
type keyPlace uint64

const liveKey keyPlace = 1 << 63

func livePlace(job polymath.Ref) keyPlace { return liveKey | keyPlace(bucketOf(job)) }

type pastKey struct {
	key, body [16]byte
	job       polymath.Ref
}

// keyChunk is how many past keys are allocated, and forgotten, together.
const keyChunk = 4096

// keyLine is a line of past keys in chunks, so that filling it copies nothing.
// A key in it never changes.
type keyLine struct {
	chunks []*[keyChunk]pastKey
	head   int // place of the first in the first chunk
	count  int
}

func (q *keyLine) at(i int) *pastKey {
	i += q.head
	return &q.chunks[i/keyChunk][i%keyChunk]
}

func (q *keyLine) push(p pastKey) {
	if q.head+q.count == len(q.chunks)*keyChunk {
		q.chunks = append(q.chunks, new([keyChunk]pastKey))
	}
	q.count++
	*q.at(q.count - 1) = p
}

func (q *keyLine) pop() {
	q.count--
	if q.head++; q.head == keyChunk {
		q.chunks[0] = nil
		q.chunks, q.head = q.chunks[1:], 0
	}
}

// view is the line as it is now, for good.
func (q *keyLine) view() keyLine { return keyLine{slices.Clone(q.chunks), q.head, q.count} }

// share is where the n-th part of the line in bucketCount parts begins and ends.
func (q *keyLine) share(n int) (from, to int) {
	return q.count * n / bucketCount, q.count * (n + 1) / bucketCount
}

// mark says when the keys with numbers below upto expire. A key gets one by
// the first Tick after its job ended.
type mark struct {
	upto uint64
	due  int64 // Unix milliseconds
}

func newKeyring() keyring {
	return keyring{known: make(map[[16]byte]keySlot)}
}

// find looks for the job that a key led to, and what was asked for with it.
func (k *keyring) find(l *Ledger, key [16]byte) (job polymath.Ref, body [16]byte, found bool) {
	slot, found := k.known[key]
	if !found {
		return job, body, false
	}
	at := k.slots[slot]
	if at < liveKey {
		p := k.line.at(int(uint64(at) - k.first))
		return p.job, p.body, true
	}
	for _, j := range l.buckets[at-liveKey].all { // rarely: somebody asks again
		if x := j.extra; x != nil && x.key == key {
			return j.ref, x.body, true
		}
	}
	return job, body, false
}

// leads reports whether a key is known by a place.
func (k *keyring) leads(key [16]byte, at keyPlace) bool {
	slot, known := k.known[key]
	return known && k.slots[slot] == at
}

// answer is what a submission with a key that is known gets.
func (k *keyring) answer(l *Ledger, key, body [16]byte) (Answer, bool) {
	job, was, found := k.find(l, key)
	if !found {
		return Answer{}, false
	}
	if was != body {
		return refused(polymath.KeyReused, "this idempotency key was used for job %v with another request: use a new key", l.jobID(job)), true
	}
	return Answer{Ref: job, Existing: true}, true
}

// Keyed finds the job that a submission with an idempotency key led to, while
// the key is remembered.
func (l *Ledger) Keyed(key [16]byte) (polymath.JobID, bool) {
	job, _, found := l.keys.find(l, key)
	if !found {
		return polymath.JobID{}, false
	}
	return l.jobID(job), true
}

// retire moves the key of a job that ended from the live ones to the past.
func (k *keyring) retire(j *job) {
	k.slots[j.extra.slot] = keyPlace(k.end())
	k.line.push(pastKey{key: j.extra.key, body: j.extra.body, job: j.ref})
	if k.line.count > maxPastKeys {
		k.dropOldest()
	}
}

// add makes a past key known that a restored image has.
func (k *keyring) add(p pastKey) {
	k.enter(p.key, keyPlace(k.end()))
	k.line.push(p)
}

// enter makes a key known, which leads to a place.
func (k *keyring) enter(key [16]byte, at keyPlace) keySlot {
	slot := keySlot(len(k.slots))
	if last := len(k.free) - 1; last >= 0 {
		slot, k.free = k.free[last], k.free[:last]
		k.slots[slot] = at
	} else {
		k.slots = append(k.slots, at)
	}
	k.known[key] = slot
	return slot
}

// end is the number of the next past key.
func (k *keyring) end() uint64 { return k.first + uint64(k.line.count) }

func (k *keyring) dropOldest() {
	key := k.line.at(0).key
	if slot, known := k.known[key]; known && k.slots[slot] == keyPlace(k.first) {
		delete(k.known, key)
		k.free = append(k.free, slot)
	}
	k.line.pop()
	k.first++
	if len(k.marks) > 0 && k.marks[0].upto <= k.first {
		k.marks = k.marks[1:]
	}
}

// anchored is the number of the first key without a mark.
func (k *keyring) anchored() uint64 {
	if n := len(k.marks); n > 0 {
		return k.marks[n-1].upto
	}
	return k.first
}

// nextDue is when the keys want a Tick, 0 for never. A key without a mark can
// wait a while for its own.
func (k *keyring) nextDue(now int64) int64 {
	var due int64
	if len(k.marks) > 0 {
		due = k.marks[0].due
	}
	if k.anchored() < k.end() && (due == 0 || now+keyGrain < due) {
		due = now + keyGrain
	}
	return due
}

// anchor begins the hour of the keys without a mark.
func (k *keyring) anchor(now int64) {
	n := len(k.marks)
	switch {
	case k.anchored() == k.end():
	case n > 0 && now+keyMillis <= k.marks[n-1].due:
		k.marks[n-1].upto = k.end()
	default:
		k.marks = append(k.marks, mark{k.end(), now + keyMillis + keyGrain})
	}
}

// expire drops keys whose time has come, most of them at most.
func (k *keyring) expire(now int64, most int) {
	for ; most > 0 && len(k.marks) > 0 && k.marks[0].due <= now; most-- {
		k.dropOldest()
	}
}

// code codes what the head of an image says of the past keys. The live ones
// come with their jobs, the past ones with the parts of an image.
func (k *keyring) code(c *coder) {
	if c.uint(&k.first); k.first >= uint64(liveKey)-maxPastKeys {
		c.fail()
		k.first = 0
	}
	list(c, &k.marks, maxPastKeys, func(m *mark) {
		c.uint(&m.upto)
		c.int(&m.due)
	})
}

func (p *pastKey) code(c *coder) {
	c.fixed(p.key[:])
	c.fixed(p.body[:])
	c.ref(&p.job)
}
