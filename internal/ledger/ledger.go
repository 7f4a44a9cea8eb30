// Package ledger is the state machine at the heart of the platform: it reads
// the entries of a journal and knows from them every job, lease and result of
// one shard.
//
//	entry ──> Apply ──> sessions ─ is it this session's next number?
//	                      │
//	                      ▼ each command, in order
//	          submit   cancel   complete   fail   expire   tick …
//	                      │
//	                      ▼ then, once
//	                    match: idle worker sessions × ready jobs ──> leases
//	                      │
//	                      ▼
//	                   Effects: answers, grants, finished jobs, events
//
// Apply is a pure function of the state and the entry. There is no clock, no
// I/O, no randomness, no floating point, no goroutine and no walk over a map
// in this package, so that every replica that reads the same entries stands
// at the same state, to the byte. DESIGN.md has the laws.
package ledger

import (
	"github.com/polymath-run/polymath"
)

// Bounds of one shard.
const (
	MaxSessions     = 10_000
	DefaultMaxJobs  = 1_000_000
	DefaultMaxBytes = 1 << 30 // inputs, cost tables and growing answers of unfinished jobs
	maxQueues       = 10_000  // in use
	// MaxLetters is how many dead letters a queue may have and still take new
	// jobs. Jobs that it took before may add more.
	MaxLetters = 100_000
)

// Ledger is the state of one shard. One goroutine owns it.
type Ledger struct {
	shard   uint8
	fault   Fault // always NoFault but in the simulator
	version uint8

	index   polymath.Index // of the entry applied last
	ordinal uint32         // things made by the entry being applied
	at      int64          // Entry.At of the entry being applied
	now     int64          // wall time by the last Tick, Unix milliseconds
	term    polymath.Ref   // of the timekeeper

	maxJobs, maxBytes uint64
	maxLetters        uint64 // MaxLetters but in tests

	sessions  []*session  // by ref
	parked    uint64      // counts the sessions that became idle
	functions []*function // by number
	queues    []*queue    // by number
	virtual   uint64      // pass of the queue served last

	names      map[string]uint16 // of functions; maps are looked up, never walked
	queueNames map[queueName]*queue
	latest     *queue // the one named last, or nil

	buckets [bucketCount]bucket[*job]
	jobs    uint64  // unfinished
	bytes   uint64  // of their inputs, cost tables and answers so far
	ended   []Ended // leases dropped by the entry being applied

	leases   Table[*lease]
	suspects []*lease // slow ones, in the order they were marked

	keys   keyring
	timers timerHeap
	loose  []looseTimer // delays whose beginning no Tick has told yet
	waste  int          // of timers and loose, about how many have no job any more

	image     *Image // being taken, or nil
	partBytes int    // a little more than the parts of the last one had on average

	pool  pool
	entry Entry // being applied; empty in between
}

// New makes the empty ledger of a shard.
func New(shard uint8) *Ledger {
	return &Ledger{
		shard:    shard,
		version:  Version,
		maxJobs:  DefaultMaxJobs,
		maxBytes: DefaultMaxBytes,
		keys:     newKeyring(),

		maxLetters: MaxLetters,

		names:      make(map[string]uint16),
		queueNames: make(map[queueName]*queue),
	}
}

// Index is where the ledger stands: the index of the entry applied last.
func (l *Ledger) Index() polymath.Index { return l.index }

// Now is the wall time the ledger knows of, in Unix milliseconds.
func (l *Ledger) Now() int64 { return l.now }

// Apply posts the entry at an index, which must be the next of its journal,
// and fills fx with what it gave out. The only error is a *VersionError: the
// ledger is unchanged and this binary must not go on.
func (l *Ledger) Apply(at polymath.Index, data []byte, fx *Effects) error {
	fx.reset(at)
	e := &l.entry
	defer l.pool.reuse(e)
	if err := e.decode(data, &l.pool); err != nil {
		if _, newer := err.(*VersionError); newer { //nolint:errorlint // Decode returns it bare
			return err
		}
		fx.Skip = SkipMalformed
		l.index = at
		return nil
	}
	l.index, l.ordinal, l.at = at, 0, e.At
	fx.Session, fx.Number, fx.At = e.Session, e.Number, e.At
	if fx.Skip = l.enter(e); fx.Skip != Applied {
		return nil
	}
	for _, cmd := range e.Commands {
		fx.Answers = append(fx.Answers, cmd.apply(l, fx))
	}
	l.match(fx)
	fx.Ended = append(fx.Ended, l.ended...)
	l.ended = l.ended[:0]
	return nil
}

// enter decides whether an entry counts, and remembers its number.
func (l *Ledger) enter(e *Entry) Skip {
	if e.Session.IsZero() {
		for _, cmd := range e.Commands {
			if cmd.kind() != kindOpen {
				return SkipSession
			}
		}
		return Applied
	}
	s := l.session(e.Session)
	switch {
	case s == nil:
		return SkipSession
	case e.Number != s.last+1 && l.fault != AcceptAnyNumber:
		return SkipNumber
	}
	s.last = e.Number
	return Applied
}

// newRef names the next thing the entry makes.
func (l *Ledger) newRef() polymath.Ref {
	r := polymath.Ref{Index: l.index, Ordinal: l.ordinal}
	l.ordinal++
	return r
}

func (l *Ledger) jobID(r polymath.Ref) polymath.JobID {
	return polymath.JobID{Shard: l.shard, Ref: r}
}

func (l *Ledger) token(r polymath.Ref) polymath.Token {
	return polymath.Token{Shard: l.shard, Ref: r}
}

func (a *Activate) apply(l *Ledger, _ *Effects) Answer {
	if a.Version > Version || a.Version < l.version {
		return refused(polymath.InvalidArgument, "cannot activate version %d: this server is at %d and knows up to %d",
			a.Version, l.version, Version)
	}
	l.version = a.Version
	return Answer{}
}

func (k *Configure) apply(l *Ledger, _ *Effects) Answer {
	if k.Queue == "" {
		l.maxJobs, l.maxBytes = k.MaxJobs, k.MaxBytes
		if l.maxJobs == 0 {
			l.maxJobs = DefaultMaxJobs
		}
		if l.maxBytes == 0 {
			l.maxBytes = DefaultMaxBytes
		}
		return Answer{}
	}
	q, err := l.queue(k.Tenant, k.Queue)
	if err != nil {
		return Answer{Err: err}
	}
	q.weight, q.concurrency, q.paused = max(k.Weight, 1), k.Concurrency, k.Paused
	l.relist(q)
	return Answer{}
}

// Shard is the number of the shard.
func (l *Ledger) Shard() uint8 { return l.shard }
