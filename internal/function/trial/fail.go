package trial

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/function"
	"github.com/polymath-run/polymath/internal/function/input"
	"github.com/polymath-run/polymath/internal/number"
)

// Fail is the function fail.
type Fail struct{}

// How a unit fails.
const (
	withError = "error" // Run returns an error that names the unit
	withPanic = "panic" // Run panics
	withHang  = "hang"  // Run makes no progress until its context ends
)

// ways are all of them; the first is the default.
func ways() []string { return []string{withError, withPanic, withHang} }

// fault is the input of fail.
type fault struct {
	Units number.Integer   `json:"units"`
	At    []number.Integer `json:"at,omitempty"`
	How   string           `json:"how"`

	units uint64
	at    []uint64 // ascending, each once, below units
}

// Describe implements function.Function.
func (Fail) Describe() function.Description {
	return function.Description{
		Name:    "fail",
		Summary: "fail in some units, always, and count the others",
		Kind:    function.Range,
		Params: []function.Param{
			{Name: "units", Type: function.Integer, Doc: "how many units, 0 to 1e12", Required: true, Positional: true},
			{Name: "at", Type: function.Integers, Doc: fmt.Sprintf("the units that fail, up to %d, counted from 0", input.MaxElements)},
			{Name: "how", Type: function.Text, Doc: "error, panic or hang (until the lease is lost)", Default: withError, Choices: ways()},
		},
		Unit:    "nothing, or a failure",
		Cost:    "none",
		Example: function.Example{Args: "--units 3", Input: `{"units":3}`, Answer: "3"},
		Dev:     true,
	}
}

// Plan implements function.Function.
func (f Fail) Plan(data []byte) ([]byte, polymath.Plan, error) {
	in, err := f.read(data)
	if err != nil {
		return nil, polymath.Plan{}, err
	}
	canonical, err := input.Canonical(in)
	return canonical, polymath.Plan{Units: in.units, Reducer: polymath.Count}, err
}

func (f Fail) read(data []byte) (fault, error) {
	o, err := input.Parse(data, f.Describe().Params)
	if err != nil {
		return fault{}, err
	}
	var in fault
	if in.units, err = o.Uint64("units", 0, maxUnits); err != nil {
		return fault{}, err
	}
	if in.How, err = o.Choice("how", ways()...); err != nil {
		return fault{}, err
	}
	var elements []json.RawMessage
	if o.Has("at") {
		if elements, err = o.List("at"); err != nil {
			return fault{}, err
		}
	}
	for i, e := range elements {
		unit, err := input.Uint64(e, maxUnits)
		if err != nil {
			return fault{}, input.Wrap(err, input.Element("at", i))
		}
		in.at = append(in.at, unit)
	}
	slices.Sort(in.at)
	in.at = slices.Compact(in.at)
	in.Units = number.FromUint64(in.units)
	for _, unit := range in.at {
		in.At = append(in.At, number.FromUint64(unit))
	}
	return in, nil
}

// Run implements function.Function.
func (f Fail) Run(ctx context.Context, task function.Task) ([]byte, error) {
	in, err := f.read(task.Input)
	if err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	for _, unit := range in.at {
		if unit < task.Interval.From || unit >= task.Interval.To {
			continue
		}
		task.Progress(unit - task.Interval.From)
		return nil, in.fail(ctx, unit)
	}
	task.Progress(task.Interval.Len())
	return strconv.AppendUint(nil, task.Interval.Len(), 10), nil
}

// fail fails as a unit should.
func (in fault) fail(ctx context.Context, unit uint64) error {
	switch in.How {
	case withPanic:
		panic(fmt.Sprintf("unit %d panics, as it was told to", unit))
	case withHang:
		<-ctx.Done()
		return ctx.Err()
	default:
		return polymath.Errorf(polymath.JobFailed, "unit %d fails, as it was told to", unit)
	}
}

// Answer implements function.Function: how many units did not fail.
func (Fail) Answer(_, accumulator []byte) (json.RawMessage, error) { return count(accumulator) }
