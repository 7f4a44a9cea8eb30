package prime

import (
	"context"
	"encoding/json"
	"math"
	"strconv"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/function"
	"github.com/polymath-run/polymath/internal/function/input"
	"github.com/polymath-run/polymath/internal/function/lines"
	"github.com/polymath-run/polymath/internal/number"
	"github.com/polymath-run/polymath/internal/primality"
)

// Neighbour is the functions nextprime and prevprime. Make them with NextPrime
// and PrevPrime.
type Neighbour struct {
	name, summary string
	step          uint64 // to the next candidate: 1, or -1 modulo 2^64
	least, most   uint64 // the numbers that have such a neighbour below 2^64
	example       function.Example
}

// The primes at the ends of 64 bits.
const (
	smallest = 2
	largest  = math.MaxUint64 - 58
)

// maxNeighbours bounds a list: as many answers of 20 digits fit one output.
const maxNeighbours = 2_000

// NextPrime makes the function nextprime: the smallest prime beyond a number.
func NextPrime() *Neighbour {
	return &Neighbour{
		name: "nextprime", summary: "find the smallest prime greater than a number",
		step: 1, least: 0, most: largest - 1,
		example: function.Example{Args: "1e18", Input: `{"n":1e18}`, Answer: `"1000000000000000003"`},
	}
}

// PrevPrime makes the function prevprime: the largest prime below a number.
func PrevPrime() *Neighbour {
	return &Neighbour{
		name: "prevprime", summary: "find the largest prime less than a number",
		step: math.MaxUint64, least: smallest + 1, most: math.MaxUint64,
		example: function.Example{Args: "1e18", Input: `{"n":1e18}`, Answer: `"999999999999999989"`},
	}
}

// Describe implements function.Function.
func (f *Neighbour) Describe() function.Description {
	doc := "the number, " + strconv.FormatUint(f.least, 10) + " to " + strconv.FormatUint(f.most, 10)
	return function.Description{
		Name:    f.name,
		Summary: f.summary,
		Kind:    function.List,
		Params:  input.NumbersParams(doc, maxNeighbours),
		Unit:    "one number",
		Cost:    "some ten microseconds a number; the answer is proven",
		Example: f.example,
	}
}

// Plan implements function.Function.
func (f *Neighbour) Plan(data []byte) ([]byte, polymath.Plan, error) {
	in, err := f.read(data)
	if err != nil {
		return nil, polymath.Plan{}, err
	}
	canonical, err := input.Canonical(in.Fields())
	if err != nil {
		return nil, polymath.Plan{}, err
	}
	units := uint64(len(in.List))
	const micros = 12 // near 2^64
	return canonical, polymath.Plan{
		Units: units, Reducer: polymath.Collect,
		Costs: []polymath.CostPoint{{Unit: units, Micros: units * micros}},
	}, nil
}

func (f *Neighbour) read(data []byte) (input.Numbers, error) {
	_, in, err := input.ParseNumbers(data, f.Describe().Params, func(n number.Integer) error {
		if v, ok := n.Uint64(); !ok || v < f.least || v > f.most {
			return polymath.Errorf(polymath.InvalidArgument,
				"%s is out of range: from %d to %d a number has its %s below 2^64", n.Clip(), f.least, f.most, f.name)
		}
		return nil
	})
	if err == nil && len(in.List) > maxNeighbours {
		err = polymath.Errorf(polymath.InvalidArgument, `field "numbers" has %d elements: at most %d are taken; split it over several jobs`,
			len(in.List), maxNeighbours)
	}
	return in, err
}

// Run implements function.Function. The longest list takes some 20 ms.
func (f *Neighbour) Run(ctx context.Context, task function.Task) ([]byte, error) {
	in, err := f.read(task.Input)
	if err != nil {
		return nil, err
	}
	var out []byte
	for unit := task.Interval.From; unit < task.Interval.To; unit++ {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		n, _ := in.List[unit].Uint64() // which read has checked
		out = lines.Append(out, unit, strconv.FormatUint(f.of(n), 10))
	}
	task.Progress(task.Interval.Len())
	return out, nil
}

// of is the prime next to n.
func (f *Neighbour) of(n uint64) uint64 {
	for n += f.step; !primality.IsPrime(n); n += f.step {
	}
	return n
}

// Answer implements function.Function: the prime, or a list of them; null
// stands for a number whose unit is dead.
func (f *Neighbour) Answer(data, accumulator []byte) (json.RawMessage, error) {
	in, err := f.read(data)
	if err != nil {
		return nil, err
	}
	return in.Answer(accumulator, func(value string) (any, error) {
		n, err := number.ParseInteger(value)
		if err != nil {
			return nil, polymath.Errorf(polymath.Internal, "read the accumulator: %w", err)
		}
		return n, nil
	})
}

// CheckOutput implements function.Checker.
func (f *Neighbour) CheckOutput(_ []byte, units polymath.Interval, output []byte) error {
	return lines.Check(output, units, func(value []byte) error {
		if _, err := strconv.ParseUint(string(value), 10, 64); err != nil {
			return polymath.Errorf(polymath.InvalidArgument, "%.80q is no number below 2^64", value)
		}
		return nil
	})
}
