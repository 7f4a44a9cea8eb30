package node

import (
	"fmt"
	"slices"
	"time"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/ledger"
)

// The times the timekeeper measures.
const (
	beatLimit    = 3 * time.Second        // a worker unheard for so long is gone
	brokenLimit  = time.Second            // the same, after its stream broke
	startLimit   = time.Second            // a lease not begun goes back
	stallLimit   = 30 * time.Second       // a lease without progress is lost
	slowLeast    = time.Second            // no lease is called slow before
	slowFactor   = 2                      // times as long as expected is slow
	lookPause    = 100 * time.Millisecond // between two looks at the watches
	tickPause    = 20 * time.Millisecond  // between two ticks, at least
	pruneEvery   = time.Hour
	retainMillis = 7 * 24 * 3600 * 1000 // of finished jobs
)

// keeper is the shard's timekeeper: it measures the TTLs of leases and
// sessions on the monotonic clock and brings wall time into the journal.
type keeper struct {
	core    *Core
	term    polymath.Ref         // zero: not (yet) the timekeeper
	asking  bool                 // for a term
	watches []*watch             // in no order that means anything
	leases  ledger.Table[*watch] // of leases, by the ref of the token
	spare   []*watch             // of leases that are over
	beats   map[polymath.Ref]*watch

	looked  time.Duration
	ticking bool // a Tick is under way
	ticked  time.Duration
	pruned  time.Duration
	wall    int64 // the latest time of day told, Unix milliseconds
	walled  time.Duration
}

// watch is a lease, or a worker session, that must be heard of in time.
type watch struct {
	place   int // in keeper.watches
	session polymath.Ref
	token   polymath.Token // zero: the watch is for the session
	job     polymath.JobID
	name    string            // of the job's function
	input   []byte            // of the job, which has it as well
	units   polymath.Interval // of the lease
	seen    time.Duration     // last sign of life
	begun   time.Duration     // when the work began
	started bool
	restart bool          // granted before this node began: perhaps started
	slow    time.Duration // how long it may take before it is slow; 0: it was called slow
	longest time.Duration // how long it may take at all; 0: it lives by progress
	done    uint64        // units
	ending  bool          // its end was proposed

	reported *Route // over which a report came that is under way
}

func newKeeper(c *Core) keeper {
	return keeper{core: c, beats: make(map[polymath.Ref]*watch)}
}

// Name is the ref of the lease.
func (w *watch) Name() polymath.Ref { return w.token.Ref }

// of is the watch of a lease, or nil.
func (k *keeper) of(t polymath.Token) *watch {
	if w := k.leases.Get(t.Ref); w != nil && w.token == t {
		return w
	}
	return nil
}

// start begins to watch everything there is, with full TTLs, and asks for the
// term.
func (k *keeper) start() {
	now := k.core.cfg.Clock.Now()
	k.wall, k.walled, k.pruned = k.core.ledger.Now(), now, now
	for _, s := range k.core.ledger.Sessions() {
		if s.Name != "" {
			k.watchSession(s.Ref, now)
		}
	}
	for _, g := range k.core.ledger.Leases() {
		k.watchLease(&g, now)
		k.of(g.Lease.Token).restart = true
	}
}

func (k *keeper) add(w *watch) {
	w.place = len(k.watches)
	k.watches = append(k.watches, w)
}

func (k *keeper) remove(w *watch) {
	last := len(k.watches) - 1
	k.watches[w.place] = k.watches[last]
	k.watches[w.place].place = w.place
	k.watches[last] = nil
	k.watches = k.watches[:last]
}

func (k *keeper) watchSession(s polymath.Ref, now time.Duration) {
	w := &watch{session: s, seen: now}
	k.beats[s] = w
	k.add(w)
}

func (k *keeper) watchLease(g *ledger.Grant, now time.Duration) {
	expected := time.Duration(min(g.Lease.Micros, uint64(time.Hour/time.Microsecond))) * time.Microsecond
	w := k.fresh()
	*w = watch{
		session: g.Session, token: g.Lease.Token, job: g.Lease.Job, seen: now, name: g.Lease.Function, input: g.Lease.Input, units: g.Lease.Interval,
		slow: max(slowLeast, slowFactor*expected), longest: time.Duration(g.Lease.LongestRun) * time.Second,
	}
	k.leases.Put(w)
	k.add(w)
}

// maxSpare bounds the watches that are kept for leases to come.
const maxSpare = polymath.MaxSlots

// retire keeps a watch for another lease. One whose end was proposed is not
// used again: whoever hears of that has it still.
func (k *keeper) retire(w *watch) {
	if !w.ending && len(k.spare) < maxSpare {
		*w = watch{}
		k.spare = append(k.spare, w)
	}
}

func (k *keeper) fresh() *watch {
	last := len(k.spare) - 1
	if last < 0 {
		return new(watch)
	}
	w := k.spare[last]
	k.spare = k.spare[:last]
	return w
}

// observe follows what an entry changed.
func (k *keeper) observe(fx *ledger.Effects) {
	if !k.core.ready {
		return
	}
	now := k.core.cfg.Clock.Now()
	for _, s := range fx.Joined {
		k.watchSession(s, now)
	}
	for i := range fx.Grants {
		k.watchLease(&fx.Grants[i], now)
	}
	for i := range fx.Ended {
		if w := k.of(fx.Ended[i].Token); w != nil {
			k.remove(w)
			k.leases.Remove(w)
			k.retire(w)
		}
	}
	for _, s := range fx.Closed {
		if w := k.beats[s]; w != nil {
			k.remove(w)
			delete(k.beats, s)
		}
	}
}

func (k *keeper) beat(s polymath.Ref) {
	if w := k.beats[s]; w != nil {
		w.seen = k.core.cfg.Clock.Now()
	}
}

// hurry lets a session count as unheard for so long at least.
func (k *keeper) hurry(s polymath.Ref, unheard time.Duration) {
	if w := k.beats[s]; w != nil {
		w.seen = min(w.seen, k.core.cfg.Clock.Now()-unheard)
	}
}

func (k *keeper) progress(t polymath.Token, done uint64) {
	w := k.of(t)
	if w == nil {
		return
	}
	now := k.core.cfg.Clock.Now()
	if !w.started {
		w.started, w.restart, w.begun, w.seen = true, false, now, now
	}
	if done = min(done, w.units.Len()); done > w.done {
		w.done, w.seen = done, now
	}
}

func (k *keeper) inFlight(id polymath.JobID) uint64 {
	var sum uint64
	for _, w := range k.watches {
		if w.job == id {
			sum += w.done
		}
	}
	return sum
}

// next is when the keeper wants to be woken.
func (k *keeper) next() (time.Duration, bool) {
	if !k.core.ready {
		return 0, false
	}
	now := k.core.cfg.Clock.Now()
	at := k.pruned + pruneEvery
	if len(k.watches) > 0 || k.term.IsZero() {
		at = min(at, k.looked+lookPause)
	}
	if due, some := k.tickDue(now); some {
		at = min(at, due)
	}
	return at, true
}

// tickDue is when to bring the time of day to the ledger. A due Tick is never
// far off by the wall: a look at the watch in between corrects for its jumps.
func (k *keeper) tickDue(now time.Duration) (time.Duration, bool) {
	due := k.core.ledger.NextTick()
	if due == 0 || k.ticking || k.term.IsZero() {
		return 0, false
	}
	wait := min(due-k.tell(now), int64(time.Minute/time.Millisecond))
	return max(now+time.Duration(max(wait, 0))*time.Millisecond, k.ticked+tickPause), true
}

// tell is the time of day in Unix milliseconds, which never runs back and
// never stands still, whatever the wall clock does.
func (k *keeper) tell(now time.Duration) int64 {
	since := (now - k.walled).Milliseconds()
	k.wall = max(k.core.cfg.Clock.Wall(), k.wall+since)
	k.walled += time.Duration(since) * time.Millisecond
	return k.wall
}

// wake does what is due.
func (k *keeper) wake(now time.Duration) {
	if !k.core.ready {
		return
	}
	if k.term.IsZero() {
		k.ask()
	}
	if now-k.looked >= lookPause {
		k.looked = now
		for _, w := range slices.Clone(k.watches) { // proposals may end a watch at once
			k.look(w, now)
		}
	}
	if at, some := k.tickDue(now); some && at <= now && k.core.ledger.NextTick() <= k.tell(now) {
		k.ticking, k.ticked = true, now
		k.core.Propose(&ledger.Tick{Term: k.term, Now: k.tell(now)}, k.over(func() { k.ticking = false }))
	}
	if now-k.pruned >= pruneEvery && !k.term.IsZero() {
		k.pruned = now
		k.core.Propose(&ledger.Prune{Term: k.term, Before: k.tell(now) - retainMillis}, k.over(func() {}))
	}
}

func (k *keeper) ask() {
	if k.asking {
		return
	}
	k.asking = true
	k.core.Propose(&ledger.Assume{}, func(a ledger.Answer) {
		k.asking = false
		if a.Err == nil {
			k.term = a.Ref
		}
	})
}

// over makes the callback of a timekeeper's command: one refused for its term
// makes the keeper ask for another.
func (k *keeper) over(then func()) func(ledger.Answer) {
	return func(a ledger.Answer) {
		if polymath.CodeOf(a.Err) == polymath.Conflict {
			k.term = polymath.Ref{}
		}
		then()
	}
}

// look proposes the end of what was silent for too long, and points at what
// is slow.
func (k *keeper) look(w *watch, now time.Duration) {
	if w.ending || k.term.IsZero() || k.core.cfg.Fault == NeverExpire {
		return
	}
	if s := k.beats[w.session]; s != nil && s.ending {
		return // all it holds is about to end
	}
	again := func() func(ledger.Answer) { return k.over(func() { w.ending = false }) }
	switch {
	case w.token.IsZero():
		if now-w.seen >= beatLimit {
			k.lose(w, again())
		}
	case !w.started && !w.restart:
		if now-w.seen >= startLimit {
			k.expire(w, fmt.Sprintf("not begun within %v", startLimit), again())
		}
	case w.longest > 0 && now-w.begun >= w.longest && w.started:
		k.expire(w, fmt.Sprintf("ran longer than %v", w.longest), again())
	case w.longest == 0 && now-w.seen >= stallLimit, w.restart && now-w.seen >= max(stallLimit, w.longest):
		k.expire(w, fmt.Sprintf("no progress for %v", stallLimit), again())
	case w.started && w.slow > 0 && now-w.begun >= w.slow:
		w.slow = 0
		k.core.Propose(&ledger.Suspect{Term: k.term, Token: w.token}, k.over(func() {}))
	}
}

// lose closes a session that was silent for too long. What it had not begun
// goes back uncounted first, to somebody else; what is left counts. Each step is
// over before the next is proposed: entries under way together may be taken in
// any order.
//
//	Demand of nothing ──> Expire, of each lease not begun ──> Close
func (k *keeper) lose(w *watch, done func(ledger.Answer)) {
	w.ending = true
	k.core.Propose(&ledger.Demand{Session: w.session}, func(a ledger.Answer) {
		if a.Err != nil {
			done(a)
			return
		}
		left := 1
		next := func(ledger.Answer) {
			if left--; left == 0 {
				k.core.Propose(&ledger.Close{Session: w.session, Lost: true}, done)
			}
		}
		for _, held := range slices.Clone(k.watches) {
			if held.session == w.session && held != w && !held.started && !held.restart && !held.ending {
				left++
				k.expire(held, "not begun by a worker that vanished", next)
			}
		}
		next(ledger.Answer{})
	})
}

func (k *keeper) expire(w *watch, why string, done func(ledger.Answer)) {
	w.ending = true
	k.core.Propose(&ledger.Expire{Term: k.term, Token: w.token, Started: w.started || w.restart, Reason: why}, done)
}
