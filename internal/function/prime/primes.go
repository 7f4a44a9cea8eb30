package prime

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"math/bits"
	"strconv"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/function"
	"github.com/polymath-run/polymath/internal/function/input"
	"github.com/polymath-run/polymath/internal/function/prime/sieve"
	"github.com/polymath-run/polymath/internal/number"
)

// Primes is the function primes. Make it with NewPrimes.
type Primes struct {
	sieves *sieve.Pool
}

// NewPrimes makes the function primes. Its runs share sieves, so that the next
// one finds its memory ready.
func NewPrimes() *Primes { return &Primes{sieves: sieve.NewPool()} }

// What can be asked for.
const (
	countThem = "count"
	sumThem   = "sum"
	listThem  = "list"
)

// MaxListed bounds a list of primes, by an estimate of how many there are: one
// output then holds them all, however the units are cut, and the answer stays
// within polymath.MaxAccumulatorBytes.
const MaxListed = 40_000

// request is the input of primes.
type request struct {
	window
	what  string
	width uint64 // of a unit, in numbers
}

// Describe implements function.Function.
func (*Primes) Describe() function.Description {
	return function.Description{
		Name:    "primes",
		Summary: "count, add up or list the primes of a range",
		Kind:    function.Range,
		Params: []function.Param{
			{Name: "from", Type: function.Integer, Doc: "the first number of the range, 0 to 2^64-1", Default: "0"},
			{Name: "to", Type: function.Integer, Doc: "the last number of the range, from to 2^64-1", Required: true, Positional: true},
			{Name: "what", Type: function.Text, Doc: fmt.Sprintf("count, sum or list (up to about %d primes)", MaxListed), Default: countThem},
		},
		Unit:    "a block of consecutive numbers, worth some milliseconds",
		Cost:    "0.3 s for the numbers to 10^9 on one core, 0.5 s for 10^9 numbers near 10^12, a minute near 10^18",
		Example: function.Example{Args: "--to 1e6", Input: `{"to":1e6}`, Answer: "78498"},
	}
}

// Plan implements function.Function.
func (p *Primes) Plan(data []byte) ([]byte, polymath.Plan, error) {
	r, err := p.read(data)
	if err != nil {
		return nil, polymath.Plan{}, err
	}
	if n := r.estimate(); r.what == listThem && n > MaxListed {
		return nil, polymath.Plan{}, polymath.Errorf(polymath.InvalidArgument,
			`field "what": the range has about %d primes: at most %d can be listed; narrow "from" and "to", or ask for count or sum`,
			n, MaxListed)
	}
	canonical, err := input.Canonical(struct {
		From number.Integer `json:"from"`
		To   number.Integer `json:"to"`
		What string         `json:"what"`
	}{number.FromUint64(r.from), number.FromUint64(r.to), r.what})
	if err != nil {
		return nil, polymath.Plan{}, err
	}
	reducer := map[string]polymath.Reducer{
		countThem: polymath.Count,
		sumThem:   polymath.Sum,
		listThem:  polymath.Collect,
	}[r.what]
	return canonical, polymath.Plan{Units: r.units(), Reducer: reducer, Costs: r.costs()}, nil
}

// read reads an input.
func (p *Primes) read(data []byte) (request, error) {
	o, err := input.Parse(data, p.Describe().Params)
	if err != nil {
		return request{}, err
	}
	var r request
	if r.from, err = o.Uint64("from", 0, math.MaxUint64); err != nil {
		return request{}, err
	}
	if r.to, err = o.Uint64("to", 0, math.MaxUint64); err != nil {
		return request{}, err
	}
	if r.from > r.to {
		return request{}, polymath.Errorf(polymath.InvalidArgument,
			`field "from": %d is greater than "to", %d: give the smaller number first`, r.from, r.to)
	}
	if r.what, err = o.Choice("what", countThem, sumThem, listThem); err != nil {
		return request{}, err
	}
	r.width = width(r.to)
	return r, nil
}

// units is how many units the request has.
func (r request) units() uint64 { return (r.to-r.from)/r.width + 1 }

// numbers is the window of a non-empty interval of units.
func (r request) numbers(units polymath.Interval) window {
	w := window{r.from + units.From*r.width, r.to}
	if units.To < r.units() {
		w.to = r.from + units.To*r.width - 1
	}
	return w
}

// Run implements function.Function.
func (p *Primes) Run(ctx context.Context, task function.Task) ([]byte, error) {
	r, err := p.read(task.Input)
	if err != nil {
		return nil, err
	}
	switch r.what {
	case sumThem:
		return p.sum(ctx, r, task)
	case listThem:
		return p.list(ctx, r, task)
	default:
		return p.count(ctx, r, task)
	}
}

// count is the number of primes in the interval.
func (p *Primes) count(ctx context.Context, r request, task function.Task) ([]byte, error) {
	var total uint64
	err := p.visit(ctx, r, task,
		func(g sieve.Segment) { total += g.Count() },
		func(uint64) { total++ })
	if err != nil {
		return nil, err
	}
	return strconv.AppendUint(nil, total, 10), nil
}

// sum is the sum of the primes in the interval, which needs up to 121 bits.
func (p *Primes) sum(ctx context.Context, r request, task function.Task) ([]byte, error) {
	var total uint128
	err := p.visit(ctx, r, task,
		total.addSegment,
		func(small uint64) { total.add(0, small) })
	if err != nil {
		return nil, err
	}
	return []byte(total.String()), nil
}

// visit shows the primes of the interval: those of the wheel in segments, 2, 3
// and 5 one by one.
func (p *Primes) visit(ctx context.Context, r request, task function.Task,
	segments func(sieve.Segment), small func(prime uint64),
) error {
	if task.Interval.Empty() {
		return ctx.Err()
	}
	w := r.numbers(task.Interval)
	for _, prime := range w.small() {
		small(prime)
	}
	return visit(ctx, p.sieves, w, func(g sieve.Segment) {
		segments(g)
		covered := g.Base + uint64(len(g.Bytes))
		switch {
		case covered > w.to/sieve.Turn:
			task.Progress(task.Interval.Len())
		case covered > w.from/sieve.Turn+1:
			task.Progress((covered*sieve.Turn - 1 - w.from) / r.width)
		}
	})
}

// Answer implements function.Function: the count or the sum as a number, or
// the list of primes.
func (p *Primes) Answer(data, accumulator []byte) (json.RawMessage, error) {
	r, err := p.read(data)
	if err != nil {
		return nil, err
	}
	if r.what == listThem {
		return answerList(accumulator)
	}
	if len(accumulator) == 0 {
		return json.RawMessage("0"), nil
	}
	total, err := number.ParseInteger(string(accumulator))
	if err != nil {
		return nil, polymath.Errorf(polymath.Internal, "read the accumulator: %w", err)
	}
	return json.Marshal(total)
}

// costs is the cost table of the request. Its points double their distance
// from the start, because the cost of a number grows with its length.
func (r request) costs() []polymath.CostPoint {
	var points []polymath.CostPoint
	var last polymath.CostPoint
	var picos uint128
	for shift := polymath.MaxCostPoints - 1; shift >= 0; shift-- {
		unit := r.units() >> shift
		if unit <= last.Unit {
			continue
		}
		w := r.numbers(polymath.Interval{From: last.Unit, To: unit})
		picos.add(bits.Mul64(w.size(), picosPerNumber(w.to)))
		const picosPerMicro = 1e6
		last = polymath.CostPoint{Unit: unit, Micros: max(picos.over(picosPerMicro), last.Micros+1)}
		points = append(points, last)
	}
	return points
}
