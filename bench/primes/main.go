// Command primes counts primes side by side with primesieve, the fastest sieve
// there is, in interleaved runs: short ranges in a loop within a process, long
// ones by a process each, with its start. Ratios are of medians.
//
// It takes the primesieve of the system, which it installs on Debian where it
// is missing, or PRIMESIEVE=path if that one is faster.
package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"slices"
	"time"
)

// contest is one range both count.
type contest struct {
	bar      string
	from, to uint64
	loop     int // times in a process; 0: a process each time
	runs     int
	portable bool // our kernels in Go alone
}

var contests = [...]contest{
	{bar: "primes/1e6", to: 1e6, loop: 2000, runs: 7},
	{bar: "primes/1e9", to: 1e9, runs: 11},
	{bar: "primes/1e10", to: 1e10, runs: 5},
	{bar: "primes/1e12+1e9", from: 1e12, to: 1e12 + 1e9, runs: 7},
	{bar: "primes/1e15+1e8", from: 1e15, to: 1e15 + 1e8, runs: 11},
	{bar: "primes/1e18+1e8", from: 1e18, to: 1e18 + 1e8, runs: 5},
	{bar: "primes/pure-go-1e9", to: 1e9, runs: 11, portable: true},
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == childFlag {
		if err := child(os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, "primes:", err)
			os.Exit(1)
		}
		return
	}
	if err := measure(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "primes: NOT MEASURED:", err)
		os.Exit(1)
	}
}

func measure(ctx context.Context) error {
	theirs, err := findPrimesieve(ctx)
	if err != nil {
		return err
	}
	defer theirs.close()
	fmt.Printf("against %s; medians in ms\n", theirs.version)
	fmt.Printf("%-22s %10s %10s %8s %12s\n", "", "primesieve", "ours", "ratio", "on 2 threads")
	bars := make(map[string]float64)
	for _, c := range contests {
		if bars[c.bar], err = c.run(ctx, theirs); err != nil {
			return err
		}
	}
	if err := predictions(ctx); err != nil {
		return err
	}
	cut, err := cutting(ctx)
	if err != nil {
		return err
	}
	for _, c := range contests {
		fmt.Printf("bar %s %.3f\n", c.bar, bars[c.bar])
	}
	fmt.Printf("bar primes/cut-1000 %.3f\n", cut)
	return nil
}

// run runs both in turn and gives our median over theirs.
func (c contest) run(ctx context.Context, theirs *primesieve) (float64, error) {
	var their, our, theirTwo, ourTwo []time.Duration
	for run := range c.runs {
		if err := c.once(ctx, theirs, 1, &their, &our); err != nil {
			return 0, err
		}
		if run%3 == 0 && c.loop == 0 {
			if err := c.once(ctx, theirs, 2, &theirTwo, &ourTwo); err != nil {
				return 0, err
			}
		}
	}
	ratio := median(our).Seconds() / median(their).Seconds()
	fmt.Printf("%-22s %10.3f %10.3f %8.3f", c.bar, milliseconds(median(their)), milliseconds(median(our)), ratio)
	if c.loop == 0 {
		fmt.Printf(" %6.0f %5.0f", milliseconds(median(theirTwo)), milliseconds(median(ourTwo)))
	}
	fmt.Println()
	return ratio, nil
}

// once lets both count once, and compares what they found.
func (c contest) once(ctx context.Context, theirs *primesieve, threads int, their, our *[]time.Duration) error {
	wanted, took, err := theirs.count(ctx, c, threads)
	if err != nil {
		return err
	}
	*their = append(*their, took)
	found, took, err := ourCount(ctx, c, threads)
	if err != nil {
		return err
	}
	*our = append(*our, took)
	if found != wanted {
		return fmt.Errorf("%s: we count %d primes, primesieve counts %d", c.bar, found, wanted)
	}
	return nil
}

func median(d []time.Duration) time.Duration {
	sorted := slices.SortedFunc(slices.Values(d), cmp.Compare[time.Duration])
	return sorted[len(sorted)/2]
}

func milliseconds(d time.Duration) float64 { return d.Seconds() * 1e3 }
