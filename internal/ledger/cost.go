package ledger

import (
	"math/bits"

	"github.com/polymath-run/polymath"
)

// Rates are fixed point numbers: rateOne is a worker as fast as the cost
// table says. A rate stays within a factor of 2^20 of that, either way.
const (
	rateOne = 1 << 24
	minRate = rateOne >> 20
	maxRate = rateOne << 20
)

// mulDiv is a*b/c without overflow on the way; a result beyond 64 bits is the
// largest number there is. c must not be 0.
func mulDiv(a, b, c uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	if hi >= c {
		return ^uint64(0)
	}
	q, _ := bits.Div64(hi, lo, c)
	return q
}

// mulDivUp is mulDiv, rounded up.
func mulDivUp(a, b, c uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	if hi >= c {
		return ^uint64(0)
	}
	q, r := bits.Div64(hi, lo, c)
	if r > 0 {
		q++
	}
	return q
}

// costAt is how long the first unit units of a plan take, in microseconds on
// the reference core.
func costAt(costs []polymath.CostPoint, unit uint64) uint64 {
	if len(costs) == 0 {
		return unit
	}
	var prev polymath.CostPoint
	for _, p := range costs {
		if unit <= p.Unit {
			return prev.Micros + mulDiv(unit-prev.Unit, p.Micros-prev.Micros, p.Unit-prev.Unit)
		}
		prev = p
	}
	return prev.Micros
}

// unitAt is the unit up to which a plan takes micros microseconds: the
// smallest u with costAt(u) >= micros, or the last.
func unitAt(costs []polymath.CostPoint, micros, units uint64) uint64 {
	if len(costs) == 0 {
		return min(micros, units)
	}
	var prev polymath.CostPoint
	for _, p := range costs {
		if micros <= p.Micros {
			return prev.Unit + mulDivUp(micros-prev.Micros, p.Unit-prev.Unit, p.Micros-prev.Micros)
		}
		prev = p
	}
	return units
}

// validCosts reports whether a cost table keeps the rules of polymath.Plan.
func validCosts(costs []polymath.CostPoint, units uint64) bool {
	var prev polymath.CostPoint
	for _, p := range costs {
		if p.Unit <= prev.Unit || p.Micros <= prev.Micros {
			return false
		}
		prev = p
	}
	return len(costs) == 0 || prev.Unit == units
}
