package primality

import (
	"context"
	"math/big"
)

// Rounds is how many Miller-Rabin rounds Probable makes.
const Rounds = 20

// ErrorBound says in words how sure Probable is: each round lets through a
// fourth of the bases at most, whatever the composite.
const ErrorBound = "4^-20"

// Probable reports whether n is prime. A false is proven. A true is proven
// below 2^64; beyond, n passed Baillie-PSW, for which no exception is known, and
// Rounds Miller-Rabin rounds to bases that n seeds, which a composite that was
// not made to pass them does with a probability of ErrorBound at most.
//
// It returns ctx's error soon after ctx ends: after one exponentiation modulo
// n, some 10 ms for a thousand digits.
func Probable(ctx context.Context, n *big.Int) (bool, error) {
	if n.IsUint64() {
		return IsPrime(n.Uint64()), ctx.Err()
	}
	if n.Sign() < 0 || n.Bit(0) == 0 || hasSmallDivisor(n) {
		return false, ctx.Err()
	}
	t := newRounds(n)
	if err := ctx.Err(); err != nil || !t.passes(big.NewInt(2)) {
		return false, err
	}
	if passed, err := longLucas(ctx, n); err != nil || !passed {
		return false, err
	}
	for range Rounds {
		if err := ctx.Err(); err != nil {
			return false, err
		}
		if !t.round() {
			return false, nil
		}
	}
	return true, ctx.Err()
}

// hasSmallDivisor tells whether one of the primes of long divides an n > 2^64,
// by the rest of n modulo their product, which is just below 2^64.
func hasSmallDivisor(n *big.Int) bool {
	const product = 3 * 5 * 7 * 11 * 13 * 17 * 19 * 23 * 29 * 31 * 37 * 41 * 43 * 47 * 53
	rest := new(big.Int).Mod(n, new(big.Int).SetUint64(product)).Uint64()
	for _, d := range long {
		if d.divides(rest) {
			return true
		}
	}
	return false
}
