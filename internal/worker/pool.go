package worker

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/function"
)

// pool is the Runner of real functions: so many goroutines, which it starts as
// they are needed and keeps. A new one for each lease would cost more than a
// short function does, most of it to grow its stack.
type pool struct {
	functions *function.Set
	done      func(token polymath.Token, output []byte, err error)
	work      sync.WaitGroup
	started   int            // goroutines; the caller's of Start
	next      chan *poolTask // has room for all that may be under way: Start does not wait

	mu    sync.Mutex
	tasks []*poolTask // under way, by their slots; guarded by mu
	free  []int       // slots of tasks that have none; guarded by mu
}

type poolTask struct {
	slot   int
	lease  *polymath.Lease
	ctx    context.Context //nolint:containedctx // on its way to the goroutine that works with it
	cancel context.CancelFunc
	units  atomic.Uint64
}

// newPool makes a pool for at most so many leases at a time. It must be closed.
func newPool(functions *function.Set, parallel int, done func(polymath.Token, []byte, error)) *pool {
	p := &pool{functions: functions, done: done, next: make(chan *poolTask, parallel), tasks: make([]*poolTask, parallel)}
	for slot := range p.tasks {
		p.free = append(p.free, slot)
	}
	return p
}

// close returns when nothing runs any more; Start must not be called again.
func (p *pool) close() {
	close(p.next)
	p.work.Wait()
}

func (p *pool) Start(lease *polymath.Lease) {
	t := &poolTask{lease: lease}
	t.ctx, t.cancel = context.WithCancel(context.Background())
	p.mu.Lock()
	t.slot = p.free[len(p.free)-1]
	p.free = p.free[:len(p.free)-1]
	p.tasks[t.slot] = t
	p.mu.Unlock()
	if p.started < cap(p.next) {
		p.started++
		p.work.Go(p.serve)
	}
	p.next <- t
}

// serve works on one lease after the other.
func (p *pool) serve() {
	for t := range p.next {
		token := t.lease.Token
		output, err := p.run(t)
		t.cancel()
		p.mu.Lock()
		p.tasks[t.slot] = nil
		p.free = append(p.free, t.slot)
		p.mu.Unlock()
		p.done(token, output, err)
	}
}

// run calls the function, and makes errors of what a bad function may do.
func (p *pool) run(t *poolTask) (output []byte, err error) {
	lease := t.lease
	defer func() {
		if r := recover(); r != nil {
			output, err = nil, fmt.Errorf("function %s panicked on units %v: %v", lease.Function, lease.Interval, r)
		}
	}()
	f, err := p.functions.Get(lease.Function)
	if err != nil {
		return nil, err
	}
	output, err = f.Run(t.ctx, function.Task{Input: lease.Input, Interval: lease.Interval, Progress: t.units.Store})
	if err == nil && len(output) > polymath.MaxInlineBytes {
		return nil, fmt.Errorf("the output for units %v has %d bytes, more than %d: ask for less at a time",
			lease.Interval, len(output), polymath.MaxInlineBytes)
	}
	return output, err
}

func (p *pool) Stop(token polymath.Token) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if t := p.task(token); t != nil {
		t.cancel()
	}
}

// task is the one of a lease, or nil. It is looked for, since few ask. p.mu is
// held.
func (p *pool) task(token polymath.Token) *poolTask {
	for _, t := range p.tasks {
		if t != nil && t.lease.Token == token {
			return t
		}
	}
	return nil
}

func (p *pool) Progress(token polymath.Token) uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	if t := p.task(token); t != nil {
		return t.units.Load()
	}
	return 0
}
