package prime

import (
	"context"
	"math"
	"math/bits"

	"github.com/polymath-run/polymath/internal/function/prime/sieve"
	"github.com/polymath-run/polymath/internal/primality"
)

// window is a range of numbers to find primes in, both ends included.
type window struct {
	from, to uint64
}

// size is how many numbers the window has; 2^64-1 stands for 2^64.
func (w window) size() uint64 {
	if n := w.to - w.from; n < math.MaxUint64 {
		return n + 1
	}
	return math.MaxUint64
}

// tested is how many survivors are tested between two looks at the context:
// half a millisecond of work.
const tested = 256

// small lists the primes of the window that are not in the wheel.
func (w window) small() (primes []uint64) {
	for _, p := range [...]uint64{2, 3, 5} {
		if w.from <= p && p <= w.to {
			primes = append(primes, p)
		}
	}
	return primes
}

// visit shows the primes of the window that are in the wheel, segment by
// segment. It returns ctx's error soon after ctx ends, and calls alive, unless
// it is nil, every few milliseconds while there is no segment to show.
func visit(ctx context.Context, pool *sieve.Pool, w window, alive func(), show func(sieve.Segment)) error {
	limit, proven := w.sieving()
	if alive == nil {
		alive = func() {}
	}
	return pool.Visit(ctx, sieve.Window{From: w.from, To: w.to, Limit: limit, Alive: alive}, func(g sieve.Segment) error {
		if !proven {
			if err := prove(ctx, g, alive); err != nil {
				return err
			}
		}
		show(g)
		return nil
	})
}

// maxSieving is to where a window is sieved whose survivors are tested.
const maxSieving = 1 << 24

// sieving is to where the window is worth sieving, and whether that proves
// what survives. A short window far out is cheaper to try number by number
// than the sieve to its root is to prepare.
func (w window) sieving() (limit uint64, proven bool) {
	root := sieve.Sqrt(w.to)
	if root <= sieve.MinLimit || w.sieved() <= w.tried() {
		return root, true
	}
	return min(max(w.size(), sieve.MinLimit), root, maxSieving), false
}

// prove tests what is left in a segment and takes out what is not prime.
func prove(ctx context.Context, g sieve.Segment, alive func()) error {
	count := 0
	for i, left := range g.Bytes {
		low := (g.Base + uint64(i)) * sieve.Turn
		for ; left != 0; left &= left - 1 {
			bit := bits.TrailingZeros8(left)
			if !primality.IsPrime(low + uint64(sieve.Wheel[bit])) {
				g.Bytes[i] &^= 1 << bit
			}
			if count++; count%tested == 0 {
				if err := ctx.Err(); err != nil {
					return err
				}
				alive()
			}
		}
	}
	return nil
}
