package main

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"os/signal"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/bench/process"
	"github.com/polymath-run/polymath/internal/function"
	"github.com/polymath-run/polymath/internal/function/prime"
	"github.com/polymath-run/polymath/internal/link"
)

// The other roles of this program:
//
//	overhead -child-worker URL
//	overhead -child-kernel PARTS
const (
	workerFlag = "-child-worker"
	kernelFlag = "-child-kernel"
)

// What is calculated: the primes of a range that the function cuts in exactly
// so many units; an interval is one of them.
const (
	intervals = 1000
	argument  = `{"to":"33554431999"}`
	answer    = "1446997142"
)

// shortest makes the server cut leases of one unit, whatever a unit takes.
const shortest = time.Microsecond

func child(args []string) error {
	switch {
	case len(args) == 2 && args[0] == workerFlag:
		return work(args[1])
	case len(args) == 2 && args[0] == kernelFlag:
		parts, err := strconv.Atoi(args[1])
		if err != nil {
			return err
		}
		return kernel(context.Background(), parts)
	default:
		return fmt.Errorf("%q is no role of this program", args)
	}
}

// work is a worker that asks for the shortest of leases.
func work(url string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	w := link.Work{Server: url, Name: "overhead", Functions: function.NewSet(prime.NewPrimes()), Each: shortest}
	if err := w.Run(ctx); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// kernel runs the bare function over all units, cut in parts, on all cores, and
// prints what it found and its processor time in nanoseconds.
func kernel(ctx context.Context, parts int) error {
	before, err := process.OwnCPU()
	if err != nil {
		return err
	}
	primes := prime.NewPrimes()
	input, plan, err := primes.Plan([]byte(argument))
	if err != nil {
		return err
	}
	if plan.Units != intervals {
		return fmt.Errorf("%s has %d units, not %d: choose a range that has", argument, plan.Units, intervals)
	}
	total, err := runParts(ctx, primes, input, parts)
	if err != nil {
		return err
	}
	after, err := process.OwnCPU()
	if err != nil {
		return err
	}
	fmt.Println(total, (after - before).Nanoseconds())
	return nil
}

// runParts runs the function over intervals of equal length, which as many
// goroutines as there are cores take in turn.
func runParts(ctx context.Context, f function.Function, input []byte, parts int) (*big.Int, error) {
	var next atomic.Int64
	var mu sync.Mutex // guards total and failure
	total, failure := new(big.Int), error(nil)
	var running sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		running.Go(func() {
			for part := next.Add(1) - 1; part < int64(parts); part = next.Add(1) - 1 {
				from, to := uint64(part)*intervals/uint64(parts), uint64(part+1)*intervals/uint64(parts)
				task := function.Task{Input: input, Interval: polymath.Interval{From: from, To: to}, Progress: func(uint64) {}}
				n, err := runPart(ctx, f, task)
				mu.Lock()
				total.Add(total, n)
				failure = errors.Join(failure, err)
				mu.Unlock()
			}
		})
	}
	running.Wait()
	return total, failure
}

// runPart runs one interval, and gives the number that came out.
func runPart(ctx context.Context, f function.Function, task function.Task) (*big.Int, error) {
	n := new(big.Int)
	out, err := f.Run(ctx, task)
	if err != nil {
		return n, err
	}
	if _, ok := n.SetString(string(out), 10); !ok {
		return new(big.Int), fmt.Errorf("the function gave %q, which is no number", out)
	}
	return n, nil
}
