package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/function"
	"github.com/polymath-run/polymath/internal/function/prime"
	"github.com/polymath-run/polymath/internal/function/prime/sieve"
)

// childFlag makes this program count, as primesieve does:
//
//	primes -count FROM TO TIMES THREADS PORTABLE
const childFlag = "-count"

// ourCount lets a process of our own count a contest.
func ourCount(ctx context.Context, c contest, threads int) (uint64, time.Duration, error) {
	self, err := os.Executable()
	if err != nil {
		return 0, 0, err
	}
	return timed(exec.CommandContext(ctx, self, childFlag, strconv.FormatUint(c.from, 10), strconv.FormatUint(c.to, 10),
		strconv.Itoa(c.loop), strconv.Itoa(threads), strconv.FormatBool(c.portable)))
}

// child counts as its arguments say and prints the count.
func child(args []string) error {
	var w sieve.Window
	var times, threads int
	var portable bool
	for i, to := range []any{&w.From, &w.To, &times, &threads, &portable} {
		if _, err := fmt.Sscan(args[i], to); err != nil {
			return err
		}
	}
	pool := sieve.NewPool()
	if portable {
		pool = sieve.NewPortablePool()
	}
	ctx := context.Background()
	total, err := count(ctx, pool, w, threads)
	if err != nil || times == 0 {
		fmt.Println(total)
		return err
	}
	begin := time.Now()
	for range times {
		if total, err = count(ctx, pool, w, 1); err != nil {
			return err
		}
	}
	fmt.Println(total, time.Since(begin).Nanoseconds()/int64(times))
	return nil
}

// count counts the primes of a window on some threads, which take slices of it
// in turn.
func count(ctx context.Context, pool *sieve.Pool, w sieve.Window, threads int) (uint64, error) {
	if threads == 1 {
		return countSlice(ctx, pool, w)
	}
	slices := uint64(8) // for each thread, so that none waits long for the last
	if sieve.Sqrt(w.To) > (w.To-w.From)/64 {
		slices = 1 // each slice prepares all its sieving primes anew
	}
	width := (w.To-w.From)/(slices*uint64(threads)) + 1
	var next, total atomic.Uint64
	errs := make([]error, threads)
	var group sync.WaitGroup
	for i := range threads {
		group.Go(func() {
			for from := w.From + (next.Add(1)-1)*width; from <= w.To && errs[i] == nil; from = w.From + (next.Add(1)-1)*width {
				var n uint64
				n, errs[i] = countSlice(ctx, pool, sieve.Window{From: from, To: min(from+width-1, w.To)})
				total.Add(n)
			}
		})
	}
	group.Wait()
	for _, err := range errs {
		if err != nil {
			return 0, err
		}
	}
	return total.Load(), nil
}

func countSlice(ctx context.Context, pool *sieve.Pool, w sieve.Window) (n uint64, err error) {
	for _, p := range [...]uint64{2, 3, 5} {
		if w.From <= p && p <= w.To {
			n++
		}
	}
	err = pool.Visit(ctx, w, func(g sieve.Segment) error { n += g.Count(); return nil })
	return n, err
}

// cutting is what it costs to cut 0..1e10 into a thousand intervals, as a
// ratio: the sieves' memory is reused, but every interval begins anew.
func cutting(ctx context.Context) (float64, error) {
	const to, parts, runs = 10_000_000_000, 1000, 3
	pool := sieve.NewPool()
	var whole, cut []time.Duration
	for range runs {
		begin := time.Now()
		if _, err := countSlice(ctx, pool, sieve.Window{To: to}); err != nil {
			return 0, err
		}
		whole = append(whole, time.Since(begin))
		begin = time.Now()
		for i := range uint64(parts) {
			if _, err := countSlice(ctx, pool, sieve.Window{From: i * to / parts, To: (i+1)*to/parts - 1}); err != nil {
				return 0, err
			}
		}
		cut = append(cut, time.Since(begin))
	}
	return median(cut).Seconds() / median(whole).Seconds(), nil
}

// predictions prints how long leases of a quarter of a second really take, by
// the cost table of the function.
func predictions(ctx context.Context) error {
	primes := prime.NewPrimes()
	fmt.Println("\nleases cut to 250 ms by the cost table, and what they took")
	for _, from := range []uint64{0, 1e10, 1e12, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19} {
		canonical, plan, err := primes.Plan(fmt.Appendf(nil, `{"from":"%d","to":"%d"}`, from, from+1e11))
		if err != nil {
			return err
		}
		last := plan.Costs[len(plan.Costs)-1]
		const lease = 250_000 // us
		units := max(lease*plan.Units/last.Micros, 1)
		task := function.Task{Input: canonical, Interval: polymath.Interval{To: units}, Progress: func(uint64) {}}
		var took []time.Duration
		for range 3 {
			begin := time.Now()
			if _, err := primes.Run(ctx, task); err != nil {
				return err
			}
			took = append(took, time.Since(begin))
		}
		predicted := float64(units*last.Micros) / float64(plan.Units) / 1e3
		fmt.Printf("from %.0e: %6d units, predicted %4.0f ms, took %4.0f ms, ratio %.2f\n",
			float64(from), units, predicted, milliseconds(median(took)), predicted/milliseconds(median(took)))
	}
	return nil
}
