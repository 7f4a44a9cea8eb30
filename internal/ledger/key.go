package ledger

import (
	"github.com/polymath-run/polymath"
)

// How long an idempotency key is remembered after its job ended.
const (
	keyMillis   = 3_600_000 // one hour
	maxPastKeys = 1 << 20
)

// keyring remembers idempotency keys: those of unfinished jobs (which the
// jobs hold in an image) and, for a while, those of finished ones.
type keyring struct {
	live map[[16]byte]liveKey // looked up, never walked
	past map[[16]byte]liveKey // the same
	line []pastKey            // past, oldest first
	tied int                  // of line, how many know when they expire
}

type liveKey struct {
	job  polymath.Ref
	body [16]byte
}

type pastKey struct {
	key, body [16]byte
	job       polymath.Ref
	due       int64 // Unix milliseconds; 0 until a Tick tells the time
}

func newKeyring() keyring {
	return keyring{live: make(map[[16]byte]liveKey), past: make(map[[16]byte]liveKey)}
}

// answer is what a submission with a key that is known gets.
func (k *keyring) answer(l *Ledger, key, body [16]byte) (Answer, bool) {
	known, ok := k.live[key]
	if !ok {
		known, ok = k.past[key]
	}
	switch {
	case !ok:
		return Answer{}, false
	case known.body != body:
		return refused(polymath.KeyReused, "this idempotency key was used for job %v with another request: use a new key", l.jobID(known.job)), true
	default:
		return Answer{Ref: known.job, Existing: true}, true
	}
}

// retire moves the key of a job that ended from the live ones to the past.
func (k *keyring) retire(key [16]byte, job polymath.Ref, body [16]byte) {
	delete(k.live, key)
	k.past[key] = liveKey{job, body}
	k.line = append(k.line, pastKey{key: key, body: body, job: job})
	if len(k.line) > maxPastKeys {
		k.dropOldest()
	}
}

func (k *keyring) dropOldest() {
	oldest := &k.line[0]
	if k.past[oldest.key].job == oldest.job {
		delete(k.past, oldest.key)
	}
	k.line = k.line[1:]
	k.tied = max(k.tied-1, 0)
}

// loose is how many keys wait for a Tick to begin their last hour.
func (k *keyring) loose() int { return len(k.line) - k.tied }

// nextDue is when the oldest key expires, 0 for never.
func (k *keyring) nextDue() int64 {
	if k.tied == 0 {
		return 0
	}
	return k.line[0].due
}

func (k *keyring) anchor(now int64) {
	for i := k.tied; i < len(k.line); i++ {
		k.line[i].due = now + keyMillis
	}
	k.tied = len(k.line)
}

func (k *keyring) expire(now int64) {
	for k.tied > 0 && k.line[0].due <= now {
		k.dropOldest()
	}
}

// code codes the past keys; the live ones come back with their jobs.
func (k *keyring) code(c *coder) {
	list(c, &k.line, maxPastKeys, func(p *pastKey) {
		c.fixed(p.key[:])
		c.fixed(p.body[:])
		c.ref(&p.job)
		c.int(&p.due)
	})
	if !c.reading {
		return
	}
	for i := range k.line {
		p := &k.line[i]
		k.past[p.key] = liveKey{p.job, p.body}
		if p.due != 0 {
			k.tied = i + 1
		}
	}
}
