package prime

import (
	"context"
	"encoding/json"
	"fmt"
	"math"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/function"
	"github.com/polymath-run/polymath/internal/function/input"
	"github.com/polymath-run/polymath/internal/function/lines"
	"github.com/polymath-run/polymath/internal/number"
)

// IsPrime is the function isprime.
type IsPrime struct{}

// The values of a unit.
const (
	yes = "y"
	no  = "n"
)

// numbers is the input of isprime: one number or a list.
type numbers struct {
	one  bool
	list []uint64
}

// Describe implements function.Function.
func (IsPrime) Describe() function.Description {
	return function.Description{
		Name:    "isprime",
		Summary: "tell whether numbers are prime",
		Kind:    function.List,
		Params: []function.Param{
			{Name: "n", Type: function.Integer, Doc: "the number, 0 to 2^64-1", Positional: true},
			{Name: "numbers", Type: function.Integers, Doc: fmt.Sprintf("instead of n: a list of up to %d numbers", input.MaxElements)},
		},
		Unit:    "one number",
		Cost:    "a few microseconds a number, proven for every 64-bit number",
		Example: function.Example{Args: "18446744073709551557", Input: `{"n":"18446744073709551557"}`, Answer: "true"},
	}
}

// Plan implements function.Function.
func (f IsPrime) Plan(data []byte) ([]byte, polymath.Plan, error) {
	in, err := f.read(data)
	if err != nil {
		return nil, polymath.Plan{}, err
	}
	canonical, err := in.canonical()
	if err != nil {
		return nil, polymath.Plan{}, err
	}
	units := uint64(len(in.list))
	const micros = 4 // a large prime; composites cost a tenth
	plan := polymath.Plan{Units: units, Reducer: polymath.Collect, Costs: []polymath.CostPoint{{Unit: units, Micros: units * micros}}}
	return canonical, plan, nil
}

func (f IsPrime) read(data []byte) (numbers, error) {
	o, err := input.Parse(data, f.Describe().Params)
	if err != nil {
		return numbers{}, err
	}
	if o.Has("n") == o.Has("numbers") {
		return numbers{}, polymath.Errorf(polymath.InvalidArgument, `give one of the fields "n" and "numbers"`)
	}
	if o.Has("n") {
		n, err := o.Uint64("n", 0, math.MaxUint64)
		return numbers{one: true, list: []uint64{n}}, err
	}
	elements, err := o.List("numbers")
	if err != nil {
		return numbers{}, err
	}
	list := make([]uint64, len(elements))
	for i, e := range elements {
		if list[i], err = input.Uint64(e, math.MaxUint64); err != nil {
			return numbers{}, input.Wrap(err, input.Element("numbers", i))
		}
	}
	return numbers{list: list}, nil
}

// canonical writes the input in canonical form.
func (in numbers) canonical() ([]byte, error) {
	list := make([]number.Integer, len(in.list))
	for i, n := range in.list {
		list[i] = number.FromUint64(n)
	}
	if in.one {
		return input.Canonical(struct {
			N number.Integer `json:"n"`
		}{list[0]})
	}
	return input.Canonical(struct {
		Numbers []number.Integer `json:"numbers"`
	}{list})
}

// Run implements function.Function. The whole of the longest list takes some
// 30 ms, so that it looks at ctx now and then only.
func (f IsPrime) Run(ctx context.Context, task function.Task) ([]byte, error) {
	in, err := f.read(task.Input)
	if err != nil {
		return nil, err
	}
	var out []byte
	for unit := task.Interval.From; unit < task.Interval.To; unit++ {
		done := unit - task.Interval.From
		if done%tested == 0 {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			task.Progress(done)
		}
		answer := no
		if isPrime(in.list[unit]) {
			answer = yes
		}
		out = lines.Append(out, unit, answer)
	}
	task.Progress(task.Interval.Len())
	return out, nil
}

// Answer implements function.Function: true or false, or a list of them; null
// stands for a number whose unit is dead.
func (f IsPrime) Answer(data, accumulator []byte) (json.RawMessage, error) {
	in, err := f.read(data)
	if err != nil {
		return nil, err
	}
	values, err := lines.Read(accumulator, uint64(len(in.list)))
	if err != nil {
		return nil, err
	}
	answers := make([]*bool, len(values))
	for i, v := range values {
		if v != "" {
			prime := v == yes
			answers[i] = &prime
		}
	}
	if in.one {
		return json.Marshal(answers[0])
	}
	return json.Marshal(answers)
}
