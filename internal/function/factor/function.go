package factor

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/function"
	"github.com/polymath-run/polymath/internal/function/input"
	"github.com/polymath-run/polymath/internal/function/lines"
	"github.com/polymath-run/polymath/internal/number"
	"github.com/polymath-run/polymath/internal/primality"
)

// Function is the function factor. Make it with New.
type Function struct{}

// New makes the function factor.
func New() Function { return Function{} }

const (
	// MaxDigits bounds a number: a thousand digits are tested for being prime
	// in a quarter of a second, and nobody factors a hundred by this method.
	MaxDigits = 1_000
	// MaxNumbers bounds a list, so that its answers fit one output.
	MaxNumbers = 1_000

	defaultLimit = 10 * time.Second
	maxLimit     = 2 * time.Minute
)

// request is the input of factor.
type request struct {
	input.Numbers
	limit time.Duration // for each number
}

// Describe implements function.Function.
func (Function) Describe() function.Description {
	params := input.NumbersParams(fmt.Sprintf("the number, 1 or more, of up to %d digits", MaxDigits), MaxNumbers)
	return function.Description{
		Name:    "factor",
		Summary: "take numbers apart into prime factors",
		Kind:    function.List,
		Params: append(params, function.Param{
			Name: "limit", Type: function.Duration, Default: defaultLimit.String(),
			Doc: "how long to look for the factors of a number beyond 64 bits, up to 2m; counted in steps that take about so long",
		}),
		Unit: "one number",
		Cost: "below a millisecond a number up to 2^64-1, always complete; beyond, about a second for a factor of 12 digits, ten " +
			"for one of 14, until the limit: what is left then is named as composite",
		Example: function.Example{Args: "1000000016000000063", Input: `{"n":"1000000016000000063"}`, Answer: `{"factors":[1000000007,1000000009]}`},
	}
}

// Plan implements function.Function.
func (f Function) Plan(data []byte) ([]byte, polymath.Plan, error) {
	r, err := f.read(data)
	if err != nil {
		return nil, polymath.Plan{}, err
	}
	canonical, err := input.Canonical(struct {
		input.Fields
		Limit string `json:"limit"`
	}{r.Fields(), r.limit.String()})
	if err != nil {
		return nil, polymath.Plan{}, err
	}
	var text int
	var micros uint64
	for i, n := range r.List {
		text += lines.Size(uint64(i), maxText(len(n.String())))
		micros += r.micros(n)
	}
	if text > polymath.MaxInlineBytes {
		return nil, polymath.Plan{}, polymath.Errorf(polymath.TooLarge,
			`field "numbers": the factors might take %d bytes, and %d are taken; split the list over several jobs`, text, polymath.MaxInlineBytes)
	}
	units := uint64(len(r.List))
	return canonical, polymath.Plan{
		Units: units, Reducer: polymath.Collect,
		Costs:      []polymath.CostPoint{{Unit: units, Micros: micros}},
		LongestRun: r.longestRun(),
	}, nil
}

// longestRun is how long a task may take, in seconds: a number that uses up
// its limit makes no progress meanwhile, and a slow machine may need some
// times as long. 0 where all numbers are quick.
func (r request) longestRun() uint32 {
	const slow, spare = 4, 60
	for _, n := range r.List {
		if !n.Big().IsUint64() {
			return spare + slow*uint32(r.limit/time.Second)
		}
	}
	return 0
}

// micros is what a number may cost.
func (r request) micros(n number.Integer) uint64 {
	const word = 500 // the product of two primes of 32 bits
	if n.Big().IsUint64() {
		return word
	}
	return word + uint64(r.limit.Microseconds())
}

func (f Function) read(data []byte) (request, error) {
	o, in, err := input.ParseNumbers(data, f.Describe().Params, func(n number.Integer) error {
		if n.Sign() <= 0 || len(n.String()) > MaxDigits {
			return polymath.Errorf(polymath.InvalidArgument,
				"%s is out of range: whole numbers from 1, of up to %d digits, are taken", n.Clip(), MaxDigits)
		}
		return nil
	})
	if err != nil {
		return request{}, err
	}
	if len(in.List) > MaxNumbers {
		return request{}, polymath.Errorf(polymath.InvalidArgument,
			`field "numbers" has %d elements: at most %d are taken; split it over several jobs`, len(in.List), MaxNumbers)
	}
	limit, err := o.Duration("limit", defaultLimit, maxLimit)
	return request{in, limit}, err
}

// Run implements function.Function.
func (f Function) Run(ctx context.Context, task function.Task) ([]byte, error) {
	r, err := f.read(task.Input)
	if err != nil {
		return nil, err
	}
	var out []byte
	for unit := task.Interval.From; unit < task.Interval.To; unit++ {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		task.Progress(unit - task.Interval.From)
		found, err := take(ctx, r.List[unit].Big(), r.limit)
		if err != nil {
			return nil, err
		}
		out = lines.Append(out, unit, found.text())
	}
	task.Progress(task.Interval.Len())
	return out, nil
}

// Answer implements function.Function: the factors of the number, or a list
// of such; null stands for a number whose unit is dead.
func (f Function) Answer(data, accumulator []byte) (json.RawMessage, error) {
	r, err := f.read(data)
	if err != nil {
		return nil, err
	}
	return r.Answer(accumulator, func(value string) (any, error) { return parse(value, primality.ErrorBound) })
}

// CheckOutput implements function.Checker.
func (f Function) CheckOutput(_ []byte, units polymath.Interval, output []byte) error {
	return lines.Check(output, units, func(value []byte) error {
		_, err := parse(string(value), primality.ErrorBound)
		return err
	})
}
