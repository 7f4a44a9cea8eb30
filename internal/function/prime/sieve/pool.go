package sieve

import (
	"context"
	"runtime"
	"sync"
)

// Pool lends sieves to goroutines and keeps the memory of those that come back
// for the next window. It is safe for concurrent use.
type Pool struct {
	shared func() *shared

	mu   sync.Mutex
	idle []*sieve // guarded by mu; at most one for each processor
}

// shared is what all sieves of a pool read and none writes.
type shared struct {
	kernel   *kernel
	patterns *[len(groups)]pattern
	table    []uint32
	steps    *[1 << stateBits]step
	ones     [block]byte // every number
	config   config
}

func newShared(k *kernel) *shared {
	s := &shared{kernel: k, patterns: makePatterns(), table: makeTable(), steps: makeSteps()}
	fillOnes(s.ones[:])
	s.config = configure(cacheSizes())
	return s
}

// NewPool makes a pool of sieves with the fastest kernels of this machine.
func NewPool() *Pool {
	return &Pool{shared: sync.OnceValue(func() *shared { return newShared(native()) })}
}

// NewPortablePool makes a pool of sieves in Go alone, as they are where there
// are no other kernels: for comparison.
func NewPortablePool() *Pool {
	return &Pool{shared: sync.OnceValue(func() *shared { return newShared(portable()) })}
}

// Visit shows a window segment by segment, in order. A segment is show's to
// change, and good until show returns; an error of show ends the visit. Visit
// returns ctx's error within some milliseconds after ctx ends.
func (p *Pool) Visit(ctx context.Context, w Window, show func(Segment) error) error {
	s := p.take()
	defer p.give(s)
	for last := false; !last; {
		var pass Window
		pass, w, last = s.cut(w)
		s.start(pass)
		for more := true; more; {
			var g Segment
			var err error
			if g, more, err = s.next(ctx); err != nil {
				return err
			}
			if err := show(g); err != nil {
				return err
			}
		}
	}
	return nil
}

func (p *Pool) take() *sieve {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := len(p.idle); n > 0 {
		s := p.idle[n-1]
		p.idle = p.idle[:n-1]
		return s
	}
	return newSieve(p.shared())
}

func (p *Pool) give(s *sieve) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s.arena.shrink()
	if len(p.idle) < runtime.GOMAXPROCS(0) {
		p.idle = append(p.idle, s)
	}
}
