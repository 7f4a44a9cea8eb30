package worker

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/function"
)

// Host is the node as a worker sees it.
type Host interface {
	// Join opens a session. The Host calls post with whatever there is to
	// tell the worker, in order; post never blocks. The calls stop when the
	// session is closed.
	Join(ctx context.Context, name string, post func(Event)) (Seat, error)
}

// Event is something to do on the worker's own goroutine.
type Event interface {
	Apply(l *Loop)
}

// EventFunc is an Event that is a function.
type EventFunc func(*Loop)

// Apply implements Event.
func (f EventFunc) Apply(l *Loop) { f(l) }

// Options are the choices of a worker.
type Options struct {
	Name      string
	Functions *function.Set
	Parallel  int           // at most polymath.MaxSlots; 0: 1
	Each      time.Duration // how long a lease should take; 0: DefaultEach
}

// DefaultEach is how long a lease should take: long enough that the journal
// costs nothing beside it, short enough that progress is seen and a dead
// worker loses little.
const DefaultEach = 250 * time.Millisecond

// leaveLimit is how long a worker that leaves waits for its functions to stop
// and for the node to hear of it.
const leaveLimit = 5 * time.Second

// Run works for a host until ctx ends, and then hands back what it holds. It
// joins again whenever the host closed its session. The error is
// InvalidArgument for options out of range.
func Run(ctx context.Context, host Host, o Options) error {
	if o.Parallel > polymath.MaxSlots {
		return polymath.Errorf(polymath.InvalidArgument, "a worker cannot work on %d parts at a time: at most %d", o.Parallel, polymath.MaxSlots)
	}
	box := newMailbox()
	start := time.Now()
	o.Parallel = max(o.Parallel, 1)
	pool := newPool(o.Functions, o.Parallel, box.post)
	if o.Each == 0 {
		o.Each = DefaultEach
	}
	loop := NewLoop(Config{
		Functions: o.Functions.Names(), Parallel: o.Parallel, Each: o.Each, Runner: pool,
		Now: func() time.Duration { return time.Since(start) },
	})
	defer pool.close()
	for {
		gone := make(chan struct{})
		var once sync.Once
		seat, err := join(ctx, host, o.Name, box)
		if err != nil {
			return err
		}
		if seat == nil {
			return nil
		}
		loop.Sit(seat)
		if !drive(ctx, loop, box) {
			loop.Leave(func() { once.Do(func() { close(gone) }) })
			return depart(loop, box, gone)
		}
	}
}

// join opens a session, trying again while the host cannot. No seat and no
// error: ctx ended first.
func join(ctx context.Context, host Host, name string, box *mailbox) (Seat, error) {
	for {
		seat, err := host.Join(ctx, name, box.post)
		switch {
		case err == nil:
			return seat, nil
		case ctx.Err() != nil:
			return nil, nil //nolint:nilerr,nilnil // the worker was told to end
		case !transient(err):
			return nil, err
		}
		pause := time.NewTimer(askPause)
		select {
		case <-ctx.Done():
		case <-pause.C:
		}
		pause.Stop()
	}
}

// drive works until the session is over (true) or ctx ends (false).
func drive(ctx context.Context, loop *Loop, box *mailbox) bool {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for !loop.left {
		timer.Reset(loop.Next() - loop.cfg.Now())
		select {
		case <-ctx.Done():
			return false
		case <-timer.C:
			loop.Wake()
		case <-box.full:
			box.drain(loop)
		}
	}
	return true
}

// errLeft says that a worker ended before its node confirmed it.
var errLeft = errors.New("the worker left before its node confirmed it; its leases go back by themselves")

func depart(loop *Loop, box *mailbox, gone <-chan struct{}) error {
	limit := time.NewTimer(leaveLimit)
	defer limit.Stop()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		timer.Reset(loop.Next() - loop.cfg.Now())
		select {
		case <-gone:
			return nil
		case <-limit.C:
			return errLeft
		case <-timer.C: // it is still alive, and reports again what was not taken
			loop.Wake()
		case <-box.full:
			box.drain(loop)
		}
	}
}

// mailbox holds events for the worker's goroutine. Its length is bounded by
// what a worker has out: leases, reports and running functions.
type mailbox struct {
	full chan struct{} // has a token when there may be events

	mu     sync.Mutex
	events []Event // guarded by mu

	spare []Event // room for the next ones; drain's
}

func newMailbox() *mailbox { return &mailbox{full: make(chan struct{}, 1)} }

func (b *mailbox) post(e Event) {
	b.mu.Lock()
	b.events = append(b.events, e)
	b.mu.Unlock()
	select {
	case b.full <- struct{}{}:
	default:
	}
}

func (b *mailbox) drain(l *Loop) {
	b.mu.Lock()
	events := b.events
	b.events = b.spare
	b.mu.Unlock()
	for _, e := range events {
		e.Apply(l)
	}
	clear(events) // what they hold may go
	b.spare = events[:0]
}
