package prime

import (
	"context"
	"fmt"
	"math"
	"testing"

	"github.com/polymath-run/polymath/internal/function/functiontest"
)

// countBySieve is a Counter that needs nothing but the sieve.
func countBySieve(p *Primes) Counter {
	return func(ctx context.Context, x uint64) (uint64, error) {
		f := &NthPrime{sieves: p.sieves}
		n, _, err := f.scan(ctx, window{0, x}, math.MaxUint64)
		return n, err
	}
}

func TestNthPrimeConforms(t *testing.T) {
	p := NewPrimes()
	functiontest.Conformance(t, NewNthPrime(p, countBySieve(p)), functiontest.Samples{
		Inputs: []string{`{"n":1}`, `{"n":"2^20"}`},
	})
}

func TestNthPrimeRefuses(t *testing.T) {
	f := NewNthPrime(NewPrimes(), nil)
	for in, names := range map[string]string{
		`{"n":0}`:              "from 1 to 10000000000000",
		`{"n":-1}`:             `field "n": -1 is out of range: whole numbers from 1 to 10000000000000 are taken`,
		`{"n":10000000000001}`: "from 1 to 10000000000000",
		`{"n":1.5}`:            "n",
		`{}`:                   `"n" is missing`,
	} {
		functiontest.Refused(t, f, in, names)
	}
}

func FuzzNthPrimePlan(f *testing.F) {
	functiontest.Fuzz(f, NewNthPrime(NewPrimes(), nil), `{"n":0}`, `{"n":1e14}`, `{"n":"x"}`)
}

// OEIS A006988: the (10^k)-th primes.
func TestPublishedNthPrimes(t *testing.T) {
	p := NewPrimes()
	f := NewNthPrime(p, countBySieve(p))
	n := uint64(1)
	for _, want := range []uint64{2, 29, 541, 7919, 104_729, 1_299_709, 15_485_863, 179_424_673, 2_038_074_743} {
		if got := functiontest.Answer(t, f, fmt.Sprintf(`{"n":%d}`, n)); got != fmt.Sprint(want) {
			t.Errorf("prime %d is %s, want %d", n, got, want)
		}
		n *= 10
	}
}

// Every n to some thousands; guesses lie on both sides of the prime.
func TestNthPrimeFromBothSides(t *testing.T) {
	p := NewPrimes()
	primes := find(t, p.sieves, window{0, 1e4})
	f := NewNthPrime(p, countBySieve(p))
	for i, want := range primes {
		if got, err := f.find(t.Context(), uint64(i)+1); got != want || err != nil {
			t.Fatalf("prime %d: %d, %v, want %d", i+1, got, err, want)
		}
	}
	// 10^9 numbers farther out, where a guess is wrong by thousands: the count
	// says so, and the primes between are found one by one.
	const x = 1_000_000_000_000
	const below = 37_607_912_018 // pi(x), OEIS A006880
	near := NewNthPrime(p, func(ctx context.Context, at uint64) (uint64, error) {
		if at < x {
			n, _, err := f.scan(ctx, window{at + 1, x}, math.MaxUint64)
			return below - n, err
		}
		n, _, err := f.scan(ctx, window{x + 1, at}, math.MaxUint64)
		return below + n, err
	})
	beyond := find(t, p.sieves, window{x, x + 4000})
	for _, i := range []int{0, 1, len(beyond) - 1} {
		if got, err := near.find(t.Context(), below+1+uint64(i)); got != beyond[i] || err != nil {
			t.Errorf("prime %d: %d, %v, want %d", below+1+i, got, err, beyond[i])
		}
	}
}

func TestGuess(t *testing.T) {
	for n, prime := range map[uint64]float64{1e6: 15_485_863, 1e9: 22_801_763_489, 1e12: 29_996_224_275_833, 1e13: 323_780_508_946_331} {
		if got := guess(n); math.Abs(got-prime) > 2*math.Sqrt(prime) {
			t.Errorf("prime %d is guessed to be %.0f, it is %.0f", n, got, prime)
		}
	}
}
