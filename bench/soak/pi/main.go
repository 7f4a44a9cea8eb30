// Command pi counts primes without finding them, again and again, where the
// answer is known: the published powers of ten to 10^17, then, for as long as
// there is time, both ends of random ranges, whose primes are sieved besides.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strconv"
	"time"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/bench/process"
	"github.com/polymath-run/polymath/internal/function"
	"github.com/polymath-run/polymath/internal/function/prime"
	"github.com/polymath-run/polymath/internal/function/primecount"
)

// published is pi(10^k) for the k that no test has the time for, sequence
// A006880 of the OEIS. It is constant.
var published = [...]struct{ x, n uint64 }{
	{1e15, 29844570422669}, {1e16, 279238341033925}, {1e17, 2623557157654233},
}

func main() {
	length := flag.Duration("time", 5*time.Minute, "how long random ranges are compared, after the table")
	seed := flag.Uint64("seed", rand.Uint64(), "which random ranges")
	flag.Parse()
	process.Run("pi", func(ctx context.Context) error { return soak(ctx, *length, *seed) })
}

func soak(ctx context.Context, length time.Duration, seed uint64) error {
	threads := runtime.GOMAXPROCS(0)
	for _, p := range published {
		begun := time.Now()
		n, err := primecount.Count(ctx, p.x, threads, nil)
		if err != nil {
			return err
		}
		if n != p.n {
			return fmt.Errorf("pi(%d) = %d, published is %d", p.x, n, p.n)
		}
		fmt.Printf("pi(%d) = %d after %v\n", p.x, n, time.Since(begun).Round(time.Millisecond))
	}
	random := rand.New(rand.NewPCG(seed, 0))
	sieve := prime.NewPrimes()
	ranges := 0
	for end := time.Now().Add(length); time.Now().Before(end); ranges++ {
		from := 1 + random.Uint64N(1<<(20+random.Uint64N(24)))
		to := from + random.Uint64N(100_000_000)
		if err := compare(ctx, sieve, from, to, threads); err != nil {
			return fmt.Errorf("seed %d: %w", seed, err)
		}
	}
	fmt.Printf("%d random ranges agree (seed %d)\n", ranges, seed)
	return nil
}

// compare counts the primes from..to in both ways.
func compare(ctx context.Context, f function.Function, from, to uint64, threads int) error {
	below, err := primecount.Count(ctx, from-1, threads, nil)
	if err != nil {
		return err
	}
	upTo, err := primecount.Count(ctx, to, threads, nil)
	if err != nil {
		return err
	}
	sieved, err := sieved(ctx, f, from, to)
	if err != nil {
		return err
	}
	if upTo-below != sieved {
		return fmt.Errorf("from %d to %d there are %d primes by the formula and %d by the sieve", from, to, upTo-below, sieved)
	}
	return nil
}

func sieved(ctx context.Context, f function.Function, from, to uint64) (uint64, error) {
	in, err := json.Marshal(map[string]uint64{"from": from, "to": to})
	if err != nil {
		return 0, err
	}
	canonical, plan, err := f.Plan(in)
	if err != nil {
		return 0, err
	}
	output, err := f.Run(ctx, function.Task{
		Input: canonical, Interval: polymath.Interval{To: plan.Units}, Progress: func(uint64) {},
	})
	if err != nil {
		return 0, err
	}
	return strconv.ParseUint(string(output), 10, 64)
}
