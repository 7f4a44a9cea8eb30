package primecount

import (
	"context"
	"testing"

	"pgregory.net/rapid"
)

// coprime counts the numbers up to n that none of the primes divides: the
// reference.
func coprime(n uint64, primes []uint64) (count uint64) {
next:
	for m := uint64(1); m <= n; m++ {
		for _, p := range primes {
			if m%p == 0 {
				continue next
			}
		}
		count++
	}
	return count
}

// few lists the primes up to n by division.
func few(n uint64) (primes []uint64) {
next:
	for m := uint64(2); m <= n; m++ {
		for _, p := range primes {
			if m%p == 0 {
				continue next
			}
		}
		primes = append(primes, m)
	}
	return primes
}

func TestRougher(t *testing.T) {
	check := func(t reporter, n uint64) {
		primes := few(squareRoot(n))
		phi, err := rougher(context.Background(), n)
		if err != nil || len(phi) != len(primes)+1 {
			t.Fatalf("n = %d: %d counts for %d primes, %v", n, len(phi), len(primes), err)
		}
		for b, got := range phi {
			if want := coprime(n, primes[:b]); got != want {
				t.Fatalf("phi(%d, %d) = %d, want %d", n, b, got, want)
			}
		}
	}
	for n := range uint64(400) {
		check(t, n)
	}
	rapid.Check(t, func(t *rapid.T) { check(t, rapid.Uint64Range(0, 20_000).Draw(t, "n")) })
}

func BenchmarkRougher(b *testing.B) {
	for b.Loop() {
		if _, err := rougher(b.Context(), 1e9); err != nil {
			b.Fatal(err)
		}
	}
}
