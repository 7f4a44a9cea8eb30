package prime

import "math/bits"

// isPrime decides whether n is prime, for every 64-bit n: by division for
// small divisors, then by strong probable-prime tests to a set of bases that
// is proven to leave no composite below 2^32 (Jaeschke 1993) or 2^64 (Jim
// Sinclair 2011, checked against Feitsma's list of all base-2 pseudoprimes).
func isPrime(n uint64) bool {
	for _, p := range [...]uint64{2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37} {
		if n%p == 0 {
			return n == p
		}
	}
	if n < 41*41 {
		return n > 1
	}
	m := newModulus(n)
	if n>>32 == 0 {
		return m.strong(2) && m.strong(7) && m.strong(61)
	}
	return m.strong(2) && m.strong(325) && m.strong(9375) && m.strong(28178) &&
		m.strong(450775) && m.strong(9780504) && m.strong(1795265022)
}

// modulus multiplies modulo an odd n > 1 in Montgomery form, where x stands
// as x * 2^64 mod n and no product needs a division.
type modulus struct {
	n       uint64
	inverse uint64 // n * inverse = 1 modulo 2^64
	one     uint64 // 1 in Montgomery form
	square  uint64 // 2^64 in Montgomery form: times it, x enters the form
}

func newModulus(n uint64) modulus {
	inverse := n // correct to 3 bits, and each round doubles them
	for range 5 {
		inverse *= 2 - n*inverse
	}
	one := -n % n
	return modulus{n, inverse, one, bits.Rem64(one, 0, n)}
}

// times is a * b / 2^64 mod n, for a, b < n.
func (m *modulus) times(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	q, _ := bits.Mul64(lo*m.inverse, m.n)
	r, borrow := bits.Sub64(hi, q, 0)
	return r + m.n&-borrow
}

// strong is the strong probable-prime test of n to a base: whether base^d is
// 1, or base^(d*2^i) is -1 for some i < s, where n-1 = d * 2^s and d is odd.
// A base that n divides proves nothing and passes.
func (m *modulus) strong(base uint64) bool {
	base %= m.n
	if base == 0 {
		return true
	}
	minusOne := m.n - m.one
	s := bits.TrailingZeros64(m.n - 1)
	x := m.power(m.times(base, m.square), (m.n-1)>>s)
	if x == m.one || x == minusOne {
		return true
	}
	for range s - 1 {
		if x = m.times(x, x); x == minusOne {
			return true
		}
	}
	return false
}

// power is x^e, e > 0, x and the result in Montgomery form.
func (m *modulus) power(x, e uint64) uint64 {
	result := x
	for i := bits.Len64(e) - 2; i >= 0; i-- {
		result = m.times(result, result)
		if e>>i&1 != 0 {
			result = m.times(result, x)
		}
	}
	return result
}
