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
	countThem     = "count"
	sumThem       = "sum"
	listThem      = "list"
	twinsOf       = "twins"
	tripletsOf    = "triplets"
	quadrupletsOf = "quadruplets"
	quintupletsOf = "quintuplets"
	sextupletsOf  = "sextuplets"
	gapOf         = "gap"
)

// everything is all that can be asked for; the first is the default.
func everything() []string {
	return []string{countThem, sumThem, listThem, twinsOf, tripletsOf, quadrupletsOf, quintupletsOf, sextupletsOf, gapOf}
}

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
		Summary: "count, add up or list the primes of a range, their tuplets or largest gap",
		Kind:    function.Range,
		Params: []function.Param{
			{Name: "from", Type: function.Integer, Doc: "the first number of the range, 0 to 2^64-1", Default: "0"},
			{Name: "to", Type: function.Integer, Doc: "the last number of the range, from to 2^64-1", Required: true, Positional: true},
			{Name: "what", Type: function.Text, Doc: fmt.Sprintf(
				"count, sum, list (up to about %d primes), twins, triplets ... sextuplets (how many there are) or gap (the largest)", MaxListed), Default: countThem, Choices: everything()},
		},
		Unit:    "a block of consecutive numbers, worth some milliseconds",
		Cost:    "0.07 s for the numbers to 10^9 on one core, 0.2 s for 10^9 numbers near 10^12, 2 s near 10^18",
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
	return canonical, polymath.Plan{Units: r.units(), Reducer: r.reducer(), Costs: r.costs()}, nil
}

// reducer is how the outputs of the request merge.
func (r request) reducer() polymath.Reducer {
	switch r.what {
	case sumThem:
		return polymath.Sum
	case listThem:
		return polymath.Collect
	case gapOf:
		return polymath.Max
	default:
		return polymath.Count
	}
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
	if r.what, err = o.Choice("what", everything()...); err != nil {
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
	case gapOf:
		return p.largestGap(ctx, r, task)
	case countThem:
		return p.count(ctx, r, task)
	default:
		return p.countTuplets(ctx, r, task)
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
	m := meter{task: task, window: w, width: r.width}
	return visit(ctx, p.sieves, w, m.alive, func(g sieve.Segment) {
		segments(g)
		m.see(g)
	})
}

// meter reports the progress of a task.
type meter struct {
	task   function.Task
	window window // of the task
	width  uint64 // of a unit
	done   uint64 // units
}

// see reports that the window is done to the end of a segment.
func (m *meter) see(g sieve.Segment) {
	covered := g.Base + uint64(len(g.Bytes))
	switch {
	case covered > m.window.to/sieve.Turn:
		m.done = m.task.Interval.Len()
	case covered > m.window.from/sieve.Turn+1:
		m.done = (covered*sieve.Turn - 1 - m.window.from) / m.width
	}
	m.alive()
}

// alive reports that the task goes on.
func (m *meter) alive() { m.task.Progress(m.done) }

// Answer implements function.Function: the count or the sum as a number, the
// list of primes, or the gap and the primes at its ends.
func (p *Primes) Answer(data, accumulator []byte) (json.RawMessage, error) {
	r, err := p.read(data)
	if err != nil {
		return nil, err
	}
	switch r.what {
	case listThem:
		return answerList(accumulator)
	case gapOf:
		return answerGap(accumulator)
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
	const picosPerMicro = 1e6
	if r.units() == 1 {
		picos := min(r.window.sieved(), r.window.tried())
		return []polymath.CostPoint{{Unit: 1, Micros: max(uint64(picos/picosPerMicro), 1)}}
	}
	var points []polymath.CostPoint
	var last polymath.CostPoint
	var picos uint128
	for shift := polymath.MaxCostPoints - 1; shift >= 0; shift-- {
		end := r.units() >> shift
		if end <= last.Unit {
			continue
		}
		w := r.numbers(polymath.Interval{From: last.Unit, To: end})
		picos.add(bits.Mul64(end-last.Unit, unit(w.to, r.width)))
		last = polymath.CostPoint{Unit: end, Micros: max(picos.over(picosPerMicro), last.Micros+1)}
		points = append(points, last)
	}
	return points
}
