// Package all lists the built-in functions. A function is offered when it
// stands here, and nowhere else.
package all

import (
	"context"

	"github.com/polymath-run/polymath/internal/function"
	"github.com/polymath-run/polymath/internal/function/arithmetic"
	"github.com/polymath-run/polymath/internal/function/factor"
	"github.com/polymath-run/polymath/internal/function/montecarlo"
	"github.com/polymath-run/polymath/internal/function/prime"
	"github.com/polymath-run/polymath/internal/function/primecount"
	"github.com/polymath-run/polymath/internal/function/trial"
	"github.com/polymath-run/polymath/internal/function/verified"
)

// Set makes the set of the built-in functions, with those for trials if dev is
// set.
func Set(dev bool) *function.Set {
	functions := arithmetic.Functions()
	primes := prime.NewPrimes()
	nthPrime := prime.NewNthPrime(primes, func(ctx context.Context, x uint64) (uint64, error) {
		return primecount.Count(ctx, x, 1, nil) // a task has one core
	})
	functions = append(functions, prime.IsPrime{}, verified.New(primes, primecount.New()), nthPrime, prime.NextPrime(), prime.PrevPrime(),
		primecount.New(), factor.New(), montecarlo.Pi{})
	if dev {
		functions = append(functions, trial.Sleep{}, trial.Fail{})
	}
	return function.NewSet(functions...)
}

// Verified makes the function primes as the set has it, to check the
// certificates it gives.
func Verified() *verified.Function { return verified.New(prime.NewPrimes(), primecount.New()) }
