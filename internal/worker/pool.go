package worker

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/function"
)

// pool is the Runner of real functions: so many goroutines, which it starts as
// they are needed and keeps. A new one for each lease would cost more than a
// short function does, most of it to grow its stack.
type pool struct {
	functions *function.Set
	post      func(Event)
	parallel  int // goroutines at most
	started   int // goroutines; the caller's of Start
	work      sync.WaitGroup

	mu     sync.Mutex
	line   []*poolTask // not begun, oldest first; guarded by mu
	some   sync.Cond   // of line, or of closed
	closed bool        // guarded by mu
}

// poolTask is the Work on a lease, and then the Event of its end.
type poolTask struct {
	pool    *pool
	task    *Task
	cancel  context.CancelFunc // nil: it has not begun; guarded by pool.mu
	units   atomic.Uint64
	outcome Outcome
}

// newPool makes a pool for so many leases at a time. It must be closed.
func newPool(functions *function.Set, parallel int, post func(Event)) *pool {
	p := &pool{functions: functions, post: post, parallel: parallel}
	p.some.L = &p.mu
	return p
}

// close returns when nothing runs any more; what has not begun never does. Start
// must not be called again.
func (p *pool) close() {
	p.mu.Lock()
	p.line, p.closed = nil, true
	p.mu.Unlock()
	p.some.Broadcast()
	p.work.Wait()
}

// Start implements Runner.
func (p *pool) Start(task *Task) Work {
	t := &poolTask{pool: p, task: task}
	if p.started < p.parallel {
		p.started++
		p.work.Go(p.serve)
	}
	p.mu.Lock()
	p.line = append(p.line, t)
	p.mu.Unlock()
	p.some.Signal()
	return t
}

// serve works on one lease after the other.
func (p *pool) serve() {
	for {
		t, ctx := p.next()
		if t == nil {
			return
		}
		start := time.Now()
		t.outcome.Output, t.outcome.Err = p.run(ctx, t)
		t.outcome.Took = time.Since(start)
		cancel := t.cancel
		p.post(t)
		cancel()
	}
}

// next waits for a task, which has begun then; nil: there will be none.
func (p *pool) next() (*poolTask, context.Context) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.line) == 0 {
		if p.closed {
			return nil, nil
		}
		p.some.Wait()
	}
	t := p.line[0]
	p.line[0] = nil // it may go before the line does
	p.line = p.line[1:]
	ctx, cancel := context.WithCancel(context.Background())
	t.cancel = cancel
	return t, ctx
}

// Apply implements Event.
func (t *poolTask) Apply(l *Loop) { l.Done(t.task, t.outcome) }

// Stop implements Work.
func (t *poolTask) Stop() bool {
	t.pool.mu.Lock()
	defer t.pool.mu.Unlock()
	if i := slices.Index(t.pool.line, t); i >= 0 {
		t.pool.line = slices.Delete(t.pool.line, i, i+1)
	}
	if t.cancel == nil {
		return false
	}
	t.cancel()
	return true
}

// Progress implements Work.
func (t *poolTask) Progress() (units uint64, begun bool) {
	t.pool.mu.Lock()
	defer t.pool.mu.Unlock()
	return t.units.Load(), t.cancel != nil
}

// run calls the function, and makes errors of what a bad function may do.
func (p *pool) run(ctx context.Context, t *poolTask) (output []byte, err error) {
	lease := t.task.Lease
	defer func() {
		if r := recover(); r != nil {
			output, err = nil, fmt.Errorf("function %s panicked on units %v: %v", lease.Function, lease.Interval, r)
		}
	}()
	f, err := p.functions.Get(lease.Function)
	if err != nil {
		return nil, err
	}
	output, err = f.Run(ctx, function.Task{Input: lease.Input, Interval: lease.Interval, Progress: t.units.Store})
	if err == nil && len(output) > polymath.MaxInlineBytes {
		return nil, fmt.Errorf("the output for units %v has %d bytes, more than %d: ask for less at a time",
			lease.Interval, len(output), polymath.MaxInlineBytes)
	}
	return output, err
}
