package factor

import (
	"math/big"
	"slices"
	"strconv"
	"strings"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/number"
)

// The marks before factors that are not proven primes.
const (
	probableMark  = "?"
	compositeMark = "!"
)

// none is the text of a number without prime factors: 1.
const none = "1"

// text writes what was found as the value of a unit: "2^3 7 ?PRIME !COMPOSITE",
// each kind in order of size.
func (f found) text() string {
	var words []string
	for _, kind := range []struct {
		mark    string
		factors []*big.Int
	}{{"", f.primes}, {probableMark, f.probable}, {compositeMark, f.composites}} {
		slices.SortFunc(kind.factors, (*big.Int).Cmp)
		for rest := kind.factors; len(rest) > 0; {
			n := 1
			for n < len(rest) && rest[n].Cmp(rest[0]) == 0 {
				n++
			}
			power := kind.mark + rest[0].String()
			if n > 1 {
				power += "^" + strconv.Itoa(n)
			}
			words = append(words, power)
			rest = rest[n:]
		}
	}
	if len(words) == 0 {
		return none
	}
	return strings.Join(words, " ")
}

// maxText is the length of the longest text for a number of so many digits.
// The smaller the primes the worse: a number below 10 needs 3, 2^2 for 4, and
// each further prime one for the blank and one more for an exponent.
func maxText(digits int) int { return 3*digits + 8 }

// answer is what a user reads of a number: the factors, each as often as it
// divides; their product is the number.
type answer struct {
	Factors   []number.Integer `json:"factors"`
	Probable  *uncertain       `json:"probable,omitempty"`
	Composite []number.Integer `json:"composite,omitempty"` // what the limit left over
}

// uncertain are factors that are prime but for an error.
type uncertain struct {
	Factors []number.Integer `json:"factors"`
	Error   string           `json:"error"`
}

// parse reads a text.
func parse(text, bound string) (answer, error) {
	a := answer{Factors: []number.Integer{}}
	if text == none {
		return a, nil
	}
	const most = 4 * number.MaxDigits // factors: a digit is worth less than four bits
	all := 0
	for factor := range strings.SplitSeq(text, " ") {
		list := &a.Factors
		if rest, marked := strings.CutPrefix(factor, probableMark); marked {
			if a.Probable == nil {
				a.Probable = &uncertain{Error: bound}
			}
			factor, list = rest, &a.Probable.Factors
		} else if rest, marked := strings.CutPrefix(factor, compositeMark); marked {
			factor, list = rest, &a.Composite
		}
		base, exponent, raised := strings.Cut(factor, "^")
		n, err := number.ParseInteger(base)
		times := 1
		if err == nil && raised {
			times, err = strconv.Atoi(exponent)
		}
		if all += times; err != nil || times < 1 || times > most || all > most {
			return answer{}, polymath.Errorf(polymath.Internal, "%.80q is no factor", factor)
		}
		for range times {
			*list = append(*list, n)
		}
	}
	return a, nil
}
