package ledger

import (
	"github.com/polymath-run/polymath"
)

// How long an idempotency key is remembered after its job ended.
const (
	keyMillis   = 3_600_000 // at least; up to keyGrain longer
	keyGrain    = 60_000    // keys of the same minute expire together
	maxPastKeys = 1 << 20
)

// keyring remembers idempotency keys: those of unfinished jobs (which the
// jobs hold in an image) and, for a while, those of finished ones.
type keyring struct {
	live  map[[16]byte]*job
	past  map[[16]byte]uint64 // to the number in line
	line  []pastKey           // oldest first; what is in it never changes
	first uint64              // number of the first of line
	marks []mark              // which of line expire when, soonest first
}

type pastKey struct {
	key, body [16]byte
	job       polymath.Ref
}

// mark says when the keys with numbers below upto expire. A key gets one by
// the first Tick after its job ended.
type mark struct {
	upto uint64
	due  int64 // Unix milliseconds
}

func newKeyring() keyring {
	return keyring{live: make(map[[16]byte]*job), past: make(map[[16]byte]uint64)}
}

// answer is what a submission with a key that is known gets.
func (k *keyring) answer(l *Ledger, key, body [16]byte) (Answer, bool) {
	var job polymath.Ref
	var was [16]byte
	if j := k.live[key]; j != nil {
		job, was = j.ref, j.extra.body
	} else if n, ok := k.past[key]; ok {
		p := &k.line[n-k.first]
		job, was = p.job, p.body
	} else {
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
	if j := l.keys.live[key]; j != nil {
		return l.jobID(j.ref), true
	}
	if n, ok := l.keys.past[key]; ok {
		return l.jobID(l.keys.line[n-l.keys.first].job), true
	}
	return polymath.JobID{}, false
}

// retire moves the key of a job that ended from the live ones to the past.
func (k *keyring) retire(j *job) {
	delete(k.live, j.extra.key)
	k.add(pastKey{key: j.extra.key, body: j.extra.body, job: j.ref})
	if len(k.line) > maxPastKeys {
		k.dropOldest()
	}
}

func (k *keyring) add(p pastKey) {
	k.past[p.key] = k.end()
	k.line = append(k.line, p)
}

// end is the number of the next past key.
func (k *keyring) end() uint64 { return k.first + uint64(len(k.line)) }

func (k *keyring) dropOldest() {
	if key := k.line[0].key; k.past[key] == k.first {
		delete(k.past, key)
	}
	k.line = k.line[1:]
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
// come with their jobs, the past ones with codeKeys.
func (k *keyring) code(c *coder) {
	c.uint(&k.first)
	list(c, &k.marks, maxPastKeys, func(m *mark) {
		c.uint(&m.upto)
		c.int(&m.due)
	})
}

func codeKeys(c *coder, keys *[]pastKey) {
	list(c, keys, maxPastKeys, func(p *pastKey) {
		c.fixed(p.key[:])
		c.fixed(p.body[:])
		c.ref(&p.job)
	})
}
