// Package node turns a ledger and a journal into something to use: propose a
// command and get its answer, read, wait, keep time.
//
//	Propose ──> draft ──> lane ── entry ──> journal.Append
//	   ▲                   │ a session of its own: one entry at a time,
//	   │                   │ numbered, appended again when nobody knows
//	 answer                ▼
//	   └──────────── Apply <── journal.Follow
//	                   │
//	      ┌────────────┼──────────────┬───────────────┐
//	      ▼            ▼              ▼               ▼
//	   archive     job waiters    worker seats    timekeeper
//	                             (grants, ends)  (TTLs, ticks) ──> Propose
//
// Core is all of the logic: a state machine without goroutines, locks or
// clocks of its own, so that the simulator runs the very code that serves.
// Node is the thin shell that drives one Core with goroutines and real time.
package node

import (
	"slices"
	"time"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/journal"
	"github.com/polymath-run/polymath/internal/ledger"
)

// Bounds of a node.
const (
	// MaxWaitingCalls bounds the commands that wait for a lane.
	MaxWaitingCalls = 65_536
	// maxEntryBytes leaves room in an entry for its head.
	maxEntryBytes = polymath.MaxEntryBytes - 4096
)

// Archive keeps what left the ledger. See package archive for the real one.
type Archive interface {
	// Room is asked for before the effects of an entry are made, which Put
	// then takes. An error that a full disk explains passes.
	Room() error
	// Put takes the effects of the entry at an index. It copies what it
	// keeps. An entry it has already is not put again.
	Put(at polymath.Index, fx *ledger.Effects) error
	// Job reads a finished job; NotFound and Gone as their codes say.
	Job(id polymath.JobID) (polymath.Job, error)
}

// Clock is how a Core knows time.
type Clock interface {
	// Now is a monotonic time since some fixed moment.
	Now() time.Duration
	// Wall is the time of day in Unix milliseconds. It may jump.
	Wall() int64
}

// Config is what a Core needs. All fields but Applied and Fault must be
// set.
type Config struct {
	Name    string // of the node: its sessions bear it
	Lanes   int    // entries under way at a time, at least 1
	Ledger  *ledger.Ledger
	Sum     journal.Checksum // of the entry the ledger stands at
	Clock   Clock
	Archive Archive
	// Nonce gives 16 bytes no other session was opened with.
	Nonce func() [16]byte
	// Append begins to append an entry; the outcome comes back through
	// Core.Appended with the same lane and flight. It must not block and
	// must not call the Core.
	Append func(lane int, flight uint64, entry []byte)
	// Deliver gives an event to the worker of a session. It must not block
	// and must not call the Core.
	Deliver func(session polymath.Ref, e SeatEvent)
	// Applied hears of the effects of each entry, replayed ones too, when the
	// archive has them and nobody has an answer yet; nil: nobody does. It must
	// not block, not call the Core and keep nothing of fx.
	Applied func(fx *ledger.Effects)
	Fault   Fault
}

// Core is the logic of a node. One goroutine at a time may use it. Functions
// it is given to call back are called in the middle of its methods: they must
// not block and must not call it.
type Core struct {
	cfg    Config
	ledger *ledger.Ledger
	sum    journal.Checksum
	fx     ledger.Effects

	drafts    []*draft // that wait for a lane; the last takes more
	waiting   int      // commands in drafts
	spare     []*draft // empty, to be used again
	lanes     []lane
	waits     map[polymath.JobID][]*waiter
	seats     map[polymath.Ref]bool
	keep      keeper
	ready     bool  // replay is over
	gathering bool  // lanes wait for the end of Gather
	full      error // why commands are refused for now, or nil
}

// NewCore makes the core of a node whose ledger was restored to some index.
// Apply then takes the entries after it; Ready says that this was all there
// was, and the node begins to work.
func NewCore(cfg Config) *Core {
	c := &Core{
		cfg: cfg, ledger: cfg.Ledger, sum: cfg.Sum,
		lanes: make([]lane, cfg.Lanes),
		waits: make(map[polymath.JobID][]*waiter),
		seats: make(map[polymath.Ref]bool),
	}
	c.keep = newKeeper(c)
	return c
}

// Index and Sum say where the ledger stands in the journal.
func (c *Core) Index() (polymath.Index, journal.Checksum) { return c.ledger.Index(), c.sum }

// Ready ends the replay: sessions that ended with the node's former life are
// closed, lanes open, and the node takes over as timekeeper.
func (c *Core) Ready() {
	c.ready = true
	for i := range c.lanes {
		c.open(i)
	}
	for _, s := range c.ledger.Sessions() {
		if s.Local && s.Node == c.cfg.Name {
			c.Propose(&ledger.Close{Session: s.Ref}, func(ledger.Answer) {})
		}
	}
	c.keep.start()
}

// Propose has a command applied and tells done its answer: once, after it was
// applied, or when it certainly will not be. The answer is never a guess. The
// command is copied: it is the caller's again when Propose returns.
func (c *Core) Propose(cmd ledger.Command, done func(ledger.Answer)) {
	if c.full != nil {
		done(ledger.Answer{Err: c.full})
		return
	}
	if c.waiting >= MaxWaitingCalls {
		done(ledger.Answer{Err: polymath.Errorf(polymath.Overloaded,
			"%d commands wait for the journal already: try again later", MaxWaitingCalls)})
		return
	}
	if err := c.draw(cmd, done); err != nil {
		done(ledger.Answer{Err: err})
		return
	}
	c.pump()
}

// Submit proposes a job, unless the shard is known to be full.
func (c *Core) Submit(s *ledger.Submit, done func(ledger.Answer)) {
	st := c.ledger.Stats()
	keyed := s.Spec.Options.Key != [16]byte{} // its job may exist already
	if size := uint64(len(s.Spec.Input)); !keyed && (st.Jobs >= st.MaxJobs || st.Bytes+size > st.MaxBytes) {
		done(ledger.Answer{Err: polymath.Errorf(polymath.Overloaded,
			"%d jobs with %d bytes of input are unfinished; this server takes %d jobs and %d bytes: try again later",
			st.Jobs, st.Bytes, st.MaxJobs, st.MaxBytes)})
		return
	}
	c.Propose(s, done)
}

// Full has commands refused from now on, because of an error; nil: no more. What
// was proposed before waits.
func (c *Core) Full(err error) { c.full = err }

// Apply posts the next record of the journal. An error means that this node
// must stop: the entry is of a newer version, or the archive cannot take what
// came of it; what the record says is not lost, and a restart comes back to it.
// After one that says that there is no room nothing was done, and the record may
// be posted again.
func (c *Core) Apply(r journal.Record) error {
	if err := c.cfg.Archive.Room(); err != nil {
		return err // before the ledger: it must not be ahead of the archive
	}
	if err := c.ledger.Apply(r.Index, r.Entry, &c.fx); err != nil {
		return err
	}
	c.sum = r.Sum
	if err := c.cfg.Archive.Put(r.Index, &c.fx); err != nil {
		return err
	}
	if c.cfg.Applied != nil {
		c.cfg.Applied(&c.fx)
	}
	c.land(r.Entry)
	c.keep.observe(&c.fx)
	c.deliver()
	for i := range c.fx.Finished {
		job := &c.fx.Finished[i]
		waiters, some := c.waits[job.ID]
		if !some {
			continue
		}
		delete(c.waits, job.ID) // first: those who are told may stop, which changes the list
		for _, w := range waiters {
			if w.tell != nil {
				w.tell(*job)
			}
		}
	}
	c.pump()
	return nil
}

// Effects are those of the record applied last, until the next Apply.
func (c *Core) Effects() *ledger.Effects { return &c.fx }

// Ledger is for reading only.
func (c *Core) Ledger() *ledger.Ledger { return c.ledger }

// Job reads a job as this node knows it.
func (c *Core) Job(id polymath.JobID) (polymath.Job, error) {
	if j, ok := c.ledger.Job(id); ok {
		return j, nil
	}
	return c.cfg.Archive.Job(id)
}

// waiter is somebody who wants to hear of a job's end; tell is nil when not
// any more.
type waiter struct{ tell func(polymath.Job) }

// Wait calls tell with the job once it is finished: at once if it is. stop
// ends the waiting; it may be called at any time, also twice.
func (c *Core) Wait(id polymath.JobID, tell func(polymath.Job)) (stop func(), err error) {
	job, err := c.Job(id)
	if err != nil {
		return nil, err
	}
	if job.State.Final() {
		tell(job)
		return func() {}, nil
	}
	w := &waiter{tell}
	c.waits[id] = append(c.waits[id], w)
	return func() {
		w.tell = nil
		left := slices.DeleteFunc(c.waits[id], func(o *waiter) bool { return o == w })
		if c.waits[id] = left; len(left) == 0 {
			delete(c.waits, id)
		}
	}, nil
}

// Quiet reports whether no command is on its way.
func (c *Core) Quiet() bool {
	for i := range c.lanes {
		if len(c.lanes[i].entry) > 0 {
			return false
		}
	}
	return c.waiting == 0
}

// Load is what a Core holds in memory beside its ledger.
type Load struct {
	Calls   int // commands that wait for a lane
	Waiters int // jobs whose end somebody waits for
	Seats   int // worker sessions that hear from this node
	Watches int // leases and worker sessions the timekeeper watches
}

// Load reads it.
func (c *Core) Load() Load {
	return Load{Calls: c.waiting, Waiters: len(c.waits), Seats: len(c.seats), Watches: len(c.keep.watches)}
}

// Next is when the Core wants to be woken, by its Clock; false for not at all.
func (c *Core) Next() (time.Duration, bool) {
	at, some := c.keep.next()
	for i := range c.lanes {
		if l := &c.lanes[i]; l.again > 0 && (!some || l.again < at) {
			at, some = l.again, true
		}
	}
	return at, some
}

// Wake does what is due.
func (c *Core) Wake() {
	now := c.cfg.Clock.Now()
	for i := range c.lanes {
		if l := &c.lanes[i]; l.again > 0 && l.again <= now {
			c.launch(i)
		}
	}
	c.keep.wake(now)
}
