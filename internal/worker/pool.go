package worker

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/function"
)

// pool is the Runner of real functions: a goroutine for each running lease.
type pool struct {
	functions *function.Set
	done      func(token polymath.Token, output []byte, err error)
	work      sync.WaitGroup

	mu    sync.Mutex
	tasks map[polymath.Token]*poolTask // guarded by mu
}

type poolTask struct {
	cancel context.CancelFunc
	units  atomic.Uint64
}

func newPool(functions *function.Set, done func(polymath.Token, []byte, error)) *pool {
	return &pool{functions: functions, done: done, tasks: make(map[polymath.Token]*poolTask)}
}

func (p *pool) Start(lease *polymath.Lease) {
	ctx, cancel := context.WithCancel(context.Background())
	t := &poolTask{cancel: cancel}
	token := lease.Token
	p.mu.Lock()
	p.tasks[token] = t
	p.mu.Unlock()
	p.work.Go(func() {
		output, err := p.run(ctx, lease, t)
		cancel()
		p.mu.Lock()
		delete(p.tasks, token)
		p.mu.Unlock()
		p.done(token, output, err)
	})
}

// run calls the function, and makes errors of what a bad function may do.
func (p *pool) run(ctx context.Context, lease *polymath.Lease, t *poolTask) (output []byte, err error) {
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

func (p *pool) Stop(token polymath.Token) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if t := p.tasks[token]; t != nil {
		t.cancel()
	}
}

func (p *pool) Progress(token polymath.Token) uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	if t := p.tasks[token]; t != nil {
		return t.units.Load()
	}
	return 0
}
