package main

import (
	"context"
	"fmt"
	"sync"
)

// board is where a system that announces results does so, for those that wait
// for one job or for so many.
type board struct {
	mu       sync.Mutex
	finished map[string]bool
	changed  chan struct{} // closed and replaced with every announcement
}

func newBoard() *board {
	return &board{finished: make(map[string]bool), changed: make(chan struct{})}
}

// announce says that a job has finished.
func (b *board) announce(job string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.finished[job] = true
	close(b.changed)
	b.changed = make(chan struct{})
}

// wait waits for one job.
func (b *board) wait(ctx context.Context, job string) error {
	return b.until(ctx, "job "+job, func() bool { return b.finished[job] })
}

// drain waits for so many jobs.
func (b *board) drain(ctx context.Context, n int) error {
	return b.until(ctx, fmt.Sprint(n, " jobs"), func() bool { return len(b.finished) >= n })
}

// until waits for a condition on what is guarded.
func (b *board) until(ctx context.Context, what string, met func() bool) error {
	for {
		b.mu.Lock()
		ok, changed, n := met(), b.changed, len(b.finished)
		b.mu.Unlock()
		if ok {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("wait for %s with %d finished: %w", what, n, ctx.Err())
		}
	}
}
