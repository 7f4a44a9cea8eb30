package functiontest

import (
	"bytes"
	"fmt"
	"math/big"

	"github.com/polymath-run/polymath"
)

// Merge is the reference of the reducers: it folds the outputs of all the
// intervals of a job, in the order of their units, into its accumulator, and
// refuses an output that has not the form of the reducer.
func Merge(reducer polymath.Reducer, outputs [][]byte) ([]byte, error) {
	if reducer == polymath.Collect {
		return bytes.Join(outputs, nil), nil
	}
	var total *big.Int
	for _, output := range outputs {
		if len(output) == 0 && (reducer == polymath.Min || reducer == polymath.Max) {
			continue
		}
		n, ok := new(big.Int).SetString(string(output), 10)
		if !ok || n.String() != string(output) {
			return nil, fmt.Errorf("output %.80q is no whole number in decimal", output)
		}
		if reducer == polymath.Count && n.Sign() < 0 {
			return nil, fmt.Errorf("a count of %s", n)
		}
		total = fold(reducer, total, n)
	}
	if total == nil {
		return nil, nil
	}
	return []byte(total.String()), nil
}

// fold adds one output; total is nil before the first.
func fold(reducer polymath.Reducer, total, n *big.Int) *big.Int {
	switch {
	case total == nil:
		return n
	case reducer == polymath.Min && n.Cmp(total) >= 0, reducer == polymath.Max && n.Cmp(total) <= 0:
		return total
	case reducer == polymath.Min, reducer == polymath.Max:
		return n
	default:
		return total.Add(total, n)
	}
}
