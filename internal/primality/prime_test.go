package primality

import (
	"context"
	"errors"
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
	for n := range uint64(2_200_000) {
		if IsPrime(n) != divides(n) {
			t.Fatalf("IsPrime(%d) = %v", n, IsPrime(n))
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
		if IsPrime(tt.n) != tt.want {
			t.Errorf("IsPrime(%d) = %v", tt.n, !tt.want)
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
			if want := new(big.Int).SetUint64(n).ProbablyPrime(0); IsPrime(n) != want {
				t.Fatalf("IsPrime(%d) = %v", n, !want)
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
		if q > 1 && IsPrime(p*q) {
			t.Fatalf("%d * %d is prime", p, q)
		}
	})
}

func TestModulus(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Uint64Range(1, math.MaxUint64/2).Draw(t, "n")*2 + 1
		a, b := rapid.Uint64().Draw(t, "a")%n, rapid.Uint64().Draw(t, "b")%n
		m := NewModulus(n)
		square := bits.Rem64(m.One(), 0, n)
		got := m.Times(m.Times(a, square), b) // a enters the form, b takes it out
		hi, lo := bits.Mul64(a, b)
		if want := bits.Rem64(hi, lo, n); got != want {
			t.Fatalf("%d * %d mod %d = %d, want %d", a, b, n, got, want)
		}

		lo, hi = bits.Add64(a, b, 0)
		if want := bits.Rem64(hi, lo, n); m.Plus(a, b) != want {
			t.Fatalf("%d + %d mod %d = %d, want %d", a, b, n, m.Plus(a, b), want)
		}
		if m.Plus(m.Minus(a, b), b) != a {
			t.Fatalf("%d - %d mod %d = %d", a, b, n, m.Minus(a, b))
		}
		k := rapid.Uint64Range(1, 1000).Draw(t, "k")
		hi, lo = bits.Mul64(k, a)
		if want := bits.Rem64(hi, lo, n); m.times(k, a) != want {
			t.Fatalf("%d * %d mod %d = %d, want %d", k, a, n, m.times(k, a), want)
		}
	})
}

// Both halves of the test let primes pass and each lets some composites pass,
// but others: that none is let through by both is what the test rests on.
func TestHalvesErrElsewhere(t *testing.T) {
	var strong, lucas int
	for n := uint64(41); n < 1_000_000; n += 2 {
		m := NewModulus(n)
		s, l, prime := m.strong(), m.lucas(), hasNoDivisor(uint32(n))
		switch {
		case prime && !(s && l):
			t.Fatalf("%d is prime: strong %v, lucas %v", n, s, l)
		case !prime && s && l:
			t.Fatalf("%d passes both", n)
		case !prime && s:
			strong++
		case !prime && l:
			lucas++
		}
	}
	// A001262 of the OEIS has 46 below a million.
	if strong != 46 || lucas == 0 {
		t.Errorf("%d strong and %d Lucas pseudoprimes", strong, lucas)
	}
}

func TestJacobi(t *testing.T) {
	for n := uint64(3); n < 200; n += 2 {
		for d := range n {
			if got, want := jacobi(d, n), big.Jacobi(new(big.Int).SetUint64(d), new(big.Int).SetUint64(n)); got != want {
				t.Fatalf("(%d/%d) = %d, want %d", d, n, got, want)
			}
		}
	}
}

func TestProbable(t *testing.T) {
	number := func(text string) *big.Int {
		n, ok := new(big.Int).SetString(text, 0)
		if !ok {
			t.Fatalf("%q", text)
		}
		return n
	}
	mersenne := func(e uint) *big.Int { return new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), e), big.NewInt(1)) }
	tests := []struct {
		n    *big.Int
		want bool
	}{
		{number("-7"), false},
		{number("0"), false},
		{number("18446744073709551557"), true},
		{number("18446744073709551629"), true},  // the first beyond 2^64
		{number("18446744073709551617"), false}, // F6
		{mersenne(127), true},
		{mersenne(521), true},
		{mersenne(523), false},
		{number("3317044064679887385961981"), false}, // strong pseudoprime to the 13 first primes
	}
	for _, tt := range tests {
		got, err := Probable(context.Background(), tt.n)
		if got != tt.want || err != nil {
			t.Errorf("%d: %v, %v", tt.n, got, err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Probable(ctx, mersenne(127)); !errors.Is(err, context.Canceled) {
		t.Errorf("under an ended context: %v", err)
	}
}

// The Lucas test beyond 64 bits is the one below: they pass the same primes and
// the same composites. And Probable says of longer numbers what math/big says.
func TestLongLucas(t *testing.T) {
	passed := 0
	for n := uint64(10_001); n < 300_000; n += 2 {
		m := NewModulus(n)
		got, err := longLucas(t.Context(), new(big.Int).SetUint64(n))
		if want := m.lucas(); got != want || err != nil {
			t.Fatalf("%d: %v, %v, want %v", n, got, err, want)
		}
		if got && !divides(n) {
			passed++
		}
	}
	if passed == 0 {
		t.Error("no composite passed: the test is too strong to be a Lucas test")
	}
	rapid.Check(t, func(t *rapid.T) {
		n := new(big.Int).SetBytes(rapid.SliceOfN(rapid.Byte(), 9, 40).Draw(t, "n"))
		if n.IsUint64() {
			return
		}
		for range 20 { // to a number without small divisors, so that some are prime
			if n.Bit(0) == 0 || hasSmallDivisor(n) {
				n.Add(n, big.NewInt(1))
			}
		}
		n.SetBit(n, 0, 1) // the Lucas test is for odd numbers
		got, err := Probable(context.Background(), n)
		if want := n.ProbablyPrime(20); got != want || err != nil {
			t.Fatalf("%d: %v, %v, want %v", n, got, err, want)
		}
		square := new(big.Int).Mul(n, n)
		if got, err := longLucas(context.Background(), square); got || err != nil {
			t.Fatalf("the square of %d: %v, %v", n, got, err)
		}
		for _, d := range []int64{2, 3, 47, 53} {
			multiple := new(big.Int).Mul(n, big.NewInt(d))
			if d > 2 && !hasSmallDivisor(multiple) {
				t.Fatalf("%d divides no %d", d, multiple)
			}
			if got, err := Probable(context.Background(), multiple); got || err != nil {
				t.Fatalf("%d: %v, %v", multiple, got, err)
			}
		}
	})
}

// looks is a context that ends at its so manieth look.
type looks struct {
	context.Context
	left int
}

func (l *looks) Err() error {
	if l.left--; l.left < 0 {
		return context.Canceled
	}
	return nil
}

// A long test ends at whichever look at its context finds it ended, and there
// are enough of them: one in 64 bits of the Lucas test, one a round.
func TestProbableLooksAtItsContext(t *testing.T) {
	below := func(bits uint, by int64) *big.Int {
		return new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), bits), big.NewInt(by))
	}
	prime, composite := below(1000, 1245), new(big.Int).Mul(below(521, 1), below(1279, 1))
	for _, tt := range []struct {
		n    *big.Int
		most int
		want bool
	}{{prime, 1000/bitsPerLook + Rounds, true}, {composite, 1, false}} {
		for left := range tt.most {
			if _, err := Probable(&looks{context.Background(), left}, tt.n); !errors.Is(err, context.Canceled) {
				t.Fatalf("%d bits, after %d looks: %v", tt.n.BitLen(), left, err)
			}
		}
		if got, err := Probable(context.Background(), tt.n); got != tt.want || err != nil {
			t.Errorf("%d bits: %v, %v", tt.n.BitLen(), got, err)
		}
	}
}

// A round by itself refuses composites that it was not made for.
func TestRounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := rapid.Uint64Range(1<<33, math.MaxUint64).Draw(t, "p") | 1
		q := rapid.Uint64Range(1<<33, math.MaxUint64).Draw(t, "q") | 1
		n := new(big.Int).SetUint64(p)
		n.Mul(n, new(big.Int).SetUint64(q))
		r := newRounds(n)
		for range Rounds {
			if !r.round() {
				return
			}
		}
		t.Fatalf("%d * %d passes %d rounds", p, q, Rounds)
	})
}

func BenchmarkIsPrime(b *testing.B) {
	for _, n := range []uint64{524287, 2147483647, 18446744073709551557} {
		b.Run(new(big.Int).SetUint64(n).String(), func(b *testing.B) {
			for b.Loop() {
				if !IsPrime(n) {
					b.Fatal("composite")
				}
			}
		})
	}
}
