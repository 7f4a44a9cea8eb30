package number

import (
	"math/big"
	"strconv"
	"strings"

	"github.com/polymath-run/polymath"
)

// MaxDigits bounds a number written out in full, in decimal digits before and
// behind the point together: enough for any key or constant people paste, and
// read within a millisecond.
const MaxDigits = 10_000

// maxText bounds the text of a number, in bytes: every digit may be followed
// by an underscore, and there are a sign, a point and an exponent.
const maxText = 2*MaxDigits + 32

// maxExponentDigits bounds an exponent, in digits without leading zeros, so
// that it can be compared with MaxDigits in an int.
const maxExponentDigits = 6

// parse reads a number of any form.
func parse(text string) (*big.Rat, error) {
	if len(text) > maxText {
		return nil, tooLong(text)
	}
	digits, negative := cutSign(text)
	base, exponent, isPower := strings.Cut(digits, "^")
	var r *big.Rat
	var err error
	if isPower {
		r, err = parsePower(text, base, exponent)
	} else {
		r, err = parseDecimal(text, digits)
	}
	if err == nil && negative {
		r.Neg(r)
	}
	return r, err
}

// parseDecimal reads unsigned digits with an optional point and exponent.
func parseDecimal(text, digits string) (*big.Rat, error) {
	mantissa, exponentText, hasExponent := cutExponent(digits)
	whole, fraction, hasPoint := strings.Cut(mantissa, ".")
	whole, ok := clean(whole)
	if !ok {
		return nil, notNumber(text)
	}
	if hasPoint {
		if fraction, ok = clean(fraction); !ok {
			return nil, notNumber(text)
		}
	}
	exponent := 0
	if hasExponent {
		sign, negative := cutSign(exponentText)
		n, ok, fits := small(sign)
		if !ok {
			return nil, notNumber(text)
		}
		if !fits {
			return nil, tooLong(text)
		}
		if exponent = n; negative {
			exponent = -n
		}
	}
	return assemble(text, whole, fraction, exponent)
}

// assemble makes the number whole.fraction times 10^exponent.
func assemble(text, whole, fraction string, exponent int) (*big.Rat, error) {
	all := strings.TrimLeft(whole+fraction, "0")
	if all == "" {
		return new(big.Rat), nil
	}
	significant := strings.TrimRight(all, "0")
	exponent += len(all) - len(significant) - len(fraction)
	if len(significant)+max(exponent, 0) > MaxDigits || -exponent > MaxDigits {
		return nil, tooLong(text)
	}
	n, ok := new(big.Int).SetString(significant, 10)
	if !ok {
		return nil, notNumber(text)
	}
	if exponent >= 0 {
		return new(big.Rat).SetInt(n.Mul(n, pow10(exponent))), nil
	}
	return new(big.Rat).SetFrac(n, pow10(-exponent)), nil
}

// parsePower reads base^exponent, both unsigned whole numbers.
func parsePower(text, base, exponent string) (*big.Rat, error) {
	base, ok := clean(base)
	if !ok {
		return nil, notNumber(text)
	}
	n, ok, fits := small(exponent)
	if !ok {
		return nil, notNumber(text)
	}
	base = strings.TrimLeft(base, "0")
	if len(base) > MaxDigits || !fits {
		return nil, tooLong(text)
	}
	b, _ := new(big.Int).SetString("0"+base, 10)
	if TooLongPower(b, n) {
		return nil, tooLong(text)
	}
	r := new(big.Rat).SetInt(b.Exp(b, big.NewInt(int64(n)), nil))
	if Digits(r) > MaxDigits {
		return nil, tooLong(text)
	}
	return r, nil
}

// TooLongPower reports whether b^n, n >= 0, surely has more than MaxDigits
// digits, without computing it. When it does not, computing b^n is cheap.
func TooLongPower(b *big.Int, n int) bool {
	const bitsPerDigit = 4 // a little more than log2(10)
	return b.BitLen() > 1 && (b.BitLen()-1) > MaxDigits*bitsPerDigit/max(n, 1)
}

// cutSign takes a leading sign off.
func cutSign(s string) (rest string, negative bool) {
	if strings.HasPrefix(s, "-") {
		return s[1:], true
	}
	return strings.TrimPrefix(s, "+"), false
}

// cutExponent splits at the e of 1e9.
func cutExponent(s string) (mantissa, exponent string, found bool) {
	i := strings.IndexAny(s, "eE")
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+1:], true
}

// clean checks a run of at least one digit, in which single underscores may
// stand between two digits, and takes the underscores out.
func clean(s string) (digits string, ok bool) {
	underscores := 0
	for i := range len(s) {
		switch {
		case '0' <= s[i] && s[i] <= '9':
		case s[i] == '_' && i > 0 && i < len(s)-1 && s[i-1] != '_':
			underscores++
		default:
			return "", false
		}
	}
	if underscores > 0 {
		s = strings.ReplaceAll(s, "_", "")
	}
	return s, s != ""
}

// small reads the whole number of an exponent; fits says whether it is small
// enough to be one.
func small(s string) (n int, ok, fits bool) {
	s, ok = clean(s)
	if !ok {
		return 0, false, false
	}
	s = strings.TrimLeft(s, "0")
	if len(s) > maxExponentDigits {
		return 0, true, false
	}
	n, _ = strconv.Atoi("0" + s)
	return n, true, true
}

// pow10 is 10^n, n >= 0.
func pow10(n int) *big.Int {
	return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil)
}

func notNumber(text string) error {
	return polymath.Errorf(polymath.InvalidArgument,
		"%s is no number: write it like 1000000, 1_000_000, 1e6, 2^20, -5 or 2.5", quote(text))
}

func tooLong(text string) error {
	return polymath.Errorf(polymath.InvalidArgument,
		"%s is too long a number: written out it may have at most %d digits", quote(text), MaxDigits)
}

// quote shows what somebody typed, shortened.
func quote(text string) string {
	const most = 40 // bytes
	if len(text) > most {
		return strconv.Quote(text[:most] + "...")
	}
	return strconv.Quote(text)
}
