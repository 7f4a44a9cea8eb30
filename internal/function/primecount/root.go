package primecount

import "math"

// squareRoot is the largest r with r*r <= n.
func squareRoot(n uint64) uint64 {
	r := min(uint64(math.Sqrt(float64(n))), math.MaxUint32)
	for r*r > n {
		r--
	}
	for r < math.MaxUint32 && (r+1)*(r+1) <= n {
		r++
	}
	return r
}

// cubeRoot is the largest r with r*r*r <= n.
func cubeRoot(n uint64) uint64 {
	const largest = 2642245 // of 2^64-1
	r := min(uint64(math.Cbrt(float64(n))), largest)
	for r*r*r > n {
		r--
	}
	for r < largest && (r+1)*(r+1)*(r+1) <= n {
		r++
	}
	return r
}
