package prime

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/function"
	"github.com/polymath-run/polymath/internal/function/prime/sieve"
	"github.com/polymath-run/polymath/internal/primality"
)

// find lists the primes of a window by the sieve.
func find(t interface{ Fatal(...any) }, pool *sieve.Pool, w window) []uint64 {
	primes := w.small()
	err := visit(context.Background(), pool, w, nil, func(g sieve.Segment) {
		g.Each(func(p uint64) { primes = append(primes, p) })
	})
	if err != nil {
		t.Fatal(err)
	}
	return primes
}

// naive lists the primes of a window one by one.
func naive(w window) (primes []uint64) {
	for n := w.from; ; n++ {
		if primality.IsPrime(n) {
			primes = append(primes, n)
		}
		if n == w.to {
			return primes
		}
	}
}

func TestWindowEdges(t *testing.T) {
	pool := sieve.NewPool()
	for from := range uint64(70) {
		for to := from; to < 130; to++ {
			w := window{from, to}
			if got, want := find(t, pool, w), naive(w); !slices.Equal(got, want) {
				t.Fatalf("%v: %v, want %v", w, got, want)
			}
		}
	}
}

// Around what could go wrong: squares of sieving primes, ends of segments, of
// the table and of 64 bits, and where the sieve stops proving by itself.
func TestWindowsAroundEdges(t *testing.T) {
	pool := sieve.NewPool()
	const most = math.MaxUint64
	centres := []uint64{
		19 * 19, 167 * 167, 4093 * 4093, 4099 * 4099, sieve.MinLimit, 131_071 * 131_071, 131_101 * 131_101,
		1 << 32, 4294967291 * 4294967291, 65521 * 65521, maxSieving, maxSieving * maxSieving, 16777213 * 16777213,
		16777259 * 16777259, 1e12, 1e18, 1 << 63, most - 400,
	}
	for _, c := range centres {
		for _, w := range []window{{c - 100, c + 100}, {c, c}, {c - 1, c}, {c, c + 1}, {c + 17, c + 400}} {
			if got, want := find(t, pool, w), naive(w); !slices.Equal(got, want) {
				t.Errorf("%v: %v, want %v", w, got, want)
			}
		}
	}
	top := window{most - 100, most}
	if got, want := find(t, pool, top), naive(top); !slices.Equal(got, want) || got[len(got)-1] != 18446744073709551557 {
		t.Errorf("%v: %v, want %v", top, got, want)
	}
}

func TestRandomWindows(t *testing.T) {
	pool := sieve.NewPool()
	rapid.Check(t, func(t *rapid.T) {
		bits := rapid.IntRange(1, 64).Draw(t, "bits")
		from := rapid.Uint64Max(math.MaxUint64>>(64-bits)).Draw(t, "from")
		width := rapid.Uint64Max(3000).Draw(t, "width")
		w := window{from, from + min(width, math.MaxUint64-from)}
		if got, want := find(t, pool, w), naive(w); !slices.Equal(got, want) {
			t.Fatalf("%v: %v, want %v", w, got, want)
		}
	})
}

// A window is long or short for its square root: both ways find the same.
func TestSievingAloneAgreesWithTesting(t *testing.T) {
	pool := sieve.NewPool()
	for _, from := range []uint64{1e11, 1e12, 2e13} {
		long := window{from, from + 3e6}
		if _, proven := long.sieving(); !proven {
			t.Fatalf("%v is not sieved to its root", long)
		}
		primes := find(t, pool, long)
		for _, offset := range []uint64{0, 12_345, 2_900_000} {
			short := window{from + offset, from + offset + 1000}
			if _, proven := short.sieving(); proven && from > 1e11 {
				t.Fatalf("%v is sieved to its root", short)
			}
			low, _ := slices.BinarySearch(primes, short.from)
			high, _ := slices.BinarySearch(primes, short.to+1)
			if got := find(t, pool, short); !slices.Equal(got, primes[low:high]) {
				t.Errorf("%v: %v", short, got)
			}
		}
	}
}

func TestVisitEndsWithItsContext(t *testing.T) {
	pool := sieve.NewPool()
	for _, w := range []window{{0, 1e15}, {1e18, 2e18}} {
		ctx, cancel := context.WithCancel(t.Context())
		segments := 0
		err := visit(ctx, pool, w, nil, func(sieve.Segment) { segments++; cancel() })
		if err != context.Canceled || segments != 1 {
			t.Errorf("%v: %v after %d segments", w, err, segments)
		}
	}
}

// Far out a window takes its time before there is a segment. It is alive all
// the while, whatever is asked for, and looks at its context; the lists and the
// tested windows never have a long sieve to prepare.
func TestAliveWhileItPrepares(t *testing.T) {
	p := NewPrimes()
	for _, what := range []string{countThem, sumThem, twinsOf, sextupletsOf, gapOf} {
		canonical, plan, err := p.Plan(fmt.Appendf(nil, `{"from":"1e18","to":"1000000001000000000","what":%q}`, what))
		if err != nil {
			t.Fatal(err)
		}
		const enough = 10
		ctx, cancel := context.WithCancel(t.Context())
		signs := 0
		_, err = p.Run(ctx, function.Task{Input: canonical, Interval: polymath.Interval{To: plan.Units}, Progress: func(done uint64) {
			if signs++; signs == enough {
				cancel()
			}
			if done > 0 || signs > enough {
				t.Errorf("%s: %d units are done after %d signs of life", what, done, signs)
			}
		}})
		if !errors.Is(err, context.Canceled) || signs != enough {
			t.Errorf("%s: %v after %d signs of life", what, err, signs)
		}
	}
	canonical, _, err := p.Plan([]byte(`{"from":"1e18","to":"1000000000000400000","what":"list"}`))
	if err != nil {
		t.Fatal(err)
	}
	signs := 0
	if _, err = p.Run(t.Context(), function.Task{Input: canonical, Interval: polymath.Interval{To: 1}, Progress: func(uint64) { signs++ }}); err != nil || signs < 20 {
		t.Errorf("a list: %v, %d signs of life", err, signs)
	}
}

func BenchmarkSieve(b *testing.B) {
	for _, w := range []window{
		{0, 1e9}, {1e10, 1e10 + 1e8}, {1e12, 1e12 + 1e8}, {1e13, 1e13 + 1e8}, {1e14, 1e14 + 1e8}, {2.7e14, 2.7e14 + 1e8},
		{1e15, 1e15 + 1e6}, {1e18, 1e18 + 1e6},
	} {
		b.Run(fmt.Sprintf("%.1e+%.0e", float64(w.from), float64(w.size())), func(b *testing.B) {
			pool := sieve.NewPool()
			for b.Loop() {
				err := visit(b.Context(), pool, w, nil, func(g sieve.Segment) { g.Count() })
				if err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(w.size()), "ns/number")
		})
	}
}
