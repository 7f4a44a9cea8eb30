package primecount

import (
	"math/bits"
	"slices"
)

// countPrimes subtracts the pairs of primes p <= q beyond y whose x/p lies in
// the segment, and steps behind it. The first struck primes are out of the
// segment, and so is all that is not prime but 1.
func (w *interval) countPrimes(struck uint64) {
	s := &w.segment
	known := min(struck, w.pi(min(s.high-1, w.y))) // struck, but primes and below s.high
	below := max(known, w.primesBelow)
	if s.low == 0 {
		below-- // for 1
	}
	w.pairs(below)
	w.primesBelow = below + s.total
}

// pairs subtracts pi(x/p) for the primes p from y to the root of x with x/p in
// the segment, where below is to be added to the count of what is left in it.
func (w *interval) pairs(below uint64) {
	s := &w.segment
	least, most := max(w.y, w.x/s.high), w.xRoot
	if s.low > 0 {
		most = min(most, w.x/s.low)
	}
	if most <= least {
		return
	}
	base := (least + 1) / word * 8
	w.sieveWindow(base, most)
	c := counter{s: s}
	for i, set := range slices.Backward(w.window) {
		for set != 0 {
			bit := bits.Len8(set) - 1
			set ^= 1 << bit
			p := (base+uint64(i))*turn + wheel[bit]
			if p > most {
				continue
			}
			if p <= least {
				return
			}
			w.sum -= below + c.upTo(w.x/p)
		}
	}
}

// sieveWindow finds the primes from byte base to most, beyond y.
func (w *interval) sieveWindow(base, most uint64) {
	size := int(most/turn - base + 1)
	if cap(w.window) < size {
		w.window = make([]byte, size)
	}
	w.window = w.window[:size]
	w.pattern.copyTo(w.window, base)
	for b := patterned + 1; ; b++ {
		p := uint64(w.primes[b])
		if p*p > most {
			return
		}
		strike(w.window, base, p)
	}
}
