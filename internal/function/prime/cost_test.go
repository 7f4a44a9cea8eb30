package prime

import (
	"fmt"
	"testing"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/function/prime/sieve"
)

// What the steps of a sieve weigh, the taking out of one multiple in the cache
// being 1: measured once, and the same on every processor to a factor of two.
const (
	rowSteps     = 1
	bigSteps     = 4  // a multiple that is looked up in a list first
	prepareSteps = 15 // finding a prime's first multiple
	fillSteps    = 16 // 32 bytes from all patterns
)

// steps counts what sieving a window to its square root takes.
func steps(t *testing.T, pool *sieve.Pool, w window) (total uint64) {
	t.Helper()
	const fromBig = 1 << 20 // about where lists begin
	// onWheel is how many numbers to n have no divisor 2, 3 or 5.
	onWheel := func(n uint64) uint64 { return n/sieve.Turn*8 + uint64(sieve.Below(n%sieve.Turn+1)) }
	root := sieve.Sqrt(w.to)
	total = w.size() / sieve.Turn / 32 * fillSteps
	err := pool.Visit(t.Context(), sieve.Window{From: 167, To: root}, func(g sieve.Segment) error {
		g.Each(func(p uint64) {
			multiples := onWheel(w.to/p) - onWheel(max(w.from-1, p*p-1)/p)
			weight := uint64(rowSteps)
			if p >= fromBig {
				weight = bigSteps
			}
			total += prepareSteps + multiples*weight
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return total
}

// A task is as many units as the cost table says a quarter of a second has. So
// it takes about as long at 10^18 as at 10^9: the steps it really takes are
// counted, and what each is predicted to cost is the same to a factor of two.
func TestTasksAreEvenlyLongEverywhere(t *testing.T) {
	const lease = 250_000 // us
	pool := sieve.NewPool()
	primes := NewPrimes()
	var picosNearby float64 // for a step near 10^9
	for _, from := range []uint64{1e9, 1e10, 1e12, 1e14, 1e15, 1e17, 1e18} {
		if from > 1e15 && testing.Short() {
			break // sieves to 10^9
		}
		in := fmt.Appendf(nil, `{"from":"%d","to":"%d"}`, from, from+1e11)
		_, plan, err := primes.Plan(in)
		if err != nil {
			t.Fatal(err)
		}
		r, err := primes.read(in)
		if err != nil {
			t.Fatal(err)
		}
		last := plan.Costs[len(plan.Costs)-1]
		units := max(lease*plan.Units/last.Micros, 1)
		predicted := float64(units * last.Micros / plan.Units)
		if most := 2.0 * lease; predicted > most || predicted < lease/2 {
			t.Errorf("from %.0e: %d units of %d numbers are a task of %.0f us", float64(from), units, r.width, predicted)
		}
		counted := steps(t, pool, r.numbers(polymath.Interval{To: units}))
		picos := predicted * 1e6 / float64(counted)
		t.Logf("from %.0e: %5d units, %4.0f ms predicted, %4d million steps, %3.0f ps each", float64(from), units, predicted/1e3, counted/1e6, picos)
		if picosNearby == 0 {
			picosNearby = picos
		}
		if ratio := picos / picosNearby; ratio < 0.5 || ratio > 2 {
			t.Errorf("from %.0e: a step is predicted to cost %.2f times what it costs near 10^9", float64(from), ratio)
		}
	}
}
