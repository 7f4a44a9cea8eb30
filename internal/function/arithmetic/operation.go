package arithmetic

import (
	"math/big"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/function"
	"github.com/polymath-run/polymath/internal/number"
)

// operation is what the five functions differ in.
type operation struct {
	name    string
	summary string
	a, b    string // what the operands are, for the help
	example function.Example
	// check refuses operands that have no result, or surely one of more
	// than number.MaxDigits digits. nil: none are.
	check func(a, b *big.Rat) error
	// size bounds the bytes of the result, written as a fraction, from above.
	size func(a, b *big.Rat) int
	// compute is quick for operands that passed check.
	compute func(a, b *big.Rat) *big.Rat
}

// Functions makes the functions add, subtract, multiply, divide and power.
func Functions() []function.Function {
	return []function.Function{add(), subtract(), multiply(), divide(), power()}
}

func add() Function {
	return Function{operation{
		name: "add", summary: "a + b, exactly", a: "a number", b: "the number added to it",
		example: function.Example{Args: "0.1 0.2", Input: `{"a":0.1,"b":0.2}`, Answer: "0.3"},
		size:    sizeOfSum,
		compute: func(a, b *big.Rat) *big.Rat { return a.Add(a, b) },
	}}
}

func subtract() Function {
	return Function{operation{
		name: "subtract", summary: "a - b, exactly", a: "a number", b: "the number taken from it",
		example: function.Example{Args: "1 0.9", Input: `{"a":1,"b":0.9}`, Answer: "0.1"},
		size:    sizeOfSum,
		compute: func(a, b *big.Rat) *big.Rat { return a.Sub(a, b) },
	}}
}

func multiply() Function {
	return Function{operation{
		name: "multiply", summary: "a * b, exactly", a: "a number", b: "the number it is multiplied by",
		example: function.Example{
			Args:   "123456789 987654321",
			Input:  `{"a":123456789,"b":987654321}`,
			Answer: `"121932631112635269"`,
		},
		size:    sizeOfProduct,
		compute: func(a, b *big.Rat) *big.Rat { return a.Mul(a, b) },
	}}
}

func divide() Function {
	return Function{operation{
		name: "divide", summary: "a / b: exact where the digits end, else rounded to 34 digits beside the exact fraction",
		a: "a number", b: "the number it is divided by, not 0",
		example: function.Example{
			Args:   "1 3",
			Input:  `{"a":1,"b":3}`,
			Answer: `{"rounded":"0.3333333333333333333333333333333333","exact":"1/3"}`,
		},
		check: func(_, b *big.Rat) error {
			if b.Sign() == 0 {
				return refuse("division by zero: the second number must not be 0")
			}
			return nil
		},
		size:    sizeOfQuotient,
		compute: func(a, b *big.Rat) *big.Rat { return a.Quo(a, b) },
	}}
}

func power() Function {
	return Function{operation{
		name: "power", summary: "a to the power of b, exactly", a: "a number", b: "the exponent, a whole number of either sign",
		example: function.Example{Args: "2 64", Input: `{"a":2,"b":64}`, Answer: `"18446744073709551616"`},
		check:   checkPower,
		size:    sizeOfPower,
		compute: raise,
	}}
}

// digitsOf bounds the decimal digits of n from above.
func digitsOf(n *big.Int) int {
	// log10(2) is a little less than 0.30103.
	return int(int64(n.BitLen())*30103/100000) + 1
}

// fraction is the size of sign, numerator, line and denominator.
func fraction(numerator, denominator int) int { return numerator + denominator + len("-/") }

func sizeOfSum(a, b *big.Rat) int {
	if a.IsInt() && b.IsInt() {
		return fraction(max(digitsOf(a.Num()), digitsOf(b.Num()))+1, 0)
	}
	denominator := digitsOf(a.Denom()) + digitsOf(b.Denom())
	return fraction(max(digitsOf(a.Num())+digitsOf(b.Denom()), digitsOf(b.Num())+digitsOf(a.Denom()))+1, denominator)
}

func sizeOfProduct(a, b *big.Rat) int {
	numerator := digitsOf(a.Num()) + digitsOf(b.Num())
	if a.IsInt() && b.IsInt() {
		return fraction(numerator, 0)
	}
	return fraction(numerator, digitsOf(a.Denom())+digitsOf(b.Denom()))
}

func sizeOfQuotient(a, b *big.Rat) int {
	return fraction(digitsOf(a.Num())+digitsOf(b.Denom()), digitsOf(a.Denom())+digitsOf(b.Num()))
}

// checkPower leaves an exponent that raise can take as an int, but for the
// bases whose powers stay small.
func checkPower(a, b *big.Rat) error {
	if !b.IsInt() {
		return refuse("the exponent must be a whole number, not %.40s", number.Format(b))
	}
	if a.Sign() == 0 && b.Sign() < 0 {
		return refuse("division by zero: 0 has no power with an exponent below 0")
	}
	if staysSmall(a) {
		return nil
	}
	n := new(big.Int).Abs(b.Num())
	if !n.IsInt64() || n.Int64() > maxExponent ||
		number.TooLongPower(absolute(a.Num()), int(n.Int64())) || number.TooLongPower(a.Denom(), int(n.Int64())) {
		return tooLong()
	}
	return nil
}

// maxExponent is beyond every exponent of a base other than 0, 1 and -1 whose
// power has number.MaxDigits digits or less: 2^40000 has 12042.
const maxExponent = 4 * number.MaxDigits

// staysSmall reports whether a is 0, 1 or -1.
func staysSmall(a *big.Rat) bool { return a.IsInt() && a.Num().BitLen() <= 1 }

func sizeOfPower(a, b *big.Rat) int {
	if staysSmall(a) {
		return len("-1")
	}
	n := new(big.Int).Abs(b.Num()).Int64()
	bitsToDigits := func(bits int) int { return int(int64(bits)*n*30103/100000) + 1 }
	if a.IsInt() && b.Sign() >= 0 {
		return fraction(bitsToDigits(a.Num().BitLen()), 0)
	}
	return fraction(bitsToDigits(a.Num().BitLen()), bitsToDigits(a.Denom().BitLen()))
}

// raise is a^b; 0^0 is 1, the empty product.
func raise(a, b *big.Rat) *big.Rat {
	exponent := new(big.Int).Abs(b.Num())
	if staysSmall(a) && exponent.Sign() > 0 {
		// Odd and even exponents are all there are for 0, 1 and -1.
		exponent.SetInt64(2 - int64(exponent.Bit(0)))
	}
	numerator := new(big.Int).Exp(a.Num(), exponent, nil)
	denominator := new(big.Int).Exp(a.Denom(), exponent, nil)
	if b.Sign() < 0 {
		numerator, denominator = denominator, numerator
	}
	return new(big.Rat).SetFrac(numerator, denominator)
}

func absolute(n *big.Int) *big.Int { return new(big.Int).Abs(n) }

func tooLong() error {
	return refuse("the result is too long: it may have at most %d digits", number.MaxDigits)
}

func refuse(format string, args ...any) error {
	return polymath.Errorf(polymath.InvalidArgument, format, args...)
}
