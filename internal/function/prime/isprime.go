package prime

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/function"
	"github.com/polymath-run/polymath/internal/function/input"
	"github.com/polymath-run/polymath/internal/function/lines"
	"github.com/polymath-run/polymath/internal/number"
	"github.com/polymath-run/polymath/internal/primality"
)

// IsPrime is the function isprime.
type IsPrime struct{}

// The values of a unit.
const (
	yes      = "y"
	probably = "p"
	no       = "n"
)

// MaxDigits bounds a number to be tested: one of so many digits takes a quarter
// of a second, and 14 ms between looks at the context.
const MaxDigits = 1_000

// Describe implements function.Function.
func (IsPrime) Describe() function.Description {
	return function.Description{
		Name:    "isprime",
		Summary: "tell whether numbers are prime",
		Kind:    function.List,
		Params:  input.NumbersParams(fmt.Sprintf("the number, of up to %d digits, not negative", MaxDigits), input.MaxElements),
		Unit:    "one number",
		Cost: "a microsecond a number up to 2^64-1, for which the answer is proven; a millisecond for a hundred digits, a quarter " +
			"of a second for a thousand, where true comes with the bound of its error, " + primality.ErrorBound,
		Example: function.Example{Args: "18446744073709551557", Input: `{"n":"18446744073709551557"}`, Answer: "true"},
	}
}

// Plan implements function.Function.
func (f IsPrime) Plan(data []byte) ([]byte, polymath.Plan, error) {
	in, err := f.read(data)
	if err != nil {
		return nil, polymath.Plan{}, err
	}
	canonical, err := input.Canonical(in.Fields())
	if err != nil {
		return nil, polymath.Plan{}, err
	}
	units := uint64(len(in.List))
	var micros uint64
	for _, n := range in.List {
		micros += testMicros(n)
	}
	return canonical, polymath.Plan{
		Units: units, Reducer: polymath.Collect,
		Costs: []polymath.CostPoint{{Unit: units, Micros: micros}},
	}, nil
}

// testMicros is what a prime of the size of n costs on one core of the
// reference machine (Zen 3); most composites cost far less.
func testMicros(n number.Integer) uint64 {
	const word, perCube = 64, 12 // measured: 0.15 s for 52 words
	words := uint64(n.Big().BitLen()) / word
	return 1 + words*words*words*perCube/10
}

func (f IsPrime) read(data []byte) (input.Numbers, error) {
	_, in, err := input.ParseNumbers(data, f.Describe().Params, func(n number.Integer) error {
		if n.Sign() < 0 || len(n.String()) > MaxDigits {
			return polymath.Errorf(polymath.InvalidArgument,
				"%s is out of range: whole numbers from 0, of up to %d digits, are taken", n.Clip(), MaxDigits)
		}
		return nil
	})
	return in, err
}

// Run implements function.Function.
func (f IsPrime) Run(ctx context.Context, task function.Task) ([]byte, error) {
	in, err := f.read(task.Input)
	if err != nil {
		return nil, err
	}
	var out []byte
	for unit := task.Interval.From; unit < task.Interval.To; unit++ {
		done := unit - task.Interval.From
		n := in.List[unit].Big()
		if done%tested == 0 || !n.IsUint64() {
			task.Progress(done)
		}
		prime, err := primality.Probable(ctx, n)
		if err != nil {
			return nil, err
		}
		answer := no
		if prime {
			answer = yes
			if !n.IsUint64() {
				answer = probably
			}
		}
		out = lines.Append(out, unit, answer)
	}
	task.Progress(task.Interval.Len())
	return out, nil
}

// probable is the answer for a prime that is not proven.
type probable struct {
	Probable bool   `json:"probable"`
	Error    string `json:"error"`
}

// Answer implements function.Function: true or false, both proven, or that the
// number is prime but for an error of the given bound; a list of such for a
// list, where null stands for a number whose unit is dead.
func (f IsPrime) Answer(data, accumulator []byte) (json.RawMessage, error) {
	in, err := f.read(data)
	if err != nil {
		return nil, err
	}
	return in.Answer(accumulator, func(value string) (any, error) {
		if value == probably {
			return probable{true, primality.ErrorBound}, nil
		}
		return value == yes, nil
	})
}

// CheckOutput implements function.Checker.
func (f IsPrime) CheckOutput(_ []byte, units polymath.Interval, output []byte) error {
	return lines.Check(output, units, func(value []byte) error {
		switch string(value) {
		case yes, no, probably:
			return nil
		}
		return polymath.Errorf(polymath.InvalidArgument, "%.80q is no answer", value)
	})
}
