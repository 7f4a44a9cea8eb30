package primecount

import (
	"context"

	"github.com/polymath-run/polymath"
)

// run adds up an interval of units, modulo 2^64. Neighbouring hard units run
// as one, so that a task starts its sieve once.
func (t *table) run(ctx context.Context, units polymath.Interval, progress func(done uint64)) (sum uint64, err error) {
	for unit := units.From; unit < units.To && unit <= t.easy; unit++ {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		if unit == 0 {
			sum += t.closed()
		} else {
			part, err := t.easyUnit(ctx, unit-1)
			if err != nil {
				return 0, err
			}
			sum += part
		}
		progress(unit + 1 - units.From)
	}
	first := 1 + t.easy
	from := max(units.From, first)
	if from >= units.To {
		return sum, nil
	}
	part, err := t.hardUnits(ctx, from-first, units.To-first, func(k uint64) { progress(first + k - units.From) })
	return sum + part, err
}

// small counts the primes up to an x that is not cut.
func small(ctx context.Context, x uint64) (uint64, error) {
	if x < 2 {
		return 0, ctx.Err()
	}
	phi, err := rougher(ctx, x)
	if err != nil {
		return 0, err
	}
	return fromRougher(phi), ctx.Err()
}
