// Package history remembers the last minutes and the last day of a shard for
// charts, in memory and in a bounded amount of it.
//
//	Observe: effects of each entry ─┬─> counts ──> ring of 1 s × 15 min ──┐
//	Sample: gauges, once a second ──┘         └──> ring of 10 s × 24 h ──┴─> Series
//	                                │
//	                                └─> grants, ends ──> spans: open, ended ──> Open, Ended
//
// It lies beside the ledger and not in it: charts may be lost, and nothing is
// decided by them. A restart begins with empty rings, and time in which the
// process was down is missing from them: a gap is no zero.
//
// There is no clock in this package. Times are arguments, in Unix
// milliseconds and greater than 0; they may jump in either direction, and
// what is written at a time is then found at that time.
package history

import (
	"sync"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/ledger"
)

// History is the past of one shard. Its methods are safe for concurrent use;
// none holds the lock longer than it takes to copy a thousand spans, so that
// readers do not hold up the one who calls Observe.
type History struct {
	mu      sync.Mutex // guards everything below
	fine    ring
	coarse  ring
	total   Counts
	names   tally
	workers map[polymath.Ref]string // open worker sessions and their names
	open    openSpans
	ended   endedSpans
}

// New makes an empty history of a process that began at a time. The time
// makes the cursors of Ended differ from those of the process before.
func New(now int64) *History {
	return &History{
		fine:    newRing(Second),
		coarse:  newRing(TenSeconds),
		names:   newTally(),
		workers: make(map[polymath.Ref]string),
		ended:   newEndedSpans(now),
	}
}

// Restore tells of the sessions and the leases there were before the first
// Observe, so that charts know them: what was leased out is shown from now on.
// No entry may be observed between the moment at which they were read from the
// ledger and this call.
func (h *History) Restore(now int64, sessions []ledger.SessionInfo, leases []ledger.Grant) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, s := range sessions {
		h.join(s.Ref, s.Name)
	}
	for i := range leases {
		h.grant(now, &leases[i])
	}
}

// Observe takes note of what applying an entry gave out. It keeps no slice of
// fx, does not allocate in the steady state, and takes well under a
// microsecond for an entry of one command.
func (h *History) Observe(now int64, fx *ledger.Effects) {
	h.mu.Lock()
	defer h.mu.Unlock()
	var c Counts
	h.events(fx, &c)
	for i := range fx.Ended {
		h.end(now, &fx.Ended[i], &c)
	}
	for i := range fx.Grants {
		h.grant(now, &fx.Grants[i])
	}
	c.Granted = uint64(len(fx.Grants))
	for _, s := range fx.Closed {
		delete(h.workers, s)
	}
	if c == (Counts{}) {
		return
	}
	h.total.add(&c)
	h.fine.at(now).Counts.add(&c)
	h.coarse.at(now).Counts.add(&c)
}

// events counts the events of an entry and learns the names of the workers
// that joined: the ledger lists their sessions in the order of their events.
func (h *History) events(fx *ledger.Effects, c *Counts) {
	joined := 0
	for i := range fx.Events {
		e := &fx.Events[i]
		switch e.Kind {
		case ledger.WorkerJoined:
			if joined < len(fx.Joined) {
				h.join(fx.Joined[joined], e.Name)
			}
			joined++
		case ledger.WorkerLeft:
		default:
			c.event(e.Kind)
			h.names.count(e.Name, e.Kind)
		}
	}
}

func (h *History) join(s polymath.Ref, name string) {
	if name != "" && len(h.workers) < ledger.MaxSessions {
		h.workers[s] = name
	}
}

func (h *History) grant(now int64, g *ledger.Grant) {
	h.open.add(Span{
		Token: g.Lease.Token, Job: g.Lease.Job, Function: g.Lease.Function, Worker: h.workers[g.Session],
		Interval: g.Lease.Interval, Attempt: g.Lease.Attempt, Speculative: g.Lease.Speculative, Granted: now,
	})
}

func (h *History) end(now int64, e *ledger.Ended, c *Counts) {
	c.end(e)
	if s, ok := h.open.take(e.Token); ok {
		s.Outcome, s.Ended = e.Outcome, max(now, s.Granted)
		h.ended.push(s)
	}
}

// Sample takes note of the sizes of the shard. Called once a second it also
// marks the seconds in which nothing happened as seconds the process was up.
func (h *History) Sample(now int64, s ledger.Stats) {
	h.mu.Lock()
	defer h.mu.Unlock()
	g := Gauges{Jobs: s.Jobs, Bytes: s.Bytes, Leases: s.Leases, Workers: len(h.workers)}
	for _, p := range [...]*Point{h.fine.at(now), h.coarse.at(now)} {
		p.Gauges, p.Sampled = g, true
	}
	h.ended.expire(now - SpanRetention.Milliseconds())
}

// Totals are the counts since New.
func (h *History) Totals() Counts {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.total
}

// Workers is how many worker sessions are open.
func (h *History) Workers() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.workers)
}

// Functions are the counts since New by function, sorted by name; those
// beyond MaxFunctions share the name Other.
func (h *History) Functions() []FunctionCounts {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.names.list()
}
