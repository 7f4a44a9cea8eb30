package prime

import (
	"context"
	"math"
	"math/bits"
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

// testedSegment, in bytes, is a segment whose survivors are tested: a tenth of
// a second of work, so that progress is seen.
const testedSegment = 64 << 10

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
// segment: base is the byte a segment starts with, covered the last number
// behind us. It returns ctx's error soon after ctx ends.
func (t *table) visit(ctx context.Context, w window, show func(base uint64, segment []byte, covered uint64)) error {
	limit, proven := w.sieving()
	size := min(max(minSegment, int(limit)/2), maxSegment)
	if !proven {
		size = testedSegment
	}
	s := newSieve(t, t.upTo(limit), w.from/turn, size)
	for end := w.to/turn + 1; s.base < end; {
		if err := ctx.Err(); err != nil {
			return err
		}
		base, segment := s.next(end - s.base)
		trim(base, segment, w.from, w.to)
		if !proven {
			if err := prove(ctx, base, segment); err != nil {
				return err
			}
		}
		covered := w.to
		if s.base < end {
			covered = s.base*turn - 1
		}
		show(base, segment, covered)
	}
	return nil
}

// sieving is to where the window is worth sieving, and whether that proves
// what survives. Preparing a prime costs a division, testing a survivor some
// thirty; a prime longer than the window meets hardly any number of it.
func (w window) sieving() (limit uint64, proven bool) {
	const worth = 32 // a window this many times shorter than the root is better tested
	root := sqrt(w.to)
	if root <= firstTable || root <= maxSieving && root/worth <= w.size() {
		return root, true
	}
	return min(max(w.size(), firstTable), root, maxSieving), false
}

// prove tests what is left in a segment and takes out what is not prime.
func prove(ctx context.Context, base uint64, segment []byte) error {
	count := 0
	for i, left := range segment {
		low := (base + uint64(i)) * turn
		for ; left != 0; left &= left - 1 {
			bit := bits.TrailingZeros8(left)
			if !isPrime(low + uint64(wheel[bit])) {
				segment[i] &^= 1 << bit
			}
			if count++; count%tested == 0 {
				if err := ctx.Err(); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// sqrt is the largest r with r*r <= n.
func sqrt(n uint64) uint64 {
	r := uint64(math.Sqrt(float64(n)))
	for r > math.MaxUint32 || r*r > n {
		r--
	}
	for r < math.MaxUint32 && (r+1)*(r+1) <= n {
		r++
	}
	return r
}
