package primecount

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

func TestRoots(t *testing.T) {
	check := func(t interface {
		Fatalf(string, ...any)
	}, n uint64) {
		r := squareRoot(n)
		if r*r > n || r < math.MaxUint32 && (r+1)*(r+1) <= n {
			t.Fatalf("the square root of %d is not %d", n, r)
		}
		c := cubeRoot(n)
		if c*c*c > n || c < 2642245 && (c+1)*(c+1)*(c+1) <= n {
			t.Fatalf("the cube root of %d is not %d", n, c)
		}
	}
	for _, n := range []uint64{0, 1, 2, 3, 4, 7, 8, 9, 1 << 32, math.MaxUint32 * math.MaxUint32, math.MaxUint64} {
		check(t, n)
	}
	rapid.Check(t, func(t *rapid.T) {
		r := rapid.Uint64Range(0, math.MaxUint32).Draw(t, "r")
		c := rapid.Uint64Range(0, 2642245).Draw(t, "c")
		for _, n := range []uint64{r * r, r*r - 1, c * c * c, c*c*c - 1, rapid.Uint64().Draw(t, "n")} {
			check(t, n)
		}
	})
}

func TestQuotient(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := rapid.Uint64Range(1, 1<<30).Draw(t, "d")
		q := rapid.Uint64Range(1, 1<<30).Draw(t, "q")
		for _, n := range []uint64{d * q, d*q - 1, d*q + 1, rapid.Uint64().Draw(t, "n")} {
			if got := quotient(n, d); got != n/d {
				t.Fatalf("%d / %d is %d, not %d", n, d, n/d, got)
			}
		}
	})
}
