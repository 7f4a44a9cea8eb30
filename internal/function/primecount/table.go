package primecount

import (
	"context"
	"encoding/binary"
	"math"
	"math/bits"
)

// table is what all units of a count of the primes to x look up. It is built
// once and never changed.
type table struct {
	shape
	pattern *pattern
	primes  []uint32   // primes[b] is the b-th prime, to y and some beyond; primes[0] is 0
	counts  []primesTo // of each word of numbers, to y
	factors []uint16   // of each number on the wheel, to y: see factor
	xRoot   uint64     // of x
	below   struct {   // how many primes there are up to
		y, xRoot, yRoot, zRoot, xCubeRoot uint64
	}
}

// primesTo is a word of a set of primes and how many there are before it.
type primesTo struct {
	set    uint64
	before uint32
}

// newTable builds the table of a shape.
func newTable(ctx context.Context, s shape) (*table, error) {
	t := &table{shape: s, pattern: newPattern(), xRoot: squareRoot(s.x)}
	t.sievePrimes()
	if err := t.factorise(ctx); err != nil {
		return nil, err
	}
	t.below.y = t.pi(s.y)
	t.below.yRoot = t.pi(squareRoot(s.y))
	t.below.zRoot = t.pi(squareRoot(s.z))
	t.below.xCubeRoot = t.pi(cubeRoot(s.x))
	phi, err := rougher(ctx, t.xRoot)
	if err != nil {
		return nil, err
	}
	t.below.xRoot = fromRougher(phi)
	return t, nil
}

// fromRougher is the number of primes up to n, from phi(n, b) for the primes
// up to the root of n.
func fromRougher(phi []uint64) uint64 {
	last := len(phi) - 1
	return phi[last] + uint64(last) - 1
}

// sievePrimes lists and counts the primes up to y.
func (t *table) sievePrimes() {
	words := t.y/word + 1
	set := make([]byte, words*8)
	t.pattern.copyTo(set, 0)
	set[0] = 0xfe &^ 0 // 1 is no prime, and 7 to 17 are
	t.primes = append(make([]uint32, 0, len(set)), 0, 2, 3, 5)
	limit := squareRoot(words * word)
	each(set[:limit/turn+1], 0, func(p uint64) {
		if p >= smallestSieve && p <= limit && set[p/turn]>>spoke[p%turn]&1 != 0 {
			strike(set, 0, p)
			set[p/turn] |= 1 << spoke[p%turn]
		}
	})
	each(set, 0, func(p uint64) { t.primes = append(t.primes, uint32(p)) })
	t.counts = make([]primesTo, words)
	before := uint32(3)
	for i := range t.counts {
		c := primesTo{binary.LittleEndian.Uint64(set[i*8:]), before}
		t.counts[i] = c
		before += uint32(bits.OnesCount64(c.set))
	}
}

// pi is the number of primes up to n, for n from 5 to y.
func (t *table) pi(n uint64) uint64 {
	c := &t.counts[n/word]
	return uint64(c.before) + uint64(bits.OnesCount64(c.set&upTo[n%word]))
}

// A factor says of a number m on the wheel what the sums over m ask: whether
// its smallest prime factor is greater than p, and the sign mu(m). It is the
// smallest prime factor if that is odd in number, and one less if even; primes
// beyond 16 bits count as 2^16-1, and 1 as a number with no factor but that. A
// number that a square divides has 0. So m takes part where its factor is
// greater than p, and mu(m) is -1 for odd factors and 1 for even ones.
const (
	manyFactors = 0
	noFactor    = math.MaxUint16 - 1
	largeFactor = math.MaxUint16
)

// primesPerLook is how many primes factorise takes between looks at ctx.
const primesPerLook = 1 << 12

// factorise fills factors.
func (t *table) factorise(ctx context.Context) error {
	size := t.y/turn*8 + 8
	t.factors = make([]uint16, size)
	for b, prime := range t.primes[:t.pi(t.y)+1] {
		if b%primesPerLook == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		p := uint64(prime)
		if p <= 5 {
			continue
		}
		for _, k := range tracks(p) {
			for i := k.first*8 + uint64(k.bit); i < size; i += p * 8 {
				t.addFactor(i, p)
			}
		}
	}
	for b := 4; ; b++ {
		p := uint64(t.primes[b])
		if p*p > t.y {
			break
		}
		for _, k := range tracks(p * p) {
			for i := k.first*8 + uint64(k.bit); i < size; i += p * p * 8 {
				t.factors[i] = manyFactors
			}
		}
	}
	t.factors[0] = noFactor
	return nil
}

// addFactor notes that the prime p divides the i-th number of the wheel.
func (t *table) addFactor(i, p uint64) {
	if f := t.factors[i]; f == 0 {
		t.factors[i] = uint16(min(p, largeFactor))
	} else {
		t.factors[i] = f ^ 1
	}
}

// wheelIndex is how many numbers of the wheel there are below or at n, less
// one: the index of the largest of them.
func wheelIndex(n uint64) int {
	return int(n/turn*8) + bits.OnesCount64(upTo[n%turn]) - 1
}

// onWheel is the i-th number of the wheel.
func onWheel(i int) uint64 { return uint64(i)/8*turn + wheel[i%8] }
