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
)

// Set makes the set of the built-in functions, with those for trials if dev is
// set.
func Set(dev bool) *function.Set {
	functions := arithmetic.Functions()
	primes := prime.NewPrimes()
	nthPrime := prime.NewNthPrime(primes, func(ctx context.Context, x uint64) (uint64, error) {
		return primecount.Count(ctx, x, 1, nil) // a task has one core
	})
	functions = append(functions, prime.IsPrime{}, primes, nthPrime, prime.NextPrime(), prime.PrevPrime(),
		primecount.New(), factor.New(), montecarlo.Pi{})
	if dev {
		functions = append(functions, trial.Sleep{}, trial.Fail{})
	}
	return function.NewSet(functions...)
}
