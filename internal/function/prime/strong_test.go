package prime

import (
	"math"
	"math/big"
	"math/bits"
	"testing"

	"pgregory.net/rapid"
)

// divides decides by division: the reference.
func divides(n uint64) bool {
	for d := uint64(2); d*d <= n; d++ {
		if n%d == 0 {
			return false
		}
	}
	return n > 1
}

func TestIsPrimeSmall(t *testing.T) {
	for n := range uint64(200_000) {
		if isPrime(n) != divides(n) {
			t.Fatalf("isPrime(%d) = %v", n, isPrime(n))
		}
	}
}

func TestIsPrimeKnown(t *testing.T) {
	tests := []struct {
		n    uint64
		want bool
	}{
		{524287, true},                                              // 2^19-1
		{2147483647, true},                                          // 2^31-1
		{2305843009213693951, true},                                 // 2^61-1
		{18446744073709551557, true},                                // the largest below 2^64
		{18446744073709551615, false},                               // 2^64-1
		{4294967291, true},                                          // the largest below 2^32
		{4294967311, true},                                          // the smallest above
		{18446744030759878681, false},                               // 4294967291^2
		{2047, false},                                               // strong pseudoprime to base 2
		{3215031751, false},                                         // to 2, 3, 5 and 7
		{4759123141, false},                                         // to 2, 7 and 61: the first beyond 2^32
		{3825123056546413051, false},                                // to the primes up to 31
		{341550071728321, false},                                    // to the primes up to 17
		{561, false}, {1105, false}, {6601, false}, {825265, false}, // Carmichael
	}
	for _, tt := range tests {
		if isPrime(tt.n) != tt.want {
			t.Errorf("isPrime(%d) = %v", tt.n, !tt.want)
		}
	}
}

// math/big's test is Baillie-PSW besides its Miller-Rabin rounds: another
// algorithm, without a known failure below 2^64.
func TestIsPrimeAgainstBig(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Uint64().Draw(t, "n")
		for range 64 {
			n++
			if want := new(big.Int).SetUint64(n).ProbablyPrime(0); isPrime(n) != want {
				t.Fatalf("isPrime(%d) = %v", n, !want)
			}
		}
	})
}

// Squares and products of two near primes are what a weak test lets through.
func TestIsPrimeRefusesProducts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := rapid.Uint64Range(2, math.MaxUint32).Draw(t, "p")
		k := rapid.Uint64Range(1, 4).Draw(t, "k")
		q := min(k*(p-1)+1, math.MaxUint32) // the form of strong pseudoprimes
		if q > 1 && isPrime(p*q) {
			t.Fatalf("%d * %d is prime", p, q)
		}
	})
}

func TestModulus(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Uint64Range(1, math.MaxUint64/2).Draw(t, "n")*2 + 1
		a, b := rapid.Uint64().Draw(t, "a")%n, rapid.Uint64().Draw(t, "b")%n
		m := newModulus(n)
		got := m.times(m.times(a, m.square), b) // a enters the form, b takes it out
		hi, lo := bits.Mul64(a, b)
		if want := bits.Rem64(hi, lo, n); got != want {
			t.Fatalf("%d * %d mod %d = %d, want %d", a, b, n, got, want)
		}
	})
}

func BenchmarkIsPrime(b *testing.B) {
	for _, n := range []uint64{524287, 2147483647, 18446744073709551557} {
		b.Run(new(big.Int).SetUint64(n).String(), func(b *testing.B) {
			for b.Loop() {
				isPrime(n)
			}
		})
	}
}
