package primality

import "math"

// maxDivided is up to where numbers are divided by all primes to their root
// rather than tested: about where both cost the same.
const maxDivided = 1<<20 - 1

// quick is how many divisors a number is tried by before it is tested. Three
// out of four odd composites end there.
const quick = 15

// divisor is an odd prime p as it is told from its multiples: p divides n when
// n * inverse, which is then the quotient, is at most most. The words of n
// have to be no wider than those of the divisor, which may wrap around.
type divisor[W uint32 | uint64] struct {
	inverse, most W
}

func (d divisor[W]) divides(n W) bool { return n*d.inverse <= d.most }

// The divisors, odd primes in order; they are constant.
var (
	short = makeShort() // to the root of maxDivided
	long  = makeLong()
	roots = makeRoots() // roots[r] is how many of short are at most r
)

// The odd primes below 1024, the root of maxDivided and one, are so many.
const shorts = 171

func makeShort() (all [shorts]divisor[uint32]) {
	p := uint64(1)
	for i := range all {
		p = nextOdd(p)
		all[i] = divisor[uint32]{uint32(Inverse(p)), math.MaxUint32 / uint32(p)}
	}
	return all
}

func makeLong() (all [quick]divisor[uint64]) {
	p := uint64(1)
	for i := range all {
		p = nextOdd(p)
		all[i] = divisor[uint64]{Inverse(p), math.MaxUint64 / p}
	}
	return all
}

func makeRoots() (counts [1 << 10]uint8) {
	var count uint8
	for p := range counts {
		if p > 2 && dividesNone(uint64(p)) {
			count++
		}
		counts[p] = count
	}
	return counts
}

// nextOdd is the first prime beyond an odd p.
func nextOdd(p uint64) uint64 {
	for p += 2; !dividesNone(p); p += 2 {
	}
	return p
}

// dividesNone reports whether no number from 2 to the root of p divides it.
func dividesNone(p uint64) bool {
	for d := uint64(2); d*d <= p; d++ {
		if p%d == 0 {
			return false
		}
	}
	return true
}

// IsPrime decides whether n is prime; the answer is proven.
func IsPrime(n uint64) bool {
	if n%2 == 0 || n < 9 {
		return n == 2 || n == 3 || n == 5 || n == 7
	}
	if n <= maxDivided {
		return hasNoDivisor(uint32(n))
	}
	for _, d := range long {
		if d.divides(n) {
			return false
		}
	}
	m := NewModulus(n)
	return m.strong() && m.lucas()
}

// hasNoDivisor divides an odd n up to maxDivided by all primes to its root.
func hasNoDivisor(n uint32) bool {
	root := int(math.Sqrt(float64(n))) // of so small a number, exact when cut
	for _, d := range short[:roots[root]] {
		if d.divides(n) {
			return false
		}
	}
	return true
}
