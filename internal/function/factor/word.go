package factor

import (
	"math/bits"

	"github.com/polymath-run/polymath/internal/primality"
)

// trialLimit is to where factors are found by division: beyond, rho is as fast.
const trialLimit = 256

// batch is how many differences are multiplied before a common factor is
// looked for, which costs as much as some fifty products.
const batch = 128

// word finds the prime factors of n > 0, in no order.
func word(n uint64) (primes []uint64) {
	for p := uint64(2); p < trialLimit && p*p <= n; p += 1 + p&1 {
		for n%p == 0 {
			primes = append(primes, p)
			n /= p
		}
	}
	open := []uint64{n}
	for len(open) > 0 {
		n = open[len(open)-1]
		open = open[:len(open)-1]
		switch {
		case n == 1:
		case primality.IsPrime(n):
			primes = append(primes, n)
		default:
			d := rho(n)
			open = append(open, d, n/d)
		}
	}
	return primes
}

// rho finds a proper factor of an odd composite n: one sequence x^2 + c will.
func rho(n uint64) uint64 {
	m := primality.NewModulus(n)
	for c := m.One(); ; c = m.Plus(c, m.One()) {
		if d := cycle(&m, n, c); d != n {
			return d
		}
	}
}

// cycle follows x -> x^2 + c modulo n until two of its values are equal modulo
// a factor of n, and gives that factor; n itself where all of its factors
// showed at once. Values are compared with the one at the last power of two.
func cycle(m *primality.Modulus, n, c uint64) uint64 {
	y := m.Plus(m.One(), m.One())
	for length := 1; ; length *= 2 {
		x := y
		for range length {
			y = m.Plus(m.Times(y, y), c)
		}
		for done := 0; done < length; done += batch {
			start, product := y, m.One()
			for range min(batch, length-done) {
				y = m.Plus(m.Times(y, y), c)
				product = m.Times(product, m.Minus(x, y))
			}
			if common(product, n) != 1 {
				return retrace(m, n, c, x, start)
			}
		}
	}
}

// retrace goes through a batch again, one by one.
func retrace(m *primality.Modulus, n, c, x, y uint64) uint64 {
	for {
		y = m.Plus(m.Times(y, y), c)
		if d := common(m.Minus(x, y), n); d != 1 {
			return d
		}
	}
}

// common is the greatest common divisor of a and an odd n; n for a = 0.
func common(a, n uint64) uint64 {
	for a != 0 {
		a >>= bits.TrailingZeros64(a)
		if a < n {
			a, n = n, a
		}
		a -= n
	}
	return n
}
