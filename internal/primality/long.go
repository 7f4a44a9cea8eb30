package primality

import (
	"context"
	"math/big"
)

// sequence is a Lucas sequence modulo n > 2^64, for the test that Modulus.lucas
// is below. It is here because that of math/big takes 30 ms for a thousand
// digits, in which it cannot be interrupted.
type sequence struct {
	n, p, two *big.Int
	product   big.Int // scratch, as is quotient
	quotient  big.Int
}

// bitsPerLook is how many bits of an index a sequence goes on by between looks
// at the context: a millisecond for a thousand digits.
const bitsPerLook = 64

// longLucas is the extra strong Lucas test for an odd n.
func longLucas(ctx context.Context, n *big.Int) (bool, error) {
	p, ok := longParameter(n)
	if !ok {
		return false, ctx.Err()
	}
	l := sequence{n: n, p: big.NewInt(p), two: big.NewInt(2)}
	d := new(big.Int).Add(n, big.NewInt(1))
	s := d.TrailingZeroBits()
	d.Rsh(d, s)
	v, next, err := l.pair(ctx, d)
	if err != nil {
		return false, err
	}
	if v.Cmp(l.two) == 0 || new(big.Int).Add(v, l.two).Cmp(n) == 0 {
		// D * U(d) = 2 * V(d+1) - P * V(d)
		var double big.Int
		if l.reduce(&double, double.Lsh(next, 1)); double.Cmp(l.times(new(big.Int), v, l.p)) == 0 {
			return true, nil
		}
	}
	for range s - 1 {
		if v.Sign() == 0 {
			return true, nil
		}
		l.double(v, v)
	}
	return false, nil
}

// longParameter finds P as Modulus.lucasParameter does.
func longParameter(n *big.Int) (p int64, ok bool) {
	for p = 3; ; p++ {
		switch big.Jacobi(big.NewInt(p*p-4), n) {
		case -1:
			return p, true
		case 0:
			return 0, false
		}
		if p == squareAfter {
			if root := new(big.Int).Sqrt(n); root.Mul(root, root).Cmp(n) == 0 {
				return 0, false
			}
		}
	}
}

// pair gives V(d) and V(d+1), as Modulus.lucasPair does.
func (l *sequence) pair(ctx context.Context, d *big.Int) (v, next *big.Int, err error) {
	v, next = new(big.Int).Set(l.p), new(big.Int)
	l.double(next, v)
	for i := d.BitLen() - 2; i >= 0; i-- {
		if i%bitsPerLook == 0 && ctx.Err() != nil {
			return nil, nil, ctx.Err()
		}
		if d.Bit(i) != 0 {
			l.mixed(v, v, next)
			l.double(next, next)
		} else {
			l.mixed(next, v, next)
			l.double(v, v)
		}
	}
	return v, next, nil
}

// double makes V(2k) of V(k).
func (l *sequence) double(to, v *big.Int) {
	l.product.Mul(v, v)
	l.reduce(to, l.product.Sub(&l.product, l.two))
}

// mixed makes V(2k+1) of V(k) and V(k+1).
func (l *sequence) mixed(to, v, next *big.Int) {
	l.product.Mul(v, next)
	l.reduce(to, l.product.Sub(&l.product, l.p))
}

func (l *sequence) times(to, a, b *big.Int) *big.Int {
	l.reduce(to, l.product.Mul(a, b))
	return to
}

// reduce makes x modulo n, from 0 to n-1.
func (l *sequence) reduce(to, x *big.Int) { l.quotient.DivMod(x, l.n, to) }
