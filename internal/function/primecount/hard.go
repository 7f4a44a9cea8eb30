package primecount

import "context"

// interval adds up what the sieve finds in a run of segments: the hard leaves
// and the pairs whose quotients lie in it.
type interval struct {
	*table
	segment     segment
	window      []byte   // primes p whose x/p is in the segment
	phi         []uint64 // phi[b]: numbers below the segment that the first b primes do not divide
	primesBelow uint64   // the primes below the segment
	sum         uint64   // modulo 2^64
}

// hardUnits is the sum over the hard leaves and the pairs of the hard units
// first..end-1. It calls progress with the number of the unit it is at.
func (t *table) hardUnits(ctx context.Context, first, end uint64, progress func(unit uint64)) (uint64, error) {
	w := interval{table: t}
	low := t.boundary(first)
	if err := w.start(ctx, low); err != nil {
		return 0, err
	}
	size := segmentBytes(t.z)
	w.segment.set = make([]byte, size)
	w.segment.blockShift = blockShift(size)
	unit, high := first, t.boundary(end)
	for low < high {
		next := min(low+uint64(size)*turn, high)
		w.segment.reset(t.pattern, low, next)
		if err := w.visit(ctx); err != nil {
			return 0, err
		}
		for low = next; unit < end && t.boundary(unit+1) <= low; {
			unit++
			progress(unit)
		}
	}
	return w.sum, nil
}

// segmentBytes is the length of a segment: it fits the first-level cache
// until the sieving primes outgrow it.
func segmentBytes(z uint64) int {
	const smallest, largest = 1 << 15, 1 << 18
	size := uint64(smallest)
	for size < largest && size*size < z {
		size *= 2
	}
	return int(size)
}

func blockShift(size int) (shift uint) {
	for blocks<<shift < size {
		shift++
	}
	return shift
}

// start prepares to begin at low.
func (w *interval) start(ctx context.Context, low uint64) error {
	w.phi = make([]uint64, w.below.zRoot+1)
	if low == 0 {
		return nil
	}
	phi, err := rougher(ctx, low-1)
	if err != nil {
		return err
	}
	w.primesBelow = fromRougher(phi)
	for b := range w.phi {
		switch {
		case b < len(phi):
			w.phi[b] = phi[b]
		case uint64(b) <= w.primesBelow:
			w.phi[b] = w.primesBelow - uint64(b) + 1
		default:
			w.phi[b] = 1
		}
	}
	return nil
}

// visit adds what the segment has.
func (w *interval) visit(ctx context.Context) error {
	s := &w.segment
	last := w.lastPrime()
	struck := uint64(patterned)
	for b := struck + 1; b <= last; b++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		p := uint64(w.primes[b])
		if b <= w.below.yRoot {
			w.products(b, p)
		} else {
			w.primeFactors(b, p)
		}
		w.phi[b-1] += s.total
		s.strike(p)
		struck = b
	}
	for b := struck + 1; b <= w.below.zRoot; b++ {
		p := uint64(w.primes[b])
		if p*p >= s.high {
			break
		}
		strike(s.set, s.low/turn, p)
		struck = b
	}
	s.recount()
	w.countPrimes(struck)
	return nil
}

// lastPrime is the last b with leaves in the segment or behind it.
func (w *interval) lastPrime() uint64 {
	low := w.segment.low
	if low == 0 {
		return w.below.zRoot
	}
	reach := w.pi(min(squareRoot(w.x/low), w.y))
	return max(w.below.yRoot, min(w.below.zRoot, reach))
}

// products adds the leaves p*m, m any product of primes beyond p, for the b-th
// prime p up to the root of y.
func (w *interval) products(b, p uint64) {
	s := &w.segment
	xp := w.x / p
	most, least := w.y, max(w.y/p, xp/s.high)
	if s.low > 0 {
		most = min(most, xp/s.low)
	}
	if most <= least {
		return
	}
	c := counter{s: s}
	below := w.phi[b-1]
	end := wheelIndex(least)
	for i := wheelIndex(most); i > end; i-- {
		f := w.factors[i]
		if uint64(f) <= p {
			continue
		}
		phi := below + c.upTo(quotient(xp, onWheel(i)))
		if f&1 != 0 {
			w.sum += phi
		} else {
			w.sum -= phi
		}
	}
}

// primeFactors adds the leaves p*q, q a prime beyond p, for the b-th prime p
// beyond the root of y. Those with p*q > z are easy ones.
func (w *interval) primeFactors(b, p uint64) {
	s := &w.segment
	xp := w.x / p
	most, least := min(w.y, w.z/p), max(p, xp/s.high)
	if s.low > 0 {
		most = min(most, xp/s.low)
	}
	if most <= least {
		return
	}
	c := counter{s: s}
	below := w.phi[b-1]
	for l := w.pi(most); ; l-- {
		q := uint64(w.primes[l])
		if q <= least {
			break
		}
		w.sum += below + c.upTo(quotient(xp, q))
	}
}
