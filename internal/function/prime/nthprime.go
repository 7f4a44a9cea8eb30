package prime

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"strconv"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/function"
	"github.com/polymath-run/polymath/internal/function/input"
	"github.com/polymath-run/polymath/internal/function/prime/sieve"
	"github.com/polymath-run/polymath/internal/number"
)

// Counter counts the primes up to x.
type Counter func(ctx context.Context, x uint64) (uint64, error)

// NthPrime is the function nthprime. Make it with NewNthPrime.
//
// It guesses where the prime is, counts the primes up to there, and sieves the
// short way from the guess to the prime. However bad the guess, the answer is
// right. All of it is one unit: which part of the numbers holds the prime is
// only known when everything before is counted.
type NthPrime struct {
	sieves *sieve.Pool
	count  Counter
}

// NewNthPrime makes the function nthprime over a counter, and shares the sieves
// of primes.
func NewNthPrime(primes *Primes, count Counter) *NthPrime {
	return &NthPrime{sieves: primes.sieves, count: count}
}

// MaxNth bounds n: the prime is 323,780,508,946,331, and counting up to there
// takes some seconds.
const MaxNth = 10_000_000_000_000

// Describe implements function.Function.
func (*NthPrime) Describe() function.Description {
	return function.Description{
		Name:    "nthprime",
		Summary: "find the n-th prime",
		Kind:    function.Range,
		Params: []function.Param{{
			Name: "n", Type: function.Integer, Doc: fmt.Sprintf("which prime, 1 to %d; 2 is the first", uint64(MaxNth)),
			Required: true, Positional: true,
		}},
		Unit:    "the whole calculation",
		Cost:    "milliseconds to 10^9, a second at 10^12",
		Example: function.Example{Args: "1e6", Input: `{"n":1e6}`, Answer: "15485863"},
	}
}

// Plan implements function.Function.
func (f *NthPrime) Plan(data []byte) ([]byte, polymath.Plan, error) {
	n, err := f.read(data)
	if err != nil {
		return nil, polymath.Plan{}, err
	}
	canonical, err := input.Canonical(struct {
		N number.Integer `json:"n"`
	}{number.FromUint64(n)})
	if err != nil {
		return nil, polymath.Plan{}, err
	}
	const (
		longest = 600  // s; the longest takes ten, on a slow machine that is busy a minute
		nanos   = 0.8  // for each number of x^(2/3)
		least   = 1000 // us
	)
	micros := least + uint64(nanos*math.Pow(guess(n), 2.0/3)/1e3)
	plan := polymath.Plan{
		Units: 1, Reducer: polymath.Count, LongestRun: longest,
		Costs: []polymath.CostPoint{{Unit: 1, Micros: micros}},
	}
	return canonical, plan, nil
}

func (f *NthPrime) read(data []byte) (uint64, error) {
	o, err := input.Parse(data, f.Describe().Params)
	if err != nil {
		return 0, err
	}
	return o.Count("n", MaxNth)
}

// Run implements function.Function.
func (f *NthPrime) Run(ctx context.Context, task function.Task) ([]byte, error) {
	n, err := f.read(task.Input)
	if err != nil {
		return nil, err
	}
	if task.Interval.Empty() {
		return []byte("0"), ctx.Err()
	}
	p, err := f.find(ctx, n)
	if err != nil {
		return nil, err
	}
	task.Progress(1)
	return strconv.AppendUint(nil, p, 10), nil
}

// find finds the n-th prime from the guess on, or back from it.
func (f *NthPrime) find(ctx context.Context, n uint64) (uint64, error) {
	from := uint64(guess(n))
	before, err := f.count(ctx, from)
	if err != nil {
		return 0, err
	}
	// A stretch is about as long as a good guess is wrong.
	stretch := max(sieve.Sqrt(from)/2, 1<<20)
	for before >= n {
		w := window{from - min(stretch, from) + 1, from}
		inside, _, err := f.scan(ctx, w, math.MaxUint64)
		if err != nil {
			return 0, err
		}
		before -= inside
		from = w.from - 1
	}
	for {
		w := window{from + 1, from + stretch}
		inside, p, err := f.scan(ctx, w, n-before)
		if err != nil || p != 0 {
			return p, err
		}
		before += inside
		from = w.to
	}
}

// scan counts the primes of a window, or finds the wanted one of them.
func (f *NthPrime) scan(ctx context.Context, w window, wanted uint64) (count, prime uint64, err error) {
	see := func(p uint64) {
		if count++; count == wanted {
			prime = p
		}
	}
	for _, p := range w.small() {
		see(p)
	}
	err = visit(ctx, f.sieves, w, nil, func(g sieve.Segment) {
		if n := g.Count(); count+n < wanted || prime != 0 {
			count += n
		} else {
			g.Each(see)
		}
	})
	return count, prime, err
}

// guess is about where the n-th prime is: Newton's method on Riemann's count.
func guess(n uint64) float64 {
	y := float64(n)
	x := max(y*math.Log(y), 10)
	for range 20 {
		x = max(x-(riemann(x)-y)*math.Log(x), 10)
	}
	return x
}

// riemann is Riemann's estimate of the number of primes to x, wrong by about
// as much as the root of x has digits less.
func riemann(x float64) (sum float64) {
	for _, term := range [...]struct {
		root, sign float64
	}{{1, 1}, {2, -1}, {3, -1}, {5, -1}, {6, 1}, {7, -1}, {10, 1}, {11, -1}, {13, -1}, {14, 1}, {15, 1}} {
		sum += term.sign / term.root * li(math.Pow(x, 1/term.root))
	}
	return sum
}

// Answer implements function.Function: the prime, or null if the one unit is
// dead.
func (f *NthPrime) Answer(data, accumulator []byte) (json.RawMessage, error) {
	if _, err := f.read(data); err != nil {
		return nil, err
	}
	if len(accumulator) == 0 || string(accumulator) == "0" {
		return json.RawMessage("null"), nil
	}
	p, err := number.ParseInteger(string(accumulator))
	if err != nil {
		return nil, polymath.Errorf(polymath.Internal, "read the accumulator: %w", err)
	}
	return json.Marshal(p)
}
