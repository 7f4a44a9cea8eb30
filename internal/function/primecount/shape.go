package primecount

import (
	"math"
	"math/bits"

	"github.com/polymath-run/polymath"
)

// shape is how the count of the primes up to x is cut into units: a pure
// function of x, so that every worker cuts alike.
//
//	unit 0             what needs no sieve: the closed part
//	easy units         the easy leaves; the k-th of n has every n-th prime
//	hard units         the sieve to z; the k-th of n has a stretch of it
type shape struct {
	x          uint64
	y          uint64 // leaves are products up to y; beyond the cube root of x, to its root
	z          uint64 // x/y: how far is sieved
	easy, hard uint64 // how many units of a kind
}

// MaxX is the largest x, a limit of patience and memory: on one core it takes
// some four minutes and 100 MB.
const MaxX = 1_000_000_000_000_000_000

// minCut is the smallest x that is cut: below, the sweep takes well under a
// millisecond, and it counts in one unit.
const minCut = 1 << 22

// alphaScale says how far y is beyond the cube root of x: (ln x)^3 over this,
// so that the easy leaves, which grow with y, cost half as much as the sieve,
// which shrinks. Measured for 10^11 to 10^15; half or twice as much costs 5 %.
const alphaScale = 8_000

// unitMicros is what a unit is to cost: small against a task, and much against
// what a unit costs by itself.
const unitMicros = 4_000

// maxUnits bounds the units of a kind.
const maxUnits = 1 << 11

// newShape cuts x.
func newShape(x uint64) shape {
	if x < minCut {
		return shape{x: x}
	}
	l := math.Log(float64(x))
	s := shapeOf(x, l*l*l/alphaScale)
	micros := s.micros()
	s.easy = min(max(micros/3/unitMicros, 1), maxUnits)
	s.hard = min(max(micros/3*2/unitMicros, 1), maxUnits)
	return s
}

// shapeOf chooses y, about alpha cube roots of x. It is beyond the cube root,
// so that the root of z is below y and all sieving primes are in the table.
func shapeOf(x uint64, alpha float64) shape {
	root := cubeRoot(x)
	y := min(max(uint64(alpha*float64(root)), root+1), squareRoot(x))
	return shape{x: x, y: y, z: x / y, easy: 1, hard: 1}
}

// micros is what the whole costs on one core of the reference machine (Zen 3),
// in microseconds: x^(2/3) / (ln x)^2 / 3, good to a fifth from 10^11 to 10^15.
func (s shape) micros() uint64 {
	l := math.Log(float64(s.x))
	root := math.Cbrt(float64(s.x))
	return uint64(root * root / l / l / 3)
}

// units is how many there are of all kinds.
func (s shape) units() uint64 { return 1 + s.easy + s.hard }

// boundary is where the k-th hard unit begins. The leaves crowd near 0, so
// that the units grow with k.
func (s shape) boundary(k uint64) uint64 {
	if k == s.hard {
		return s.z + 1
	}
	hi, lo := bits.Mul64(s.z, k*k)
	at, _ := bits.Div64(hi, lo, s.hard*s.hard)
	return at / word * word
}

// hardWeights is what each sixteenth of the hard units costs, in hundredths of
// all of them. Measured at 10^14.
var hardWeights = [16]uint64{17, 20, 11, 7, 5, 4, 3, 3, 3, 3, 3, 3, 4, 4, 5, 5}

// costs is the cost table. What the closed part and preparing cost is that of
// unit 0, and all there is of a count that is not cut.
func (s shape) costs() []polymath.CostPoint {
	const prepare = 200
	points := []polymath.CostPoint{{Unit: 1, Micros: prepare}}
	if s.units() == 1 {
		return points
	}
	add := func(unit, micros uint64) {
		if last := points[len(points)-1]; unit > last.Unit {
			points = append(points, polymath.CostPoint{Unit: unit, Micros: max(prepare+micros, last.Micros+1)})
		}
	}
	easy := s.micros() / 3
	add(1+s.easy, easy)
	var percent uint64
	for i, w := range hardWeights {
		percent += w
		add(1+s.easy+s.hard*uint64(i+1)/uint64(len(hardWeights)), easy+easy*2/100*percent)
	}
	return points
}
