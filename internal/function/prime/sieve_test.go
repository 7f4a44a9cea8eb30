package prime

import (
	"context"
	"fmt"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// find lists the primes of a window by the sieve.
func find(t interface{ Fatal(...any) }, table *table, w window) []uint64 {
	primes := w.small()
	last := uint64(0)
	err := table.visit(context.Background(), w, func(base uint64, segment []byte, covered uint64) {
		each(base, segment, func(p uint64) { primes = append(primes, p) })
		if covered < last || covered > w.to {
			t.Fatal("covered", covered, "after", last)
		}
		last = covered
	})
	if err != nil {
		t.Fatal(err)
	}
	if last != w.to {
		t.Fatal("covered", last, "of", w)
	}
	return primes
}

// naive lists the primes of a window one by one.
func naive(w window) (primes []uint64) {
	for n := w.from; ; n++ {
		if isPrime(n) {
			primes = append(primes, n)
		}
		if n == w.to {
			return primes
		}
	}
}

func TestWindowEdges(t *testing.T) {
	table := newTable()
	for from := range uint64(70) {
		for to := from; to < 130; to++ {
			w := window{from, to}
			if got, want := find(t, table, w), naive(w); !slices.Equal(got, want) {
				t.Fatalf("%v: %v, want %v", w, got, want)
			}
		}
	}
}

// Around what could go wrong: squares of sieving primes, ends of segments, of
// the table and of 64 bits, and where the sieve stops proving by itself.
func TestWindowsAroundEdges(t *testing.T) {
	table := newTable()
	const most = math.MaxUint64
	centres := []uint64{
		19 * 19, 4093 * 4093, 4099 * 4099, firstTable, minSegment * turn, maxSegment * turn, patternBytes * turn,
		1 << 32, 4294967291 * 4294967291, 65521 * 65521, maxSieving, maxSieving * maxSieving, 16777213 * 16777213,
		16777259 * 16777259, 1e12, 1e18, 1 << 63, most - 400,
	}
	for _, c := range centres {
		for _, w := range []window{{c - 100, c + 100}, {c, c}, {c - 1, c}, {c, c + 1}, {c + 17, c + 400}} {
			if got, want := find(t, table, w), naive(w); !slices.Equal(got, want) {
				t.Errorf("%v: %v, want %v", w, got, want)
			}
		}
	}
	top := window{most - 100, most}
	if got, want := find(t, table, top), naive(top); !slices.Equal(got, want) || got[len(got)-1] != 18446744073709551557 {
		t.Errorf("%v: %v, want %v", top, got, want)
	}
}

func TestRandomWindows(t *testing.T) {
	table := newTable()
	rapid.Check(t, func(t *rapid.T) {
		bits := rapid.IntRange(1, 64).Draw(t, "bits")
		from := rapid.Uint64Max(math.MaxUint64>>(64-bits)).Draw(t, "from")
		width := rapid.Uint64Max(3000).Draw(t, "width")
		w := window{from, from + min(width, math.MaxUint64-from)}
		if got, want := find(t, table, w), naive(w); !slices.Equal(got, want) {
			t.Fatalf("%v: %v, want %v", w, got, want)
		}
	})
}

// A window is long or short for its square root: both ways find the same.
func TestSievingAloneAgreesWithTesting(t *testing.T) {
	table := newTable()
	for _, from := range []uint64{1e10, 1e12, 2e13} {
		long := window{from, from + 3e6}
		if _, proven := long.sieving(); !proven {
			t.Fatalf("%v is not sieved to its root", long)
		}
		primes := find(t, table, long)
		for _, offset := range []uint64{0, 12_345, 2_900_000} {
			short := window{from + offset, from + offset + 1000}
			if _, proven := short.sieving(); proven && from > 1e11 {
				t.Fatalf("%v is sieved to its root", short)
			}
			low, _ := slices.BinarySearch(primes, short.from)
			high, _ := slices.BinarySearch(primes, short.to+1)
			if got := find(t, table, short); !slices.Equal(got, primes[low:high]) {
				t.Errorf("%v: %v", short, got)
			}
		}
	}
}

func TestTable(t *testing.T) {
	for _, limits := range [][]uint64{{100, 4096, 4097, 70_000, 65_536, 2, 18, 19}, {1 << 20, 22}} {
		table := newTable()
		for _, limit := range limits {
			got := table.upTo(limit)
			want := 0
			for n := uint64(firstSieving); n <= limit; n++ {
				if isPrime(n) {
					if want < len(got) && uint64(got[want]) != n {
						t.Fatalf("upTo(%d)[%d] = %d, want %d", limit, want, got[want], n)
					}
					want++
				}
			}
			if len(got) != want {
				t.Fatalf("upTo(%d) has %d primes, want %d", limit, len(got), want)
			}
		}
	}
}

func TestWholeTable(t *testing.T) {
	primes := newTable().upTo(maxSieving)
	// There are 1,077,871 primes below 2^24 (OEIS A007053), seven below 19.
	if n := len(primes); n != 1_077_871-7 || primes[n-1] != 16_777_213 || !slices.IsSorted(primes) {
		t.Errorf("%d primes to %d", n, primes[n-1])
	}
}

func TestSqrt(t *testing.T) {
	for _, r := range []uint64{0, 1, 2, 3, 4095, 1 << 16, 94906265, 94906266, 94906267, 1<<32 - 2, 1<<32 - 1} {
		for _, n := range []uint64{r * r, r*r + r, r*r + 2*r} {
			if got := sqrt(n); got != r {
				t.Errorf("sqrt(%d) = %d, want %d", n, got, r)
			}
		}
	}
	if got := sqrt(math.MaxUint64); got != math.MaxUint32 {
		t.Errorf("sqrt(2^64-1) = %d", got)
	}
}

func TestVisitEndsWithItsContext(t *testing.T) {
	table := newTable()
	for _, w := range []window{{0, 1e15}, {1e18, 2e18}} {
		ctx, cancel := context.WithCancel(t.Context())
		segments := 0
		err := table.visit(ctx, w, func(uint64, []byte, uint64) { segments++; cancel() })
		if err != context.Canceled || segments != 1 {
			t.Errorf("%v: %v after %d segments", w, err, segments)
		}
	}
}

func BenchmarkSieve(b *testing.B) {
	for _, w := range []window{
		{0, 1e9}, {1e10, 1e10 + 1e8}, {1e12, 1e12 + 1e8}, {1e13, 1e13 + 1e8}, {1e14, 1e14 + 1e8}, {2.7e14, 2.7e14 + 1e8},
		{1e15, 1e15 + 1e6}, {1e18, 1e18 + 1e6},
	} {
		b.Run(fmt.Sprintf("%.1e+%.0e", float64(w.from), float64(w.size())), func(b *testing.B) {
			table := newTable()
			for b.Loop() {
				err := table.visit(b.Context(), w, func(_ uint64, segment []byte, _ uint64) { ones(segment) })
				if err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(w.size()), "ns/number")
		})
	}
}
