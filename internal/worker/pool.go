package worker

import (
	"context"
	"fmt"
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
	next      chan *poolTask // has room for all that Start may be told of: it does not wait
}

// poolTask is the Work on a lease, and then the Event of its end.
type poolTask struct {
	task    *Task
	stage   atomic.Uint32
	units   atomic.Uint64
	cancel  context.CancelFunc // once the stage is begun
	outcome Outcome
}

// The stages of a poolTask.
const (
	waiting = iota
	begun
	stopped // before it began
)

// newPool makes a pool for so many leases at a time. It must be closed.
func newPool(functions *function.Set, parallel int, post func(Event)) *pool {
	return &pool{functions: functions, post: post, parallel: parallel, next: make(chan *poolTask, parallel+maxInLine)}
}

// close returns when nothing runs any more; Start must not be called again.
func (p *pool) close() {
	close(p.next)
	p.work.Wait()
}

func (p *pool) Start(task *Task) Work {
	t := &poolTask{task: task}
	if p.started < p.parallel {
		p.started++
		p.work.Go(p.serve)
	}
	p.next <- t
	return t
}

// serve works on one lease after the other.
func (p *pool) serve() {
	for t := range p.next {
		ctx, cancel := context.WithCancel(context.Background())
		t.cancel = cancel
		if t.stage.CompareAndSwap(waiting, begun) {
			start := time.Now()
			t.outcome.Output, t.outcome.Err = p.run(ctx, t)
			t.outcome.Took = time.Since(start)
			p.post(t)
		}
		cancel()
	}
}

// Apply implements Event.
func (t *poolTask) Apply(l *Loop) { l.Done(t.task, t.outcome) }

// Stop implements Work.
func (t *poolTask) Stop() bool {
	if t.stage.CompareAndSwap(waiting, stopped) || t.stage.Load() == stopped {
		return false
	}
	t.cancel()
	return true
}

// Progress implements Work.
func (t *poolTask) Progress() (uint64, bool) { return t.units.Load(), t.stage.Load() == begun }

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
