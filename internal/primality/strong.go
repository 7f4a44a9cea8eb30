package primality

import "math/bits"

// strong is the strong probable-prime test to base 2: whether 2^d is 1, or
// 2^(d*2^i) is -1 for some i < s, where n-1 = d * 2^s and d is odd.
func (m *Modulus) strong() bool {
	minusOne := m.n - m.one
	s := bits.TrailingZeros64(m.n - 1)
	x := m.powerOfTwo((m.n - 1) >> s)
	if x == m.one || x == minusOne {
		return true
	}
	for range s - 1 {
		if x = m.Times(x, x); x == minusOne {
			return true
		}
	}
	return false
}

// powerOfTwo is 2^e, e > 0, in Montgomery form.
func (m *Modulus) powerOfTwo(e uint64) uint64 {
	x := m.Plus(m.one, m.one)
	for i := bits.Len64(e) - 2; i >= 0; i-- {
		x = m.Times(x, x)
		if e>>i&1 != 0 {
			x = m.Plus(x, x)
		}
	}
	return x
}
