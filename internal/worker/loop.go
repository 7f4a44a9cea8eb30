// Package worker takes leases, runs functions and reports what came of them.
//
//	Granted ──> queue ──> running ──> report ──> Complete / Fail
//	               │          │          │
//	Retired ───────┴──────────┘          └─ again, until the node took it
//
// Loop is all of the logic, without goroutines or a clock of its own: the
// simulator runs it as it is. Run is the shell that drives one Loop in real
// time and runs real functions.
package worker

import (
	"slices"
	"time"

	"github.com/polymath-run/polymath"
)

// Bounds of a worker.
const (
	// BeatPause is how often a worker shows that it lives.
	BeatPause = time.Second
	// LookPause is how often progress is passed on.
	LookPause = 100 * time.Millisecond
	// ahead is how much work waits at a worker, so that short tasks follow
	// each other without a pause. A long task waits where others can take it.
	ahead = 200 * time.Millisecond
	// aheadBytes is about how much input waits with it, by what leases had
	// lately.
	aheadBytes = 64 << 20
	// firstAhead is how many leases wait at most before it is known how many
	// reports the node takes. Of that, twice what it takes in the time ahead may
	// wait and be on their way: what is not begun a second after it was granted
	// is another worker's.
	firstAhead = 1024
	aheadPaces = 2
	// inLine is how much of that waits at the Runner, where the next task is
	// found without asking the Loop: for a short one that is most of its cost.
	inLine    = time.Millisecond
	maxInLine = 256 // leases
	// gather is how long a report waits for others to share a message and a
	// sync with, while the worker has more to do; what runs dry reports at once.
	gather     = 100 * time.Millisecond
	maxGather  = 256 // reports
	firstAgain = 10 * time.Millisecond
	maxAgain   = time.Second
	askPause   = 100 * time.Millisecond
)

// Seat is a worker's place at its node: an open session. No method blocks,
// and none calls the Loop back before it returns. A done is called once, with
// nil when the node took what it was told and with its refusal otherwise.
type Seat interface {
	Demand(functions []string, slots uint32, each time.Duration, done func(error))
	Beat()
	Progress(token polymath.Token, units uint64)
	Complete(token polymath.Token, output []byte, took time.Duration, done func(error))
	Fail(token polymath.Token, text string, done func(error))
	Release(token polymath.Token, done func(error))
	Leave(done func(error))
}

// Runner runs leases, Config.Parallel at a time and in the order they came.
type Runner interface {
	// Start begins to work on a lease, or lets it wait until others have ended;
	// there are never more than maxInLine that wait. Loop.Done hears of its
	// end. It does not block.
	Start(t *Task) Work
}

// Work is a lease at the Runner. No method blocks.
type Work interface {
	// Stop asks the work to end soon: Done is still called, unless Stop
	// returns false. It had not begun then, and never will.
	Stop() (begun bool)
	// Progress is how many units are done, once the work has begun.
	Progress() (units uint64, begun bool)
}

// Config is what a Loop needs.
type Config struct {
	Functions []string
	Parallel  int           // leases that run at a time, from 1 to polymath.MaxSlots
	Each      time.Duration // how long a lease should take
	Runner    Runner
	Now       func() time.Duration // monotonic
}

// Loop is a worker. One goroutine at a time may use it.
type Loop struct {
	cfg     Config
	seat    Seat
	queue   []*Task                  // granted, oldest first
	running []*Task                  // at the Runner, in no order
	held    map[polymath.Token]*Task // queued, running, or reported and not taken yet
	ready   []*Task                  // their reports are gathered, to be sent together
	readyAt time.Duration            // when at the latest, if there are any
	late    []*Task                  // their reports are to be sent again
	sat     int                      // counts seats: reports of an earlier one are void
	wanted  uint32                   // slots asked for
	asking  bool                     // a demand is under way
	changed bool                     // another is to follow it
	askAt   time.Duration            // when to send a refused one again; 0: never
	mean    time.Duration            // how long a lease took lately
	input   int                      // bytes that leases had lately
	taken   int                      // reports that the node took since the time since
	since   time.Duration
	pace    int // reports that it takes in the time ahead
	room    int // leases that the Runner may have
	beaten  time.Duration
	looked  time.Duration
	leaving func()
	left    bool
}

// Task is a lease that waits or is worked on, and then its report on the way
// to the node.
type Task struct {
	Lease *polymath.Lease // without its input, once it is over

	work    Work // at the Runner, if it is there
	place   int  // in Loop.running
	retired bool // over already: its outcome interests nobody

	outcome Outcome
	back    bool // handed back
	tries   int
	again   time.Duration // when to send the report again
	sat     int           // in which seat it was sent
}

// Outcome is the end of the work on a lease: an output or an error.
type Outcome struct {
	Output []byte
	Err    error
	Took   time.Duration // from its begin, however long it waited for that
}

// NewLoop makes a worker; Sit gives it work.
func NewLoop(cfg Config) *Loop {
	return &Loop{cfg: cfg, held: make(map[polymath.Token]*Task), room: cfg.Parallel, pace: firstAhead / aheadPaces}
}

// Sit takes a seat, the first one or a new one after Closed.
func (l *Loop) Sit(seat Seat) {
	l.seat, l.left = seat, false
	l.sat++
	l.beaten = l.cfg.Now()
	l.wanted = l.slots()
	l.asking = false // what an earlier seat was asked for went with it
	l.ask()
}

// ask sends the demand, and again until the node took it: without one there
// is no work. One is under way at a time: of two, the older might be taken
// last, and stay.
func (l *Loop) ask() {
	l.askAt = 0
	if l.changed = l.asking; l.changed {
		return
	}
	l.asking = true
	sat := l.sat
	l.seat.Demand(l.cfg.Functions, l.wanted, l.cfg.Each, func(err error) {
		if sat != l.sat || l.left {
			return
		}
		l.asking = false
		switch {
		case l.changed:
			l.ask()
		case transient(err):
			l.askAt = l.cfg.Now() + askPause
		}
	})
}

// transient reports whether the same thing may work a little later.
func transient(err error) bool {
	switch polymath.CodeOf(err) {
	case polymath.Unavailable, polymath.Overloaded, polymath.Timeout:
		return true
	default:
		return false
	}
}

// slots is how many leases to hold: one for each that runs, and so many
// waiting as are worked off in the time ahead.
func (l *Loop) slots() uint32 {
	if l.leaving != nil {
		return 0
	}
	waiting := 0
	if l.mean > 0 {
		waiting = int(time.Duration(l.cfg.Parallel) * ahead / l.mean)
		waiting = min(waiting, aheadPaces*l.pace, aheadBytes/max(l.input, 1), polymath.MaxSlots-l.cfg.Parallel)
		waiting = max(waiting, 0)
	}
	return uint32(l.cfg.Parallel + waiting)
}

// Granted takes a lease, which is the Loop's from now on.
func (l *Loop) Granted(lease *polymath.Lease) {
	if l.left || l.held[lease.Token] != nil {
		return
	}
	l.input += (len(lease.Input) - l.input) / 8
	t := &Task{Lease: lease}
	l.held[lease.Token] = t
	if l.leaving != nil {
		l.handBack(t)
		return
	}
	l.queue = append(l.queue, t)
	l.pump()
}

// pump gives the Runner what it has room for.
func (l *Loop) pump() {
	for len(l.queue) > 0 && len(l.running) < l.room {
		t := l.queue[0]
		l.queue[0] = nil // it may go before the queue does
		l.queue = l.queue[1:]
		t.place = len(l.running)
		l.running = append(l.running, t)
		t.work = l.cfg.Runner.Start(t)
	}
}

// ended takes a task from those that the Runner has.
func (l *Loop) ended(t *Task) {
	last := len(l.running) - 1
	l.running[t.place] = l.running[last]
	l.running[t.place].place = t.place
	l.running[last] = nil
	l.running = l.running[:last]
	t.work = nil
	t.Lease.Input = nil
}

// Retired hears that a lease is over. Its work is stopped.
func (l *Loop) Retired(token polymath.Token) {
	t := l.held[token]
	if t == nil {
		return
	}
	if i := slices.Index(l.queue, t); i >= 0 {
		l.queue = slices.Delete(l.queue, i, i+1)
		delete(l.held, token)
	} else if t.work != nil {
		t.retired = true
		l.stop(t)
	}
}

// stop asks the Runner to end a task, and reports whether it is still to hear
// of its end.
func (l *Loop) stop(t *Task) (begun bool) {
	if t.work.Stop() {
		return true
	}
	l.ended(t)
	if t.retired && !l.left {
		delete(l.held, t.Lease.Token)
	}
	return false
}

// Closed hears that the session is over. Everything stops; the Loop waits for
// another seat.
func (l *Loop) Closed() {
	l.queue, l.ready, l.late, l.left = nil, nil, nil, true
	clear(l.held)
	for _, t := range slices.Clone(l.running) {
		t.retired = true
		l.stop(t)
	}
	l.departed()
}

// Done hears from the Runner that the work on a lease has ended.
func (l *Loop) Done(t *Task, o Outcome) {
	l.ended(t)
	t.outcome = o
	switch {
	case t.retired:
		if !l.left {
			delete(l.held, t.Lease.Token)
		}
	case l.leaving != nil && o.Err != nil:
		l.handBack(t)
	default:
		l.gather(t)
		if o.Err == nil {
			l.adapt(o.Took)
		}
	}
	l.pump()
	if len(l.queue) == 0 && len(l.running) <= l.cfg.Parallel { // nothing waits
		l.flush()
	}
	l.departed()
}

// gather holds a report back for those that follow it closely.
func (l *Loop) gather(t *Task) {
	if len(l.ready) == 0 {
		l.readyAt = l.cfg.Now() + gather
	}
	if l.ready = append(l.ready, t); len(l.ready) == maxGather {
		l.flush()
	}
}

// flush sends what was gathered.
func (l *Loop) flush() {
	for i, t := range l.ready {
		l.ready[i] = nil
		l.send(t)
	}
	l.ready = l.ready[:0]
}

// clip cuts the text of a failure to what the journal takes.
func clip(text string) string {
	if len(text) > polymath.MaxErrorBytes {
		text = text[:polymath.MaxErrorBytes-3] + "..."
	}
	return text
}

// adapt learns how long leases take, and asks for more or fewer at a time
// when that makes a difference of half.
func (l *Loop) adapt(took time.Duration) {
	took = max(took, time.Microsecond)
	if l.mean == 0 {
		l.mean = took
	}
	l.mean += (took - l.mean) / 8
	l.room = l.cfg.Parallel + min(int(time.Duration(l.cfg.Parallel)*inLine/l.mean), maxInLine)
	l.keepPace()
	want := l.slots()
	if 2*want >= 3*l.wanted || 3*want <= 2*l.wanted {
		l.wanted = want
		l.ask()
	}
}

// keepPace learns how many reports the node takes: with many workers it is what
// bounds them all.
func (l *Loop) keepPace() {
	now := l.cfg.Now()
	since := now - l.since
	if since < ahead {
		return
	}
	l.pace = int(time.Duration(l.taken) * ahead / since)
	if since >= 2*ahead { // there was nothing to report: that says nothing
		l.pace = max(l.pace, firstAhead/aheadPaces)
	}
	l.taken, l.since = 0, now
}

// handBack gives a lease back that did not end.
func (l *Loop) handBack(t *Task) {
	t.back = true
	l.send(t)
}

// send gives a report to the node, and again until the node took or refused
// it: a stale token is no reason to stay.
func (l *Loop) send(t *Task) {
	t.tries++
	t.sat = l.sat
	done := func(err error) {
		switch {
		case t.sat != l.sat || l.left: // of a session that is over
		case transient(err):
			t.again = l.cfg.Now() + min(firstAgain<<min(t.tries, 10), maxAgain)
			l.late = append(l.late, t)
		default:
			if err == nil {
				l.taken++
			}
			delete(l.held, t.Lease.Token)
			l.departed()
		}
	}
	switch token, o := t.Lease.Token, &t.outcome; {
	case t.back:
		l.seat.Release(token, done)
	case o.Err != nil:
		l.seat.Fail(token, clip(o.Err.Error()), done)
	default:
		l.seat.Complete(token, o.Output, o.Took, done)
	}
}

// Leave ends the worker's work: leases that wait go back, running ones are
// stopped and go back, and gone is called when the session is closed.
func (l *Loop) Leave(gone func()) {
	if l.leaving != nil {
		return
	}
	l.leaving = gone
	if l.left || l.seat == nil {
		l.departed()
		return
	}
	l.wanted = 0
	l.ask()
	l.flush()
	for _, t := range l.queue {
		l.handBack(t)
	}
	l.queue = nil
	for _, t := range slices.Clone(l.running) {
		if !l.stop(t) {
			l.handBack(t)
		}
	}
	l.departed()
}

// departed closes the session when nothing is left to report.
func (l *Loop) departed() {
	if l.leaving == nil || len(l.running) > 0 || len(l.held) > 0 {
		return
	}
	if l.left || l.seat == nil {
		l.leaving()
		return
	}
	l.left = true
	l.seat.Leave(func(error) { l.leaving() })
}

// Next is when the Loop wants to be woken.
func (l *Loop) Next() time.Duration {
	at := l.beaten + BeatPause
	if len(l.running) > 0 {
		at = min(at, l.looked+LookPause)
	}
	if len(l.ready) > 0 {
		at = min(at, l.readyAt)
	}
	if l.askAt > 0 {
		at = min(at, l.askAt)
	}
	for _, t := range l.late {
		at = min(at, t.again)
	}
	return at
}

// Wake does what is due: shows that the worker lives, passes progress on, and
// sends reports again.
func (l *Loop) Wake() {
	now := l.cfg.Now()
	if l.seat == nil || l.left {
		l.beaten, l.looked, l.askAt = now, now, 0
		return
	}
	if l.askAt > 0 && l.askAt <= now {
		l.ask()
	}
	if len(l.ready) > 0 && l.readyAt <= now {
		l.flush()
	}
	if now-l.beaten >= BeatPause {
		l.beaten = now
		l.seat.Beat()
	}
	if now-l.looked >= LookPause {
		l.looked = now
		for _, t := range l.running {
			if units, begun := t.work.Progress(); begun && !t.retired {
				l.seat.Progress(t.Lease.Token, units)
			}
		}
	}
	var due []*Task
	l.late = slices.DeleteFunc(l.late, func(t *Task) bool {
		if t.again > now {
			return false
		}
		due = append(due, t)
		return true
	})
	for _, t := range due {
		l.send(t)
	}
}

// Idle reports whether the worker has nothing to do and nothing to report.
func (l *Loop) Idle() bool { return len(l.running)+len(l.held) == 0 }
