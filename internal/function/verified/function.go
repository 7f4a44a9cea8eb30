package verified

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/function"
	"github.com/polymath-run/polymath/internal/function/input"
)

// verify is the parameter this package adds.
const verify = "verify"

// MaxTo is how far a range can be verified: as far as the formula counts.
const MaxTo = 1_000_000_000_000_000_000

// Function is a function that counts the primes of a range, with the parameter
// verify added. Without it, it is what it was.
type Function struct {
	function.Function                   // of from, to and what
	formula           function.Function // of x
}

// New adds verify to primes, by means of a function that counts to x.
func New(primes, formula function.Function) *Function { return &Function{primes, formula} }

// Describe implements function.Function.
func (f *Function) Describe() function.Description {
	d := f.Function.Describe()
	d.Params = append(slices.Clip(d.Params), function.Param{
		Name: verify, Type: function.Flag,
		Doc: "count twice, by sieve and by formula, and give the certificate of it; for counts, up to 1e18",
	})
	return d
}

// split takes verify out of an input.
func (f *Function) split(data []byte) (rest []byte, verified bool, err error) {
	o, err := input.Parse(data, f.Describe().Params)
	if err != nil {
		return nil, false, err
	}
	if !o.Has(verify) {
		return data, false, nil
	}
	if err := json.Unmarshal(o[verify], &verified); err != nil {
		return nil, false, polymath.Errorf(polymath.InvalidArgument, "field %q is %.40s: it must be true or false", verify, o[verify])
	}
	delete(o, verify)
	rest, err = json.Marshal(o)
	if err != nil {
		return nil, false, polymath.Errorf(polymath.InvalidArgument, "the input is no well-formed JSON: %w", err)
	}
	return rest, verified, nil
}

// Plan implements function.Function.
func (f *Function) Plan(data []byte) ([]byte, polymath.Plan, error) {
	rest, verified, err := f.split(data)
	if err != nil {
		return nil, polymath.Plan{}, err
	}
	canonical, plan, err := f.Function.Plan(rest)
	if err != nil || !verified {
		return canonical, plan, err
	}
	w, err := f.work(canonical)
	if err != nil {
		return nil, polymath.Plan{}, err
	}
	end := len(canonical) - 1 // of an object that has fields
	canonical = fmt.Appendf(canonical[:end:end], `,"%s":true}`, verify)
	return canonical, polymath.Plan{Units: w.units(), Reducer: polymath.Count, Costs: w.costs()}, nil
}

// Run implements function.Function.
func (f *Function) Run(ctx context.Context, task function.Task) ([]byte, error) {
	rest, verified, err := f.split(task.Input)
	if err != nil {
		return nil, err
	}
	if !verified {
		return f.Function.Run(ctx, task)
	}
	w, err := f.work(rest)
	if err != nil {
		return nil, err
	}
	t, err := w.run(ctx, task)
	if err != nil {
		return nil, err
	}
	return t.pack(), nil
}

// Answer implements function.Function. That of a verified count is an object
// of the count and its certificate; the certificate is missing while units
// are.
func (f *Function) Answer(data, accumulator []byte) (json.RawMessage, error) {
	rest, verified, err := f.split(data)
	if err != nil {
		return nil, err
	}
	if !verified {
		return f.Function.Answer(rest, accumulator)
	}
	w, err := f.work(rest)
	if err != nil {
		return nil, err
	}
	t, err := unpack(accumulator)
	if err != nil {
		return nil, err
	}
	return w.answer(t)
}

// counted is the value of a unit as a number.
func counted(output []byte) (uint64, error) {
	n, err := strconv.ParseUint(string(output), 10, 64)
	if err != nil {
		return 0, polymath.Errorf(polymath.Internal, "the sieve counts %.40q primes", output)
	}
	return n, nil
}

// CheckOutput implements function.Checker.
func (f *Function) CheckOutput(data []byte, units polymath.Interval, output []byte) error {
	rest, verified, err := f.split(data)
	switch {
	case err != nil:
		return err
	case !verified:
		return function.CheckOutput(f.Function, rest, units, output)
	}
	t, err := unpack(output)
	if err != nil {
		return err
	}
	return t.check(units.Len())
}
