package prime

import (
	"math"
	"math/bits"

	"github.com/polymath-run/polymath/internal/function/prime/sieve"
)

// Costs are in picoseconds on one core of the reference machine (Zen 3 or 4).
// `make bench-primes` prints how true they are.
const (
	second = 1_000_000_000_000

	// preparing is what one sieving prime costs before the first segment.
	preparing = 6_000
	// trying is what a number costs in a window whose survivors are tested.
	trying = 23_000
)

// costTable is what a number costs once the sieve is prepared, by the length of
// the number in bits. It is constant.
var costTable = [...]struct {
	bits  int // up to and with this length
	picos uint64
}{
	{30, 70},
	{34, 85},
	{37, 115},
	{40, 150},
	{44, 220},
	{47, 300},
	{50, 400},
	{54, 500},
	{57, 650},
	{60, 800},
	{64, 1_000},
}

// picosPerNumber is what a number of the size of n costs.
func picosPerNumber(n uint64) uint64 {
	for _, row := range costTable {
		if bits.Len64(n) <= row.bits {
			return row.picos
		}
	}
	panic("prime: the cost table ends before 64 bits")
}

// prepared is what it costs to begin a window that ends with to: every prime
// to its square root has to find its first multiple.
func prepared(to uint64) uint64 {
	return uint64(preparing * li(float64(sieve.Sqrt(to))))
}

// sieved and tried are what a window costs whose numbers are sieved to their
// square root, and one that is sieved a little and whose survivors are tested.
func (w window) sieved() float64 {
	return float64(prepared(w.to)) + float64(w.size())*float64(picosPerNumber(w.to))
}

func (w window) tried() float64 { return float64(w.size()) * trying }

// Widths of units, in numbers. Where the sieve is quickly prepared a unit costs
// some milliseconds, so that leases can be cut as short as a slow worker needs.
// Farther out a unit is long enough that at most two thirds of its cost is
// preparation, up to what the memory of a sieve is enough for.
const (
	unitPicos = second / 250
	maxWidth  = 1 << 27
)

// width is how many numbers a unit has in a request that ends with to: a
// power of two.
func width(to uint64) uint64 {
	each, fixed := picosPerNumber(to), prepared(to)
	w := uint64(1) << (bits.Len64(unitPicos/each) - 1)
	for w < maxWidth && fixed > 2*w*each {
		w *= 2
	}
	return w
}

// unit is what each of many units of a width costs that end with to: as many
// as a worker does in a quarter of a second share their preparation.
func unit(to, width uint64) uint64 {
	const lease = second / 4
	fixed, own := prepared(to), width*picosPerNumber(to)
	shared := uint64(1)
	if fixed+own < lease {
		shared = (lease - fixed) / own
	}
	return own + fixed/shared
}

// estimate is about how many primes the window has, by the prime number
// theorem; good to a few percent where there are thousands.
func (w window) estimate() uint64 {
	if size := w.size(); w.from > size {
		return uint64(float64(size)/math.Log(float64(w.from))) + 1
	}
	return uint64(li(float64(w.to))-li(float64(w.from))) + 1
}

// li is the logarithmic integral of x by its series in ln x, 0 below 2.
func li(x float64) float64 {
	if x < 2 {
		return 0
	}
	const euler = 0.57721566490153286
	l := math.Log(x)
	sum, power := euler+math.Log(l), 1.0
	for k := 1.0; k < 200; k++ {
		power *= l / k
		sum += power / k
	}
	return sum
}
