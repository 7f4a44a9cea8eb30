package primecount

// closed is what remains of the formula beside the easy and hard leaves and
// the pairs: pi(y) - 1, the ordinary and the trivial leaves, and the part of
// the pairs that needs no sieve.
func (t *table) closed() uint64 {
	a, r := t.below.y, t.below.xRoot
	pairs := r*(r-1)/2 - a*(a-1)/2 // the sum of pi(p) - 1 for the primes p from y to the root of x
	return t.ordinary() + t.trivial() + a - 1 + pairs
}

// ordinary is the sum of mu(n) * phi(x/n, 7) for n up to y without a factor
// among the first 7 primes.
func (t *table) ordinary() (sum uint64) {
	for i, f := range t.factors[:wheelIndex(t.y)+1] {
		if f < smallestSieve-1 {
			continue
		}
		phi := t.pattern.phi(t.x / onWheel(i))
		if f&1 != 0 {
			sum -= phi
		} else {
			sum += phi
		}
	}
	return sum
}

// trivial counts the leaves p*q of primes p < q up to y with x/(p*q) < p:
// each has phi = 1.
func (t *table) trivial() (sum uint64) {
	for b := t.below.zRoot + 1; b <= t.below.y; b++ {
		p := uint64(t.primes[b])
		sum += t.below.y - t.pi(max(p, min(t.x/(p*p), t.y)))
	}
	return sum
}
