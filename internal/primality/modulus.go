package primality

import "math/bits"

// Modulus multiplies modulo an odd n > 1 in Montgomery form, where x stands
// as x * 2^64 mod n and no product needs a division.
type Modulus struct {
	n       uint64
	inverse uint64 // n * inverse = 1 modulo 2^64
	one     uint64 // 1 in Montgomery form
}

// NewModulus prepares the modulus n, which must be odd and greater than 1.
func NewModulus(n uint64) Modulus {
	return Modulus{n, Inverse(n), -n % n}
}

// Inverse is the inverse of an odd n modulo 2^64.
func Inverse(n uint64) uint64 {
	inverse := 3*n ^ 2 // correct to 5 bits, and each round doubles them
	for range 4 {
		inverse *= 2 - n*inverse
	}
	return inverse
}

// One is 1 in Montgomery form.
func (m *Modulus) One() uint64 { return m.one }

// Times is a * b / 2^64 mod n, for a, b < n: the product where both are in
// Montgomery form.
func (m *Modulus) Times(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	q, _ := bits.Mul64(lo*m.inverse, m.n)
	r, borrow := bits.Sub64(hi, q, 0)
	return r + m.n&-borrow
}

// Plus is a + b mod n, for a, b < n.
func (m *Modulus) Plus(a, b uint64) uint64 { return m.Minus(a, m.n-b) }

// Minus is a - b mod n, for a < n and b <= n.
func (m *Modulus) Minus(a, b uint64) uint64 {
	r, borrow := bits.Sub64(a, b, 0)
	return r + m.n&-borrow
}

// times is k * a mod n for a small k > 0.
func (m *Modulus) times(k, a uint64) uint64 {
	sum := a
	for i := bits.Len64(k) - 2; i >= 0; i-- {
		sum = m.Plus(sum, sum)
		if k>>i&1 != 0 {
			sum = m.Plus(sum, a)
		}
	}
	return sum
}
