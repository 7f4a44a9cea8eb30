// Command primes holds the sieve against tables and against primesieve for
// longer than a test may take: pi(10^11), the published counts of primes at the
// ends of 64 bits, and random windows of every size until its time is over.
package main

import (
	"context"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/polymath-run/polymath/bench/process"
	"github.com/polymath-run/polymath/internal/function/prime/sieve"
)

func main() {
	length := flag.Duration("time", 10*time.Minute, "how long random windows are tried")
	seed := flag.Uint64("seed", uint64(time.Now().UnixNano()), "of the random windows")
	flag.Parse()
	process.Run("primes", func(ctx context.Context) error { return soak(ctx, *length, *seed) })
}

func soak(ctx context.Context, length time.Duration, seed uint64) error {
	pools := map[string]*sieve.Pool{"native": sieve.NewPool(), "portable": sieve.NewPortablePool()}
	const to, want = 100_000_000_000, 4_118_054_813 // OEIS A006880
	for name, pool := range pools {
		got, err := count(ctx, pool, sieve.Window{To: to})
		if err != nil {
			return err
		}
		if got += 3; got != want { // 2, 3 and 5 are not in the wheel
			return fmt.Errorf("%s: pi(10^11) is %d, want %d", name, got, want)
		}
		fmt.Printf("%s: pi(10^11) is right\n", name)
	}
	fmt.Printf("random windows with seed %d\n", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	windows := 0
	for begin := time.Now(); time.Since(begin) < length; windows++ {
		w := draw(random)
		theirs, err := primesieve(ctx, w)
		if err != nil {
			return err
		}
		for name, pool := range pools {
			got, err := count(ctx, pool, w)
			if err != nil {
				return err
			}
			if got != theirs {
				return fmt.Errorf("%s: %d primes from %d to %d, primesieve counts %d", name, got, w.From, w.To, theirs)
			}
		}
	}
	fmt.Printf("bar primes/windows-right %d\n", windows)
	return nil
}

// draw draws a window of some length at some magnitude: one in eight within
// 10^9 of 2^64.
func draw(random *rand.Rand) sieve.Window {
	from := max(random.Uint64()>>random.IntN(58), 7)
	if random.IntN(8) == 0 {
		from = math.MaxUint64 - random.Uint64N(1e9)
	}
	span := random.Uint64N(1 << (1 + random.IntN(30)))
	return sieve.Window{From: from, To: from + min(span, math.MaxUint64-from)}
}

func count(ctx context.Context, pool *sieve.Pool, w sieve.Window) (n uint64, err error) {
	err = pool.Visit(ctx, w, func(g sieve.Segment) error { n += g.Count(); return nil })
	return n, err
}

// primesieve counts with the program of that name, which has to be installed.
func primesieve(ctx context.Context, w sieve.Window) (uint64, error) {
	from, to := strconv.FormatUint(w.From, 10), strconv.FormatUint(w.To, 10)
	out, err := exec.CommandContext(ctx, "primesieve", from, to, "--quiet", "--no-status").Output()
	if err != nil {
		return 0, fmt.Errorf("primesieve %s %s: %w", from, to, err)
	}
	return strconv.ParseUint(strings.TrimSpace(strings.TrimPrefix(string(out), "Primes:")), 10, 64)
}
