package montecarlo

import (
	"context"
	"encoding/json"
	"math/big"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/function"
	"github.com/polymath-run/polymath/internal/function/input"
	"github.com/polymath-run/polymath/internal/number"
)

// Pi is the function pi.
type Pi struct{}

const (
	// block is how many samples a unit has: some 1.6 ms of work.
	block = 1 << 18
	// microsPerBlock is what a unit costs on one core of the reference
	// machine.
	microsPerBlock = 1_600
	// maxSamples bounds a job: two hundred years on one core, and far below
	// the 2^64 that the counts are packed in.
	maxSamples = 1_000_000_000_000_000_000
)

// request is the input of pi.
type request struct {
	samples uint64
	seed    uint64
}

// Describe implements function.Function.
func (Pi) Describe() function.Description {
	return function.Description{
		Name:    "pi",
		Summary: "estimate pi from random points (Monte Carlo)",
		Kind:    function.Range,
		Params: []function.Param{
			{Name: "samples", Type: function.Integer, Doc: "how many points, 1 to 1e18", Required: true, Positional: true},
			{Name: "seed", Type: function.Integer, Doc: "which points, 0 to 2^64-1", Default: "1"},
		},
		Unit: "a block of 262144 points",
		Cost: "6 s for 10^9 points on one core; a digit more takes a hundred times the points",
		Example: function.Example{
			Args:   "--samples 1e6",
			Input:  `{"samples":1e6}`,
			Answer: `{"pi":"3.139488000000","error":"0.001643644456","samples":1000000,"inside":784872}`,
		},
	}
}

// Plan implements function.Function.
func (p Pi) Plan(data []byte) ([]byte, polymath.Plan, error) {
	r, err := p.read(data)
	if err != nil {
		return nil, polymath.Plan{}, err
	}
	canonical, err := input.Canonical(struct {
		Samples number.Integer `json:"samples"`
		Seed    number.Integer `json:"seed"`
	}{number.FromUint64(r.samples), number.FromUint64(r.seed)})
	if err != nil {
		return nil, polymath.Plan{}, err
	}
	units := (r.samples-1)/block + 1
	return canonical, polymath.Plan{
		Units:   units,
		Reducer: polymath.Count,
		Costs:   []polymath.CostPoint{{Unit: units, Micros: units * microsPerBlock}},
	}, nil
}

// read reads an input.
func (p Pi) read(data []byte) (request, error) {
	o, err := input.Parse(data, p.Describe().Params)
	if err != nil {
		return request{}, err
	}
	r := request{seed: 1}
	if r.samples, err = o.Count("samples", maxSamples); err != nil {
		return request{}, err
	}
	r.seed, err = o.Uint64("seed", 1, 1<<64-1)
	return r, err
}

// Run implements function.Function.
func (p Pi) Run(ctx context.Context, task function.Task) ([]byte, error) {
	r, err := p.read(task.Input)
	if err != nil {
		return nil, err
	}
	var t tally
	for unit := task.Interval.From; unit < task.Interval.To; unit++ {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		n := min(block, r.samples-unit*block)
		t.inside += throw(r.seed, unit, n)
		t.samples += n
		task.Progress(unit + 1 - task.Interval.From)
	}
	return []byte(t.pack().String()), nil
}

// Answer implements function.Function. It counts the samples that were taken,
// not those that were asked for, so that it is as right in the middle of a job
// and without a dead unit.
func (p Pi) Answer(_, accumulator []byte) (json.RawMessage, error) {
	t, err := unpack(accumulator)
	if err != nil {
		return nil, err
	}
	return t.answer()
}

// CheckOutput implements function.Checker: the samples are those of the units,
// so that the tallies add up.
func (p Pi) CheckOutput(data []byte, units polymath.Interval, output []byte) error {
	r, err := p.read(data)
	if err != nil {
		return err
	}
	t, err := unpack(output)
	if err != nil {
		return err
	}
	if want := min(units.To*block, r.samples) - units.From*block; t.samples != want || t.inside > t.samples {
		return polymath.Errorf(polymath.InvalidArgument, "%d of %d samples are inside, and %d were to be taken", t.inside, t.samples, want)
	}
	return nil
}

// tally is what a count accumulates: two numbers in one, samples * 2^64 +
// inside. Adding the packed numbers adds both.
type tally struct {
	samples, inside uint64
}

func (t tally) pack() *big.Int {
	n := new(big.Int).SetUint64(t.samples)
	n.Lsh(n, 64)
	return n.Or(n, new(big.Int).SetUint64(t.inside))
}

// unpack reads the accumulator of a job; an empty one has no samples.
func unpack(accumulator []byte) (tally, error) {
	if len(accumulator) == 0 {
		return tally{}, nil
	}
	n, ok := new(big.Int).SetString(string(accumulator), 10)
	if !ok || n.Sign() < 0 || n.BitLen() > 128 {
		return tally{}, polymath.Errorf(polymath.Internal, "accumulator %.80q is no pair of counts", accumulator)
	}
	samples := new(big.Int).Rsh(n, 64)
	inside := n.Sub(n, new(big.Int).Lsh(samples, 64))
	return tally{samples.Uint64(), inside.Uint64()}, nil
}
