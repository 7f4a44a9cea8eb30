package primecount

import "context"

// easyUnit is the sum of an easy unit over the leaves p*q of primes p < q up
// to y, p beyond the root of y, with p*q > z but x/(p*q) >= p: the quotient v
// is below y and p^2, so that phi(v, b-1) = pi(v) - b + 2 is in the table.
func (t *table) easyUnit(ctx context.Context, unit uint64) (sum uint64, err error) {
	first := max(patterned, t.below.yRoot) + 1
	for b := first + unit; b <= t.below.xCubeRoot; b += t.easy {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		sum += t.easyLeaves(b)
	}
	return sum, nil
}

// easyLeaves is the sum for the b-th prime p.
func (t *table) easyLeaves(b uint64) (sum uint64) {
	p := uint64(t.primes[b])
	xp := t.x / p
	most := min(xp/p, t.y)                            // beyond, leaves are trivial
	least := max(p, t.z/p)                            // to here, they are hard
	sparse := max(p, min(squareRoot(xp), t.y), least) // to here, each quotient is another
	l := t.pi(most)
	for uint64(t.primes[l]) > sparse {
		// All q from here down to the quotient by the next prime have as many primes below xp/q.
		pi := t.pi(quotient(xp, uint64(t.primes[l])))
		next := max(xp/uint64(t.primes[pi+1]), sparse)
		to := t.pi(next)
		sum += (pi + 2 - b) * (l - to)
		l = to
	}
	for ; uint64(t.primes[l]) > least; l-- {
		sum += t.pi(quotient(xp, uint64(t.primes[l]))) + 2 - b
	}
	return sum
}
