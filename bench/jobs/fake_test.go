package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/polymath-run/polymath/bench/process"
)

// fake is a system in memory that finishes every job at once. It fails the
// test when it is not used as a system may be used.
type fake struct {
	t       *testing.T
	running bool
	process *process.Process
	board   *board
	jobs    atomic.Int64
	lose    int64 // this job is never finished
	refuse  int64 // from this job on, none is taken
	counted error // of syncs

	mu    sync.Mutex
	calls map[int]int // how many jobs a call had
}

func newFake(t *testing.T) *fake { return &fake{t: t} }

func (f *fake) start(ctx context.Context, dir string) (err error) {
	if f.running {
		f.t.Error("started twice")
	}
	f.running, f.board, f.calls = true, newBoard(), make(map[int]int)
	f.jobs.Store(0)
	f.process, err = process.Start(exec.CommandContext(ctx, "sleep", "60"))
	return err
}

func (f *fake) submit(context.Context) (string, error) {
	n := f.jobs.Add(1)
	if f.refuse > 0 && n >= f.refuse {
		return "", errors.New("full")
	}
	f.count(1)
	name := strconv.FormatInt(n, 10)
	if n != f.lose {
		f.board.announce(name)
	}
	return name, nil
}

func (f *fake) count(jobs int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls[jobs]++
}

func (f *fake) wait(ctx context.Context, job string) error { return f.board.wait(ctx, job) }

func (f *fake) drain(ctx context.Context, n int) error {
	if have := f.jobs.Load(); have != int64(n) {
		return fmt.Errorf("%d jobs were submitted, not %d", have, n)
	}
	return f.board.drain(ctx, n)
}

func (f *fake) server() *process.Process { return f.process }

func (f *fake) syncs(context.Context) (int, error) { return int(f.jobs.Load()) / 2, f.counted }

func (f *fake) close() error {
	if !f.running {
		f.t.Error("closed, and not started")
	}
	f.running = false
	return f.process.Kill()
}

// fakeBulk takes many at a time, too.
type fakeBulk struct{ *fake }

func (f fakeBulk) submitMany(_ context.Context, n int) error {
	f.count(n)
	for last := f.jobs.Add(int64(n)); n > 0; n-- {
		f.board.announce(strconv.FormatInt(last-int64(n), 10))
	}
	return nil
}
