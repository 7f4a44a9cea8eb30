package prime

import (
	"math"
	"math/bits"
)

// costTable is what a number costs in picoseconds on one core of the
// reference machine (Zen 3), by the length of the number in bits. It is
// constant.
var costTable = [...]struct {
	bits  int // up to and with this length
	picos uint64
}{
	{30, 300},
	{34, 380},
	{40, 450},
	{44, 650},
	{46, 1_000},
	{47, 1_300},
	{48, 1_700},
	{64, 60_000}, // survivors are tested
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

// unitPicos is what the dearest unit of a request is to cost at most: 4 ms,
// so that leases can be cut as short as a slow worker needs.
const unitPicos = 4e9

// width is how many numbers a unit has in a request that ends with to: a
// power of two.
func width(to uint64) uint64 {
	return 1 << (bits.Len64(unitPicos/picosPerNumber(to)) - 1)
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
