package prime

import (
	"math/bits"
	"slices"
	"sync"
)

// maxSieving is the largest sieving prime kept: with all of them the sieve
// proves numbers to 2.8e14 by itself, in 4 MiB for the table and 12 MiB for
// each run. Beyond, the survivors are tested.
const maxSieving = 1 << 24

// firstTable is how far the table reaches when it is first asked. Its primes,
// squared, sieve the largest table there can be.
const firstTable = 1 << 12

// table keeps the sieving primes for all runs of a process. It grows by
// doubling and is never longer than to maxSieving.
type table struct {
	pattern []byte // see makePattern; never changed

	mu      sync.Mutex
	limit   uint64   // sieving holds all from firstSieving to here; guarded by mu
	sieving []uint32 // guarded by mu; what it points at is never changed
}

func newTable() *table { return &table{pattern: makePattern()} }

// upTo lists the sieving primes to limit, which is at most maxSieving. The
// caller must not change them.
func (t *table) upTo(limit uint64) []uint32 {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.limit == 0 {
		t.sieving, t.limit = trialPrimes(firstTable), firstTable
	}
	if limit > t.limit {
		reach := uint64(1) << bits.Len64(limit-1)
		t.sieving, t.limit = t.collect(reach), reach
	}
	n, found := slices.BinarySearch(t.sieving, uint32(limit))
	if found {
		n++
	}
	return t.sieving[:n]
}

// collect sieves the primes to limit by those of the first table.
func (t *table) collect(limit uint64) []uint32 {
	base := trialPrimes(firstTable)
	s := newSieve(t, base, 0, minSegment)
	var primes []uint32
	for s.base <= limit/turn {
		start, segment := s.next(limit/turn + 1 - s.base)
		trim(start, segment, firstSieving, limit)
		each(start, segment, func(p uint64) { primes = append(primes, uint32(p)) })
	}
	return primes
}

// trialPrimes finds the primes from firstSieving to limit by division.
func trialPrimes(limit uint32) (primes []uint32) {
	for n := uint32(firstSieving); n <= limit; n += 2 {
		prime := true
		for d := uint32(3); d*d <= n && prime; d += 2 {
			prime = n%d != 0
		}
		if prime {
			primes = append(primes, n)
		}
	}
	return primes
}

// each visits the numbers of a segment that are still in it, in order.
func each(base uint64, segment []byte, visit func(n uint64)) {
	for i, b := range segment {
		low := (base + uint64(i)) * turn
		for ; b != 0; b &= b - 1 {
			visit(low + uint64(wheel[bits.TrailingZeros8(b)]))
		}
	}
}
