package arithmetic

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/big"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/function"
	"github.com/polymath-run/polymath/internal/function/input"
	"github.com/polymath-run/polymath/internal/function/lines"
	"github.com/polymath-run/polymath/internal/number"
)

// Function is one of the five functions. Functions makes them.
type Function struct {
	operation operation
}

// microsPerPair is what a pair of short numbers costs on one core of the
// reference machine, read, computed and written.
const microsPerPair = 4

// pair is a and b.
type pair [2]number.Decimal

// pairs is the input: one pair given as a and b, or a list.
type pairs struct {
	one  bool
	list []pair
}

// Describe implements function.Function.
func (f Function) Describe() function.Description {
	op := f.operation
	return function.Description{
		Name:    op.name,
		Summary: op.summary,
		Kind:    function.List,
		Params: []function.Param{
			{Name: "a", Type: function.Decimal, Doc: op.a, Positional: true},
			{Name: "b", Type: function.Decimal, Doc: op.b, Positional: true},
			{Name: "pairs", Type: function.Pairs, Doc: fmt.Sprintf("instead of a and b: a list of up to %d pairs [a, b]", input.MaxElements)},
		},
		Unit:    "one pair",
		Cost:    fmt.Sprintf("microseconds; results have at most %d digits", number.MaxDigits),
		Example: op.example,
	}
}

// Plan implements function.Function.
func (f Function) Plan(data []byte) ([]byte, polymath.Plan, error) {
	in, err := f.read(data)
	if err != nil {
		return nil, polymath.Plan{}, err
	}
	canonical, err := in.canonical()
	if err != nil {
		return nil, polymath.Plan{}, err
	}
	if err := f.check(in); err != nil {
		return nil, polymath.Plan{}, err
	}
	units := uint64(len(in.list))
	return canonical, polymath.Plan{
		Units:   units,
		Reducer: polymath.Collect,
		Costs:   []polymath.CostPoint{{Unit: units, Micros: units * microsPerPair}},
	}, nil
}

// read reads an input.
func (f Function) read(data []byte) (pairs, error) {
	o, err := input.Parse(data, f.Describe().Params)
	if err != nil {
		return pairs{}, err
	}
	if !o.Has("pairs") {
		return readOne(o)
	}
	if o.Has("a") || o.Has("b") {
		return pairs{}, refuse(`give either "a" and "b" or "pairs"`)
	}
	elements, err := o.List("pairs")
	if err != nil {
		return pairs{}, err
	}
	list := make([]pair, len(elements))
	for i, e := range elements {
		if err := list[i].UnmarshalJSON(e); err != nil {
			return pairs{}, input.Wrap(err, input.Element("pairs", i))
		}
	}
	return pairs{list: list}, nil
}

func readOne(o input.Object) (pairs, error) {
	var p pair
	for i, name := range [...]string{"a", "b"} {
		if !o.Has(name) {
			return pairs{}, refuse(`field %q is missing: give "a" and "b", or a list of "pairs"`, name)
		}
		if err := o.Read(name, &p[i]); err != nil {
			return pairs{}, err
		}
	}
	return pairs{one: true, list: []pair{p}}, nil
}

// UnmarshalJSON reads a list of two numbers.
func (p *pair) UnmarshalJSON(data []byte) error {
	elements, err := input.Array(data)
	if err != nil {
		return err
	}
	if len(elements) != len(p) {
		return refuse("a pair has 2 numbers, not %d", len(elements))
	}
	for i, e := range elements {
		if err := p[i].UnmarshalJSON(e); err != nil {
			return err
		}
	}
	return nil
}

// canonical writes the input in canonical form.
func (in pairs) canonical() ([]byte, error) {
	if in.one {
		return input.Canonical(struct {
			A number.Decimal `json:"a"`
			B number.Decimal `json:"b"`
		}{in.list[0][0], in.list[0][1]})
	}
	return input.Canonical(struct {
		Pairs []pair `json:"pairs"`
	}{in.list})
}

// check refuses pairs that have no result, and results that do not fit an
// output together: all of them may come from one task.
func (f Function) check(in pairs) error {
	total := 0
	for i, p := range in.list {
		size, err := f.checkPair(p)
		if err != nil {
			if in.one {
				return input.Wrap(err, "b")
			}
			return input.Wrap(err, input.Element("pairs", i))
		}
		total += lines.Size(uint64(i), size)
		if total > polymath.MaxInlineBytes {
			return polymath.Errorf(polymath.TooLarge,
				"the results of the first %d pairs take more than %d bytes: split the list over several jobs",
				i+1, polymath.MaxInlineBytes)
		}
	}
	return nil
}

// checkPair bounds the size of the result of a pair, in bytes. Only a result
// near the limit is computed to know whether it is within.
func (f Function) checkPair(p pair) (size int, err error) {
	a, b := p[0].Rat(), p[1].Rat()
	if f.operation.check != nil {
		if err := f.operation.check(a, b); err != nil {
			return 0, err
		}
	}
	if size = f.operation.size(a, b); size <= number.MaxDigits {
		return size, nil
	}
	r := f.operation.compute(a, b)
	if number.Digits(r) > number.MaxDigits {
		return 0, tooLong()
	}
	return len(r.RatString()), nil
}

// Run implements function.Function. The longest list takes some 30 ms.
func (f Function) Run(ctx context.Context, task function.Task) ([]byte, error) {
	in, err := f.read(task.Input)
	if err != nil {
		return nil, err
	}
	var out []byte
	for unit := task.Interval.From; unit < task.Interval.To; unit++ {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		p := in.list[unit]
		r := f.operation.compute(p[0].Rat(), p[1].Rat())
		out = lines.Append(out, unit, r.RatString())
		task.Progress(unit + 1 - task.Interval.From)
	}
	return out, nil
}

// roundedDigits is how many significant digits a quotient is rounded to when
// its digits do not end: those of IEEE 754 decimal128.
const roundedDigits = 34

// Answer implements function.Function: a number, or a list of them in the
// order of the pairs. A quotient whose digits do not end is an object with its
// rounded and its exact form; null stands for a pair whose unit is dead.
func (f Function) Answer(data, accumulator []byte) (json.RawMessage, error) {
	in, err := f.read(data)
	if err != nil {
		return nil, err
	}
	values, err := lines.Read(accumulator, uint64(len(in.list)))
	if err != nil {
		return nil, err
	}
	answers := make([]json.RawMessage, len(values))
	for i, v := range values {
		if answers[i], err = show(v); err != nil {
			return nil, err
		}
	}
	if in.one {
		return answers[0], nil
	}
	return json.Marshal(answers)
}

// CheckOutput implements function.Checker.
func (f Function) CheckOutput(_ []byte, units polymath.Interval, output []byte) error {
	return lines.Check(output, units, checkResult)
}

// checkResult refuses a value that is none of Run's: a whole number or a
// fraction of two, of so many digits as there may be. What else could be read
// as one, such as 1e1000000, may take long.
func checkResult(value []byte) error {
	above, below, fraction := bytes.Cut(bytes.TrimPrefix(value, []byte{'-'}), []byte{'/'})
	if !digits(above) || fraction && (!digits(below) || len(bytes.Trim(below, "0")) == 0) {
		return polymath.Errorf(polymath.InvalidArgument, "%.80q is no result", value)
	}
	return nil
}

// digits reports whether a text is a whole number without a sign. That of a
// power of ten has one digit more than its inverse has places.
func digits(text []byte) bool {
	notDigit := func(r rune) bool { return r < '0' || r > '9' }
	return len(text) > 0 && len(text) <= number.MaxDigits+1 && !bytes.ContainsFunc(text, notDigit)
}

// show writes one result as JSON.
func show(value string) (json.RawMessage, error) {
	if value == "" {
		return json.RawMessage("null"), nil
	}
	r, ok := new(big.Rat).SetString(value)
	if !ok {
		return nil, polymath.Errorf(polymath.Internal, "%.80q is no result", value)
	}
	if number.Ends(r) {
		return number.JSON(r), nil
	}
	return json.Marshal(struct {
		Rounded string `json:"rounded"`
		Exact   string `json:"exact"`
	}{number.Round(r, roundedDigits), number.Format(r)})
}
