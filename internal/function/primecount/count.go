package primecount

import (
	"context"
	"sync"

	"github.com/polymath-run/polymath"
)

// Count is the number of primes up to x, at most MaxX, found by so many
// goroutines. It calls progress, which may be nil, with the units that are
// done of all, from one goroutine at a time. It returns ctx's error soon after
// ctx ends.
func Count(ctx context.Context, x uint64, goroutines int, progress func(done, total uint64)) (uint64, error) {
	if x > MaxX {
		return 0, polymath.Errorf(polymath.InvalidArgument, "%d is out of range: primes are counted up to %d", x, uint64(MaxX))
	}
	s := newShape(x)
	if s.units() == 1 {
		return small(ctx, x)
	}
	t, err := newTable(ctx, s)
	if err != nil {
		return 0, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	c := counting{table: t, share: 4 * uint64(goroutines), progress: progress}
	var all sync.WaitGroup
	for range goroutines {
		all.Go(func() {
			if err := c.work(ctx); err != nil {
				c.fail(err)
				cancel()
			}
		})
	}
	all.Wait()
	return c.sum, c.err
}

// counting is one count by several goroutines.
type counting struct {
	*table
	share    uint64 // a goroutine takes this part of what is left
	progress func(done, total uint64)

	mu   sync.Mutex // guards all below
	next uint64     // the first unit that nobody has taken
	done uint64
	sum  uint64
	err  error // the first one
}

// work takes units until there are none.
func (c *counting) work(ctx context.Context) error {
	for {
		units := c.take()
		if units.Empty() {
			return nil
		}
		var before uint64
		part, err := c.run(ctx, units, func(done uint64) {
			c.finished(done - before)
			before = done
		})
		if err != nil {
			return err
		}
		c.mu.Lock()
		c.sum += part
		c.mu.Unlock()
	}
}

// take takes some of the units that are left: many at first, as each run of
// hard ones starts its sieve anew, and single ones at last.
func (c *counting) take() polymath.Interval {
	c.mu.Lock()
	defer c.mu.Unlock()
	left := polymath.Interval{From: c.next, To: c.units()}
	units, rest := left.Split(max(left.Len()/c.share, 1))
	c.next = rest.From
	return units
}

func (c *counting) finished(units uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.done += units
	if c.progress != nil {
		c.progress(c.done, c.units())
	}
}

func (c *counting) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil {
		c.err = err
	}
}
