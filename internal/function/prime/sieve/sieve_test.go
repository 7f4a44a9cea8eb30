package sieve

import (
	"context"
	"errors"
	"fmt"
	"math"
	mathbig "math/big"
	"slices"
	"sync"
	"testing"

	"pgregory.net/rapid"
)

// tiny is a configuration whose every border lies within numbers that can be
// tested one by one.
func tiny() config {
	return config{chunk: block, segment: 4 * block, smallMax: 500, rowMax: 2 * block, mediumMax: 10_000, entries: maxEntries}
}

// pools are a pool for every kernel and configuration.
func pools() map[string]*Pool {
	all := make(map[string]*Pool)
	for kernelName, k := range map[string]*kernel{"portable": portable(), "native": native()} {
		for configName, c := range map[string]config{"tiny": tiny(), "usual": configure(usualL1, usualL2)} {
			s := newShared(k)
			s.config = c
			all[kernelName+"/"+configName] = &Pool{shared: func() *shared { return s }}
		}
	}
	return all
}

// reporter is what *testing.T and *rapid.T have in common here.
type reporter interface {
	Helper()
	Fatalf(format string, args ...any)
}

// find lists what is left in a window, and checks that segments follow each
// other without a gap.
func find(t reporter, p *Pool, w Window) (left []uint64) {
	t.Helper()
	next := w.From / Turn
	err := p.Visit(context.Background(), w, func(g Segment) error {
		if g.Base != next || len(g.Bytes) == 0 {
			t.Fatalf("%v: a segment of %d bytes at %d, want one at %d", w, len(g.Bytes), g.Base, next)
		}
		next += uint64(len(g.Bytes))
		g.Each(func(n uint64) { left = append(left, n) })
		return nil
	})
	if err != nil || next != w.To/Turn+1 {
		t.Fatalf("%v: %v; the segments end at %d", w, err, next)
	}
	return left
}

// naive lists the primes of a window from 7 on by a test of each number that
// shares nothing with the sieve; it is proven below 2^64.
func naive(w Window) (primes []uint64) {
	for n := max(w.From, 7); n <= w.To && n >= w.From; n++ {
		if n%2 != 0 && n%3 != 0 && new(mathbig.Int).SetUint64(n).ProbablyPrime(0) {
			primes = append(primes, n)
		}
	}
	return primes
}

func TestEdges(t *testing.T) {
	const most = math.MaxUint64
	centres := []uint64{
		30, 163, 167, 210, 167 * 167, 499 * 499, 503 * 503, 2039 * 2039, 2053 * 2053, 9973 * 9973, 10_007 * 10_007,
		block * Turn, 4 * block * Turn, 12 * block * Turn, tableEnd, 1 << 32, 65_521 * 65_521, 65_537 * 65_537,
		131_071 * 131_071, 131_101 * 131_101, 1e12, 1_048_583 * 1_048_583,
	}
	for name, p := range pools() {
		for _, c := range centres {
			for _, w := range []Window{{From: c - 30, To: c + 30}, {From: c, To: c}, {From: c - 1, To: c}, {From: c + 17, To: c + 400}} {
				if got, want := find(t, p, w), naive(w); !slices.Equal(got, want) {
					t.Errorf("%s: %v: %v, want %v", name, w, got, want)
				}
			}
		}
		for from := range uint64(70) {
			for to := from; to < 100; to++ {
				w := Window{From: from, To: to}
				if got, want := find(t, p, w), naive(w); !slices.Equal(got, want) {
					t.Fatalf("%s: %v: %v, want %v", name, w, got, want)
				}
			}
		}
		top := Window{From: most - 1000, To: most, Limit: 1}
		if left := find(t, p, top); !slices.Contains(left, 18446744073709551557) {
			t.Errorf("%s: the last prime of 64 bits is missing from %v", name, left)
		}
	}
}

// Windows of many segments, whose primes of every kind straddle them.
func TestRandomWindows(t *testing.T) {
	all := pools()
	rapid.Check(t, func(t *rapid.T) {
		bits := rapid.IntRange(1, 44).Draw(t, "bits")
		from := rapid.Uint64Max(math.MaxUint64>>(64-bits)).Draw(t, "from")
		w := Window{From: from, To: from + rapid.Uint64Max(20*block*Turn).Draw(t, "span")}
		want := find(t, all["portable/usual"], w)
		for name, p := range all {
			if got := find(t, p, w); !slices.Equal(got, want) {
				t.Fatalf("%s: %v: %d numbers, not %d", name, w, len(got), len(want))
			}
		}
		part := Window{From: w.From + (w.To-w.From)/2}
		part.To = min(part.From+500, w.To)
		low, _ := slices.BinarySearch(want, part.From)
		high, _ := slices.BinarySearch(want, part.To+1)
		if primes := naive(part); !slices.Equal(want[low:high], primes) {
			t.Fatalf("%v of %v: %v, want %v", part, w, want[low:high], primes)
		}
	})
}

// Published values of pi(x): OEIS A006880.
func TestPublishedCounts(t *testing.T) {
	counts := []uint64{0, 4, 25, 168, 1229, 9592, 78498, 664579, 5761455, 50847534, 455052511}
	for name, p := range pools() {
		to := uint64(1)
		for k, want := range counts {
			if testing.Short() && k > 8 || name != "native/usual" && k > 8 {
				break
			}
			got := count(t, p, Window{To: to})
			for _, small := range []uint64{2, 3, 5} {
				if small <= to {
					got++
				}
			}
			if got != want {
				t.Errorf("%s: pi(10^%d) is %d, want %d", name, k, got, want)
			}
			to *= 10
		}
	}
}

// Windows counted with primesieve 11.0 and 12.16.
func TestWindowsFarOut(t *testing.T) {
	if testing.Short() {
		t.Skip("sieves to 2^32: some seconds")
	}
	for _, k := range []*kernel{portable(), native()} {
		s := newShared(k)
		p := &Pool{shared: func() *shared { return s }}
		for _, tt := range []struct {
			Window
			want uint64
		}{
			{Window{From: 1e12, To: 1e12 + 1e8}, 3_618_282},
			{Window{From: 1e13, To: 1e13 + 1e8}, 3_342_093},
			{Window{From: 1e15, To: 1e15 + 1e8}, 2_893_937},
			{Window{From: 1e18, To: 1e18 + 1e8}, 2_414_886},
		} {
			if got := count(t, p, tt.Window); got != tt.want {
				t.Errorf("%v: %d, want %d", tt.Window, got, tt.want)
			}
		}
		top := Window{From: math.MaxUint64 - 3000, To: math.MaxUint64}
		if got, want := find(t, p, top), naive(top); !slices.Equal(got, want) {
			t.Errorf("%v: %v, want %v", top, got, want)
		}
	}
}

func count(t reporter, p *Pool, w Window) (n uint64) {
	t.Helper()
	err := p.Visit(context.Background(), w, func(g Segment) error { n += g.Count(); return nil })
	if err != nil {
		t.Fatalf("%v: %v", w, err)
	}
	return n
}

// A window whose big primes are too many is sieved in passes.
func TestPasses(t *testing.T) {
	w := Window{From: 1e12 + 7, To: 1e12 + 1e7}
	want := count(t, NewPool(), w)
	s := newShared(native())
	s.config.mediumMax, s.config.entries = 500_000, 40_000
	p := &Pool{shared: func() *shared { return s }}
	passes := 0
	for rest, last := w, false; !last; passes++ {
		var pass Window
		if pass, rest, last = newSieve(s).cut(rest); pass.To < pass.From || !last && rest.From != pass.To+1 {
			t.Fatalf("%v, then %v", pass, rest)
		}
	}
	if passes < 2 {
		t.Fatalf("%d passes", passes)
	}
	if got := count(t, p, w); got != want {
		t.Errorf("in %d passes %d primes, in one %d", passes, got, want)
	}
}

// What a limited sieve leaves has no divisor to the limit, and all primes are
// left.
func TestLimit(t *testing.T) {
	w := Window{From: 1e18, To: 1e18 + 20_000, Limit: 200_000}
	for name, p := range pools() {
		left := find(t, p, w)
		for _, n := range left {
			for d := uint64(7); d <= w.Limit; d += 2 {
				if n%d == 0 {
					t.Fatalf("%s: %d has the divisor %d", name, n, d)
				}
			}
		}
		for _, n := range naive(w) {
			if _, found := slices.BinarySearch(left, n); !found {
				t.Fatalf("%s: the prime %d is missing", name, n)
			}
		}
	}
}

func TestVisitEnds(t *testing.T) {
	p := NewPool()
	for _, w := range []Window{{To: 1e15}, {From: 1e18, To: 2e18}} {
		ctx, cancel := context.WithCancel(t.Context())
		segments := 0
		err := p.Visit(ctx, w, func(Segment) error { segments++; cancel(); return nil })
		if !errors.Is(err, context.Canceled) || segments != 1 {
			t.Errorf("%v: %v after %d segments", w, err, segments)
		}
		enough := errors.New("enough")
		if err := p.Visit(t.Context(), w, func(Segment) error { return enough }); err != enough {
			t.Errorf("%v: %v, want the error of show", w, err)
		}
		if got := count(t, p, Window{To: 1e6}); got != 78_495 {
			t.Errorf("after a visit cut short %d primes", got)
		}
	}
}

// The law of config holds for every machine.
func TestConfigure(t *testing.T) {
	for _, l1 := range []int{8 << 10, 32 << 10, 48 << 10, 128 << 10, 1 << 20, 64 << 20} {
		for _, l2 := range []int{128 << 10, 256 << 10, 512 << 10, 2 << 20, 64 << 20} {
			c := configure(l1, l2)
			if c.rowMax+2*block > uint64(c.segment) || c.segment&(c.segment-1) != 0 || c.segment > 1<<offsetBits ||
				c.chunk%block != 0 || c.chunk == 0 || c.chunk > c.segment || c.smallMax > c.rowMax || c.rowMax > c.mediumMax {
				t.Errorf("caches of %d and %d: %+v", l1, l2, c)
			}
		}
	}
}

// Goroutines share a pool, and each gets what it asked for.
func TestPoolIsShared(t *testing.T) {
	p := NewPool()
	want := count(t, p, Window{From: 1e9, To: 1e9 + 1e6 - 1})
	var group sync.WaitGroup
	for i := range uint64(8) {
		group.Go(func() {
			total := uint64(0)
			for j := range uint64(10) {
				w := Window{From: 1e9 + j*1e5, To: 1e9 + (j+1)*1e5 - 1}
				err := p.Visit(context.Background(), w, func(g Segment) error { total += g.Count(); return nil })
				if err != nil {
					t.Error(err)
				}
			}
			if total != want {
				t.Errorf("goroutine %d: %d primes, want %d", i, total, want)
			}
		})
	}
	group.Wait()
}

// In the steady state a visit allocates nothing, whichever primes it crosses
// off.
func TestVisitAllocatesNothing(t *testing.T) {
	p := NewPool()
	for _, w := range []Window{{To: 1e6}, {To: 1e7}, {From: 1e12, To: 1e12 + 1e7}, {From: 1e14, To: 1e14 + 1e7}} {
		var n uint64
		show := func(g Segment) error { n += g.Count(); return nil }
		visit := func() {
			if err := p.Visit(context.Background(), w, show); err != nil {
				t.Fatal(err)
			}
		}
		if allocations := testing.AllocsPerRun(2, visit); allocations != 0 {
			t.Errorf("%v: %v allocations", w, allocations)
		}
	}
}

func TestSqrt(t *testing.T) {
	for _, r := range []uint64{0, 1, 2, 3, 4095, 1 << 16, 94906265, 94906266, 94906267, 1<<32 - 2, 1<<32 - 1} {
		for _, n := range []uint64{r * r, r*r + r, r*r + 2*r} {
			if got := Sqrt(n); got != r {
				t.Errorf("Sqrt(%d) = %d, want %d", n, got, r)
			}
		}
	}
	if got := Sqrt(math.MaxUint64); got != math.MaxUint32 {
		t.Errorf("Sqrt(2^64-1) = %d", got)
	}
}

func FuzzWindow(f *testing.F) {
	for _, edge := range []uint64{0, 1, 2, 1 << 32, 1<<32 - 1, 1<<32 + 1, 1 << 52, 1e18, math.MaxUint64 - 1, math.MaxUint64} {
		f.Add(edge, uint16(0))
		f.Add(edge, uint16(1))
		f.Add(edge, uint16(3000))
	}
	all := pools()
	f.Fuzz(func(t *testing.T, from uint64, span uint16) {
		w := Window{From: from, To: from + min(uint64(span), math.MaxUint64-from), Limit: 1}
		for name, p := range all {
			left := find(t, p, w)
			for _, n := range naive(w) {
				if _, found := slices.BinarySearch(left, n); !found {
					t.Fatalf("%s: %v: the prime %d is missing", name, w, n)
				}
			}
			if primes := naive(w); w.To < tableEnd*tableEnd && len(left) != len(primes) {
				t.Fatalf("%s: %v: %v, want %v", name, w, left, primes)
			}
		}
	})
}

func BenchmarkVisit(b *testing.B) {
	for name, p := range map[string]*Pool{"native": NewPool(), "portable": NewPortablePool()} {
		for _, w := range []Window{
			{To: 1e6}, {To: 1e9}, {From: 1e12, To: 1e12 + 1e8}, {From: 1e15, To: 1e15 + 1e8}, {From: 1e18, To: 1e18 + 1e8},
		} {
			b.Run(fmt.Sprintf("%s/%.0e+%.0e", name, float64(w.From), float64(w.To-w.From)), func(b *testing.B) {
				for b.Loop() {
					if err := p.Visit(b.Context(), w, func(g Segment) error { g.Count(); return nil }); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(w.To-w.From), "ns/number")
			})
		}
	}
}
