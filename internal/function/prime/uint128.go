package prime

import (
	"math/big"
	"math/bits"

	"github.com/polymath-run/polymath/internal/function/prime/sieve"
)

// uint128 is a sum that passes 64 bits: the primes below 2^64 add up to less
// than 2^122.
type uint128 struct {
	hi, lo uint64
}

// add adds hi * 2^64 + lo.
func (u *uint128) add(hi, lo uint64) {
	var carry uint64
	u.lo, carry = bits.Add64(u.lo, lo, 0)
	u.hi, _ = bits.Add64(u.hi, hi, carry)
}

// addSegment adds the numbers of a segment. A byte with k numbers in it adds
// 30*k for every byte before it, and its members of the wheel.
func (u *uint128) addSegment(g sieve.Segment) {
	var count, places, members uint64
	for i, b := range g.Bytes {
		k := uint64(bits.OnesCount8(b))
		count += k
		places += k * uint64(i)
		members += uint64(memberSum[b])
	}
	u.add(bits.Mul64(g.Base*sieve.Turn, count))
	u.add(0, places*sieve.Turn+members)
}

// memberSum is the sum of the members of the wheel in a byte; it is constant.
var memberSum = makeMemberSum()

func makeMemberSum() (sums [256]uint8) {
	for b := range sums {
		for i, w := range sieve.Wheel {
			if b>>i&1 != 0 {
				sums[b] += w
			}
		}
	}
	return sums
}

// over is the quotient by d, or 2^64-1 where that has more than 64 bits.
func (u uint128) over(d uint64) uint64 {
	if u.hi >= d {
		return 1<<64 - 1
	}
	q, _ := bits.Div64(u.hi, u.lo, d)
	return q
}

// String is the sum in decimal.
func (u uint128) String() string {
	n := new(big.Int).SetUint64(u.hi)
	n.Lsh(n, 64)
	return n.Or(n, new(big.Int).SetUint64(u.lo)).String()
}
