package primality

import (
	"math/big"
	"math/rand"
)

// rounds makes Miller-Rabin rounds on one n, beyond 2^64 and odd.
type rounds struct {
	n, minusOne, d *big.Int
	s              uint // n-1 = d * 2^s, d odd
	bases          *big.Int
	random         *rand.Rand
	x              big.Int
}

func newRounds(n *big.Int) *rounds {
	one := big.NewInt(1)
	minusOne := new(big.Int).Sub(n, one)
	s := minusOne.TrailingZeroBits()
	seed := new(big.Int).Mod(n, big.NewInt(1<<61-1)).Int64()
	return &rounds{
		n: n, minusOne: minusOne, d: new(big.Int).Rsh(minusOne, s), s: s,
		bases: new(big.Int).Sub(n, big.NewInt(3)), random: rand.New(rand.NewSource(seed)),
	}
}

// round is the strong test to a random base from 2 to n-2. The same n draws
// the same bases on every machine.
func (r *rounds) round() bool {
	base := new(big.Int).Rand(r.random, r.bases)
	return r.passes(base.Add(base, big.NewInt(2)))
}

// passes is the strong test to a base.
func (r *rounds) passes(base *big.Int) bool {
	x := r.x.Exp(base, r.d, r.n)
	if x.IsUint64() && x.Uint64() == 1 || x.Cmp(r.minusOne) == 0 {
		return true
	}
	for range r.s - 1 {
		x.Mul(x, x).Rem(x, r.n)
		if x.Cmp(r.minusOne) == 0 {
			return true
		}
	}
	return false
}
