package number

import (
	"math/big"
	"strings"
)

// Decimal is an exact number with finitely many digits behind the point. The
// zero value is 0. It is a value: it is never changed once it has been read.
type Decimal struct {
	v *big.Rat // nil is 0; the denominator divides a power of ten
}

// ParseDecimal reads a whole or decimal number.
func ParseDecimal(text string) (Decimal, error) {
	r, err := parse(text)
	if err != nil {
		return Decimal{}, err
	}
	return Decimal{r}, nil
}

// Rat is a copy of the number.
func (d Decimal) Rat() *big.Rat {
	if d.v == nil {
		return new(big.Rat)
	}
	return new(big.Rat).Set(d.v)
}

// String writes the number out: no exponent, no needless zeros.
func (d Decimal) String() string { return Format(d.Rat()) }

// MarshalJSON writes a JSON number where a double can hold it exactly, or
// give its digits back, and a string otherwise.
func (d Decimal) MarshalJSON() ([]byte, error) { return JSON(d.Rat()), nil }

// UnmarshalJSON reads a JSON number, or a string as ParseDecimal does.
func (d *Decimal) UnmarshalJSON(data []byte) error {
	text, err := jsonText(data)
	if err != nil {
		return err
	}
	*d, err = ParseDecimal(text)
	return err
}

// Format writes r exactly: in decimal digits where they end within MaxDigits,
// as a fraction in lowest terms, such as -1/3, otherwise. ParseFraction reads
// it back.
func Format(r *big.Rat) string {
	if places, ends := ending(r); ends {
		return r.FloatString(places)
	}
	return r.Num().String() + "/" + r.Denom().String()
}

// Ends reports whether the decimal digits of r end within MaxDigits behind the
// point.
func Ends(r *big.Rat) bool {
	_, ends := ending(r)
	return ends
}

// ending is how many places behind the point r needs, if they end.
func ending(r *big.Rat) (places int, ends bool) {
	places, ends = r.FloatPrec()
	return places, ends && places <= MaxDigits
}

// ParseFraction reads what Format wrote.
func ParseFraction(text string) (*big.Rat, error) {
	above, below, isFraction := strings.Cut(text, "/")
	r, err := parse(above)
	if err != nil || !isFraction {
		return r, err
	}
	d, err := parse(below)
	if err != nil {
		return nil, err
	}
	if d.Sign() == 0 {
		return nil, notNumber(text)
	}
	return r.Quo(r, d), nil
}

// Round writes r rounded to a number of significant digits, half away from
// zero. The digits before the point are never rounded away.
func Round(r *big.Rat, significant int) string {
	if r.Sign() == 0 {
		return "0"
	}
	above := new(big.Int).Abs(r.Num())
	whole := new(big.Int).Quo(above, r.Denom())
	places := significant
	if whole.Sign() > 0 {
		places -= len(whole.String())
	} else {
		// r lies between 10^-k and 10^-(k-1), where k is the number of
		// digits of 1/r: k-1 zeros follow the point.
		places += len(whole.Quo(r.Denom(), above).String()) - 1
	}
	text := r.FloatString(max(places, 0))
	if strings.Contains(text, ".") {
		text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
	}
	return text
}

// JSON writes r as Format does: as a bare number where a reader that keeps
// doubles gets the same digits back, as a string otherwise.
func JSON(r *big.Rat) []byte {
	// 15 significant digits survive a double; so do whole numbers to 2^53.
	const digitsOfDouble = 15
	bare := Ends(r) && Digits(r) <= digitsOfDouble
	if r.IsInt() {
		bare = exactAsDouble(r.Num())
	}
	if bare {
		return []byte(Format(r))
	}
	return []byte(`"` + Format(r) + `"`)
}

// Digits is how many digits Format writes, on both sides of the point
// together but for a lone 0 before it; of a fraction, the longer side counts.
func Digits(r *big.Rat) int {
	above, below, _ := strings.Cut(Format(r), "/")
	above = strings.TrimPrefix(above, "-")
	if whole, places, _ := strings.Cut(above, "."); whole == "0" && places != "" {
		return len(places)
	}
	return max(len(above)-strings.Count(above, "."), len(below))
}
