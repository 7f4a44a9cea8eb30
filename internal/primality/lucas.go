package primality

import (
	"math"
	"math/bits"
)

// lucas is the extra strong Lucas test (Grantham 2000, after Mo and Jones):
// with the smallest P >= 3 for which D = P^2 - 4 is no square modulo n, and
// n+1 = d * 2^s, whether U(d) is 0 and V(d) is 2 or -2, or V(d*2^i) is 0 for
// some i < s-1. Primes pass; of the composites that pass, none below 2^64 is
// a strong pseudoprime to base 2.
func (m *Modulus) lucas() bool {
	p, ok := m.lucasParameter()
	if !ok {
		return false
	}
	s := bits.TrailingZeros64(m.n + 1)
	if m.n == math.MaxUint64 {
		return false // 2^64-1, whose n+1 has 65 bits, is divisible by 3
	}
	v, next := m.lucasPair(p, (m.n+1)>>s)
	two := m.Plus(m.one, m.one)
	if v == two || v == m.n-two {
		// D * U(d) = 2 * V(d+1) - P * V(d)
		if m.Plus(next, next) == m.times(p, v) {
			return true
		}
	}
	for range s - 1 {
		if v == 0 {
			return true
		}
		v = m.Minus(m.Times(v, v), two)
	}
	return false
}

// lucasPair gives V(d) and V(d+1) of the sequence V(0) = 2, V(1) = p, V(k+1) =
// p*V(k) - V(k-1), in Montgomery form, by V(2k) = V(k)^2 - 2 and V(2k+1) =
// V(k)*V(k+1) - p.
func (m *Modulus) lucasPair(p, d uint64) (v, next uint64) {
	two := m.Plus(m.one, m.one)
	one := m.times(p, m.one)
	v, next = one, m.Minus(m.Times(one, one), two)
	for i := bits.Len64(d) - 2; i >= 0; i-- {
		mixed := m.Minus(m.Times(v, next), one)
		if d>>i&1 != 0 {
			v, next = mixed, m.Minus(m.Times(next, next), two)
		} else {
			v, next = m.Minus(m.Times(v, v), two), mixed
		}
	}
	return v, next
}

// squareAfter is how many P are tried before n is suspected to be a square,
// for which none will do.
const squareAfter = 24

// lucasParameter finds P; false if n turned out to be composite.
func (m *Modulus) lucasParameter() (p uint64, ok bool) {
	for p = 3; ; p++ {
		switch jacobi(p*p-4, m.n) {
		case -1:
			return p, true
		case 0:
			return 0, false // a common factor: n is greater than any D here
		}
		if p == squareAfter && isSquare(m.n) {
			return 0, false
		}
	}
}

// jacobi is the Jacobi symbol (d/n), n odd.
func jacobi(d, n uint64) int {
	sign := 1
	for d != 0 {
		z := bits.TrailingZeros64(d)
		d >>= z
		if z&1 != 0 && (n&7 == 3 || n&7 == 5) {
			sign = -sign
		}
		if d&n&3 == 3 {
			sign = -sign
		}
		d, n = n%d, d
	}
	if n != 1 {
		return 0
	}
	return sign
}

func isSquare(n uint64) bool {
	r := uint64(math.Sqrt(float64(n)))
	for r = min(r, math.MaxUint32); r*r > n; r-- {
	}
	for r < math.MaxUint32 && (r+1)*(r+1) <= n {
		r++
	}
	return r*r == n
}
