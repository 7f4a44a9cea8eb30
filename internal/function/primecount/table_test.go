package primecount

import (
	"context"
	"errors"
	"math/bits"
	"testing"

	"pgregory.net/rapid"
)

func mustTable(t reporter, s shape) *table {
	tab, err := newTable(context.Background(), s)
	if err != nil {
		t.Fatalf("%+v: %v", s, err)
	}
	return tab
}

func TestTableOfPrimes(t *testing.T) {
	for _, y := range []uint64{162, 239, 240, 241, 480, 2047} {
		tab := mustTable(t, shape{x: minCut, y: y, z: minCut / y, easy: 1, hard: 1})
		primes := few(y)
		for i, p := range primes {
			if uint64(tab.primes[i+1]) != p {
				t.Fatalf("y = %d: prime %d is %d, want %d", y, i+1, tab.primes[i+1], p)
			}
		}
		count := uint64(2)
		for n := uint64(5); n <= y; n++ {
			if count < uint64(len(primes)) && primes[count] == n {
				count++
			}
			if got := tab.pi(n); got != count {
				t.Fatalf("y = %d: pi(%d) = %d, want %d", y, n, got, count)
			}
		}
	}
}

// factorsOf gives the smallest prime factor and mu by division.
func factorsOf(m uint64) (smallest uint64, mu int) {
	mu = 1
	for d := uint64(2); m > 1; d++ {
		if d*d > m {
			d = m
		}
		if m%d != 0 {
			continue
		}
		if m /= d; m%d == 0 {
			return d, 0
		}
		if mu = -mu; smallest == 0 {
			smallest = d
		}
	}
	return smallest, mu
}

func TestFactors(t *testing.T) {
	const y = 100_000 // beyond 16 bits
	tab := mustTable(t, shape{x: 1e13, y: y, z: 1e8, easy: 1, hard: 1})
	for i := range wheelIndex(y) + 1 {
		m, f := onWheel(i), uint64(tab.factors[i])
		smallest, mu := factorsOf(m)
		if m == 1 || smallest > largeFactor {
			smallest = largeFactor
		}
		want := [3]uint64{smallest, manyFactors, smallest &^ 1}[mu+1]
		if f != want {
			t.Fatalf("the factor of %d is %d, want %d", m, f, want)
		}
	}
}

func TestWheelIndex(t *testing.T) {
	want := -1
	for n := range uint64(2000) {
		if n%2 != 0 && n%3 != 0 && n%5 != 0 {
			want++
		}
		if got := wheelIndex(n); got != want || n > 0 && onWheel(got) > n {
			t.Fatalf("the largest of the wheel up to %d is number %d, %d; want %d", n, got, onWheel(got), want)
		}
	}
}

func TestPatternPhi(t *testing.T) {
	p := newPattern()
	primes := []uint64{2, 3, 5, 7, 11, 13, 17}
	var count uint64
next:
	for n := range uint64(period + 1000) {
		for _, prime := range primes {
			if n%prime == 0 {
				if got := p.phi(n); got != count {
					t.Fatalf("phi(%d, 7) = %d, want %d", n, got, count)
				}
				continue next
			}
		}
		count++
	}
	if got := p.phi(period - 1); got != perPeriod {
		t.Errorf("%d in a period, want %d", got, perPeriod)
	}
}

// A table is not built under a context that ended, wherever it looks.
func TestTableIsInterruptible(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := newTable(ctx, newShape(1e12)); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	tab := mustTable(t, newShape(1e12))
	if _, err := tab.easyUnit(ctx, 0); !errors.Is(err, context.Canceled) {
		t.Errorf("easy: %v", err)
	}
	if _, err := tab.hardUnits(ctx, 0, 1, func(uint64) {}); !errors.Is(err, context.Canceled) {
		t.Errorf("hard: %v", err)
	}
	if _, err := Count(ctx, 1e12, 2, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("count: %v", err)
	}
	if _, err := Count(ctx, 1000, 2, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("small count: %v", err)
	}
}

// A segment counts what is left of it, to any places in order and wherever it
// begins and ends.
func TestSegmentCounts(t *testing.T) {
	p := newPattern()
	rapid.Check(t, func(t *rapid.T) {
		low := rapid.Uint64Range(0, 1_000_000).Draw(t, "low") * word
		high := low + rapid.Uint64Range(1, 100_000).Draw(t, "length")
		s := segment{set: make([]byte, 1<<13), blockShift: uint(rapid.IntRange(7, 9).Draw(t, "shift"))}
		s.reset(p, low, high)
		gone := few(17)
		for _, prime := range []uint64{19, 101, 9973} {
			s.strike(prime)
			gone = append(gone, prime)
		}
		c := counter{s: &s}
		var want uint64
		at := low
		for range 20 {
			if at == high {
				break
			}
			to := rapid.Uint64Range(at, high-1).Draw(t, "to")
			for ; at <= to; at++ {
				if !divisible(at, gone) {
					want++
				}
			}
			if got := c.upTo(to); got != want {
				t.Fatalf("[%d,%d] has %d left, want %d", low, to, got, want)
			}
		}
		var left int
		for _, b := range s.set {
			left += bits.OnesCount8(b)
		}
		if uint64(left) != s.total {
			t.Fatalf("%d left, total %d", left, s.total)
		}
	})
}

func divisible(n uint64, primes []uint64) bool {
	for _, p := range primes {
		if n%p == 0 {
			return true
		}
	}
	return n == 0
}
