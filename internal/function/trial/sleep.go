package trial

import (
	"context"
	"encoding/json"
	"math"
	"strconv"
	"time"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/function"
	"github.com/polymath-run/polymath/internal/function/input"
	"github.com/polymath-run/polymath/internal/number"
)

// Sleep is the function sleep.
type Sleep struct{}

// maxUnits bounds how many units a trial has: 10^12, a thousand of the largest
// jobs anybody means.
const maxUnits = 1_000_000_000_000

// maxDuration bounds the sleep of one unit.
const maxDuration = time.Hour

// rest is the input of sleep.
type rest struct {
	Units    number.Integer `json:"units"`
	Duration string         `json:"duration"`

	units    uint64
	duration time.Duration
}

// Describe implements function.Function.
func (Sleep) Describe() function.Description {
	return function.Description{
		Name:    "sleep",
		Summary: "sleep in every unit, and count the units",
		Kind:    function.Range,
		Params: []function.Param{
			{Name: "units", Type: function.Integer, Doc: "how many units, 0 to 1e12", Required: true, Positional: true},
			{Name: "duration", Type: function.Duration, Doc: "how long each sleeps, up to 1h", Default: "10ms"},
		},
		Unit:    "one sleep",
		Cost:    "the duration, and no CPU",
		Example: function.Example{Args: "--units 3 --duration 1ms", Input: `{"units":3,"duration":"1ms"}`, Answer: "3"},
		Dev:     true,
	}
}

// Plan implements function.Function.
func (s Sleep) Plan(data []byte) ([]byte, polymath.Plan, error) {
	r, err := s.read(data)
	if err != nil {
		return nil, polymath.Plan{}, err
	}
	canonical, err := input.Canonical(r)
	if err != nil {
		return nil, polymath.Plan{}, err
	}
	plan := polymath.Plan{Units: r.units, Reducer: polymath.Count}
	if r.units > 0 {
		micros := max(1, min(uint64(r.duration.Microseconds()), math.MaxUint64/r.units))
		plan.Costs = []polymath.CostPoint{{Unit: r.units, Micros: r.units * micros}}
	}
	return canonical, plan, nil
}

func (s Sleep) read(data []byte) (rest, error) {
	o, err := input.Parse(data, s.Describe().Params)
	if err != nil {
		return rest{}, err
	}
	var r rest
	if r.units, err = o.Uint64("units", 0, maxUnits); err != nil {
		return rest{}, err
	}
	if r.duration, err = o.Duration("duration", 10*time.Millisecond, maxDuration); err != nil {
		return rest{}, err
	}
	r.Units, r.Duration = number.FromUint64(r.units), r.duration.String()
	return r, nil
}

// Run implements function.Function.
func (s Sleep) Run(ctx context.Context, task function.Task) ([]byte, error) {
	r, err := s.read(task.Input)
	if err != nil {
		return nil, err
	}
	timer := time.NewTimer(r.duration)
	defer timer.Stop()
	for done := range task.Interval.Len() {
		timer.Reset(r.duration)
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-timer.C:
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		task.Progress(done + 1)
	}
	return strconv.AppendUint(nil, task.Interval.Len(), 10), nil
}

// Answer implements function.Function: how many units slept.
func (Sleep) Answer(_, accumulator []byte) (json.RawMessage, error) { return count(accumulator) }

// count is the answer of a function that counts its units.
func count(accumulator []byte) (json.RawMessage, error) {
	if len(accumulator) == 0 {
		return json.RawMessage("0"), nil
	}
	n, err := number.ParseInteger(string(accumulator))
	if err != nil {
		return nil, polymath.Errorf(polymath.Internal, "read the accumulator: %w", err)
	}
	return json.Marshal(n)
}
