package primecount

import (
	"context"
	"encoding/json"
	"math/big"
	"sync"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/function"
	"github.com/polymath-run/polymath/internal/function/input"
	"github.com/polymath-run/polymath/internal/number"
)

// Function is the function primecount. Make it with New. Its runs share the
// tables of what was asked for last.
type Function struct {
	mu     sync.Mutex
	recent [2]*preparation // guarded by mu; the last one first
}

// New makes the function primecount.
func New() *Function { return &Function{} }

// Describe implements function.Function.
func (*Function) Describe() function.Description {
	return function.Description{
		Name:    "primecount",
		Summary: "count the primes up to x without finding them, exactly",
		Kind:    function.Range,
		Params: []function.Param{
			{Name: "x", Type: function.Integer, Doc: "count the primes from 0 to here, 0 to 1e18", Required: true, Positional: true},
		},
		Unit:    "a part of the sums of the Deleglise-Rivat formula, worth some milliseconds",
		Cost:    "0.1 s for 10^13 on two cores, 0.4 s for 10^14, 2 s for 10^15; a digit more takes 4.4 times as long",
		Example: function.Example{Args: "1e11", Input: `{"x":1e11}`, Answer: `4118054813`},
	}
}

// Plan implements function.Function.
func (f *Function) Plan(data []byte) ([]byte, polymath.Plan, error) {
	x, err := f.read(data)
	if err != nil {
		return nil, polymath.Plan{}, err
	}
	canonical, err := input.Canonical(struct {
		X number.Integer `json:"x"`
	}{number.FromUint64(x)})
	if err != nil {
		return nil, polymath.Plan{}, err
	}
	s := newShape(x)
	return canonical, polymath.Plan{Units: s.units(), Reducer: polymath.Count, Costs: s.costs()}, nil
}

func (f *Function) read(data []byte) (x uint64, err error) {
	o, err := input.Parse(data, f.Describe().Params)
	if err != nil {
		return 0, err
	}
	return o.Uint64("x", 0, MaxX)
}

// Run implements function.Function.
func (f *Function) Run(ctx context.Context, task function.Task) ([]byte, error) {
	x, err := f.read(task.Input)
	if err != nil {
		return nil, err
	}
	sum, err := f.sum(ctx, newShape(x), task)
	if err != nil {
		return nil, err
	}
	return []byte(pack(task.Interval.Len(), sum).String()), nil
}

func (f *Function) sum(ctx context.Context, s shape, task function.Task) (uint64, error) {
	if task.Interval.Empty() {
		return 0, ctx.Err()
	}
	if s.units() == 1 {
		task.Progress(0)
		return small(ctx, s.x)
	}
	t, err := f.table(ctx, s)
	if err != nil {
		return 0, err
	}
	return t.run(ctx, task.Interval, task.Progress)
}

// preparation is a table that somebody is building or has built.
type preparation struct {
	shape shape
	ready chan struct{} // closed when table and err are there
	table *table
	err   error
}

// table gives the table of a shape: one at hand, or a new one. The runs of one
// job that come together build it once.
func (f *Function) table(ctx context.Context, s shape) (*table, error) {
	p, build := f.prepare(s)
	if build {
		p.table, p.err = newTable(ctx, s)
		if p.err != nil {
			f.forget(p)
		}
		close(p.ready)
		return p.table, p.err
	}
	select {
	case <-p.ready:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if p.err != nil { // the other one was cancelled; this one was not
		return newTable(ctx, s)
	}
	return p.table, nil
}

// prepare gives the preparation of a shape, and whether the caller is to build
// it. There are two, because who verifies a range counts to both of its ends.
func (f *Function) prepare(s shape) (p *preparation, build bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, p := range f.recent {
		if p != nil && p.shape == s {
			return p, false
		}
	}
	p = &preparation{shape: s, ready: make(chan struct{})}
	f.recent = [2]*preparation{p, f.recent[0]}
	return p, true
}

// forget drops a table that was not built.
func (f *Function) forget(p *preparation) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range f.recent {
		if f.recent[i] == p {
			f.recent[i] = nil
		}
	}
}

// Answer implements function.Function: the count, or null while units are
// missing, of which every one is needed.
func (f *Function) Answer(data, accumulator []byte) (json.RawMessage, error) {
	x, err := f.read(data)
	if err != nil {
		return nil, err
	}
	units, sum, err := unpack(accumulator)
	if err != nil {
		return nil, err
	}
	if units < newShape(x).units() {
		return json.RawMessage("null"), nil
	}
	return json.Marshal(number.FromUint64(sum))
}

// CheckOutput implements function.Checker: an output counts its own units, and
// adds to no more than there is room for.
func (f *Function) CheckOutput(_ []byte, units polymath.Interval, output []byte) error {
	counted, sum, err := unpack(output)
	if err != nil {
		return err
	}
	if counted != units.Len() || pack(counted, sum).String() != string(output) {
		return polymath.Errorf(polymath.InvalidArgument, "%.80q is no sum of %d units", output, units.Len())
	}
	return nil
}

// sumBits is where the sum ends in a packed output: room for 2^32 units of
// 2^64 each.
const sumBits = 96

// pack is what a run counts: how many units, and their sum modulo 2^64, in one
// number. Adding the packed numbers adds both.
func pack(units, sum uint64) *big.Int {
	n := new(big.Int).SetUint64(units)
	n.Lsh(n, sumBits)
	return n.Or(n, new(big.Int).SetUint64(sum))
}

// unpack reads the accumulator of a job; an empty one has no units.
func unpack(accumulator []byte) (units, sum uint64, err error) {
	if len(accumulator) == 0 {
		return 0, 0, nil
	}
	n, ok := new(big.Int).SetString(string(accumulator), 10)
	if !ok || n.Sign() < 0 || n.BitLen() > sumBits+32 {
		return 0, 0, polymath.Errorf(polymath.Internal, "accumulator %.80q is no sum of units", accumulator)
	}
	units = new(big.Int).Rsh(n, sumBits).Uint64()
	low := new(big.Int).SetUint64(1<<64 - 1)
	return units, low.And(low, n).Uint64(), nil
}
