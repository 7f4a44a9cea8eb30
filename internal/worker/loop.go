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
	// gather is how long a report waits for others to share a message and a
	// sync with, while the worker has more to do; what runs dry reports at once.
	gather     = 100 * time.Millisecond
	maxGather  = 128 // reports
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

// Runner runs leases. No method blocks.
type Runner interface {
	// Start begins to work on a lease; Loop.Done hears of its end.
	Start(lease *polymath.Lease)
	// Stop asks the work on a lease to end soon. Done is still called.
	Stop(token polymath.Token)
	// Progress is how many units of a running lease are done.
	Progress(token polymath.Token) uint64
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
	queue   []*task // granted, oldest first
	running []*task
	held    map[polymath.Token]bool // queued, running, or reported and not taken yet
	ready   []*report               // gathered, to be sent together
	readyAt time.Duration           // when at the latest, if there are any
	late    []*report               // to be sent again
	sat     int                     // counts seats: reports of an earlier one are void
	wanted  uint32                  // slots asked for
	asking  bool                    // a demand is under way
	changed bool                    // another is to follow it
	askAt   time.Duration           // when to send a refused one again; 0: never
	mean    time.Duration           // how long a lease took lately
	beaten  time.Duration
	looked  time.Duration
	leaving func()
	left    bool
}

// task is a lease that waits or is being worked on.
type task struct {
	lease   polymath.Lease
	begun   time.Duration
	retired bool // over already: its outcome interests nobody
}

// report is the end of a lease, on its way to the node.
type report struct {
	token  polymath.Token
	output []byte
	text   string // of a failure; "" for none
	failed bool
	back   bool // handed back
	took   time.Duration
	tries  int
	again  time.Duration // when to send it again
	sat    int           // in which seat
}

// NewLoop makes a worker; Sit gives it work.
func NewLoop(cfg Config) *Loop { return &Loop{cfg: cfg, held: make(map[polymath.Token]bool)} }

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
		waiting = max(min(int(time.Duration(l.cfg.Parallel)*ahead/l.mean), polymath.MaxSlots-l.cfg.Parallel), 0)
	}
	return uint32(l.cfg.Parallel + waiting)
}

// Granted takes a lease.
func (l *Loop) Granted(lease polymath.Lease) {
	if l.left || l.held[lease.Token] {
		return
	}
	l.held[lease.Token] = true
	if l.leaving != nil {
		l.send(&report{token: lease.Token, back: true})
		return
	}
	l.queue = append(l.queue, &task{lease: lease})
	if len(l.running) < l.cfg.Parallel {
		l.pump(l.cfg.Now())
	}
}

func (l *Loop) pump(now time.Duration) {
	for len(l.queue) > 0 && len(l.running) < l.cfg.Parallel {
		t := l.queue[0]
		t.begun = now
		l.queue[0] = nil // it may go before the queue does
		l.queue = l.queue[1:]
		l.running = append(l.running, t)
		l.cfg.Runner.Start(&t.lease)
	}
}

// Retired hears that a lease is over. Its work is stopped.
func (l *Loop) Retired(token polymath.Token) {
	if i := slices.IndexFunc(l.queue, func(q *task) bool { return q.lease.Token == token }); i >= 0 {
		l.queue = slices.Delete(l.queue, i, i+1)
		delete(l.held, token)
	}
	for _, t := range l.running {
		if t.lease.Token == token {
			t.retired = true
			l.cfg.Runner.Stop(token)
		}
	}
}

// Closed hears that the session is over. Everything stops; the Loop waits for
// another seat.
func (l *Loop) Closed() {
	l.queue, l.ready, l.late, l.left = nil, nil, nil, true
	clear(l.held)
	for _, t := range l.running {
		t.retired = true
		l.cfg.Runner.Stop(t.lease.Token)
	}
	l.departed()
}

// Done hears from the Runner that the work on a lease has ended.
func (l *Loop) Done(token polymath.Token, output []byte, err error) {
	i := slices.IndexFunc(l.running, func(t *task) bool { return t.lease.Token == token })
	if i < 0 {
		return
	}
	t := l.running[i]
	l.running = slices.Delete(l.running, i, i+1)
	now := l.cfg.Now()
	took := now - t.begun
	switch {
	case t.retired:
		if !l.left {
			delete(l.held, token)
		}
	case l.leaving != nil && err != nil:
		l.send(&report{token: token, back: true})
	case err != nil:
		l.gather(&report{token: token, failed: true, text: clip(err.Error()), took: took})
	default:
		l.gather(&report{token: token, output: output, took: took})
		l.adapt(took)
	}
	l.pump(now)
	if len(l.queue) == 0 {
		l.flush()
	}
	l.departed()
}

// gather holds a report back for those that follow it closely.
func (l *Loop) gather(r *report) {
	if len(l.ready) == 0 {
		l.readyAt = l.cfg.Now() + gather
	}
	if l.ready = append(l.ready, r); len(l.ready) == maxGather {
		l.flush()
	}
}

// flush sends what was gathered.
func (l *Loop) flush() {
	ready := l.ready
	l.ready = nil
	for _, r := range ready {
		l.send(r)
	}
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
	want := l.slots()
	if 2*want >= 3*l.wanted || 3*want <= 2*l.wanted {
		l.wanted = want
		l.ask()
	}
}

// send gives a report to the node, and again until the node took or refused
// it: a stale token is no reason to stay.
func (l *Loop) send(r *report) {
	r.tries++
	r.sat = l.sat
	done := func(err error) {
		switch {
		case r.sat != l.sat || l.left: // of a session that is over
		case transient(err):
			r.again = l.cfg.Now() + min(firstAgain<<min(r.tries, 10), maxAgain)
			l.late = append(l.late, r)
		default:
			delete(l.held, r.token)
			l.departed()
		}
	}
	switch {
	case r.back:
		l.seat.Release(r.token, done)
	case r.failed:
		l.seat.Fail(r.token, r.text, done)
	default:
		l.seat.Complete(r.token, r.output, r.took, done)
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
	for _, q := range l.queue {
		l.send(&report{token: q.lease.Token, back: true})
	}
	l.queue = nil
	l.flush()
	for _, t := range l.running {
		l.cfg.Runner.Stop(t.lease.Token)
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
	for _, r := range l.late {
		at = min(at, r.again)
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
			if !t.retired {
				l.seat.Progress(t.lease.Token, l.cfg.Runner.Progress(t.lease.Token))
			}
		}
	}
	var due []*report
	l.late = slices.DeleteFunc(l.late, func(r *report) bool {
		if r.again > now {
			return false
		}
		due = append(due, r)
		return true
	})
	for _, r := range due {
		l.send(r)
	}
}

// Idle reports whether the worker has nothing to do and nothing to report.
func (l *Loop) Idle() bool { return len(l.running)+len(l.held) == 0 }
