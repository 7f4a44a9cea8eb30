package primecount

import (
	"context"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/polymath-run/polymath"
)

// published is pi(10^k), sequence A006880 of the OEIS.
var published = []uint64{
	0, 4, 25, 168, 1229, 9592, 78498, 664579, 5761455, 50847534, 455052511, 4118054813,
	37607912018, 346065536839, 3204941750802, 29844570422669, 279238341033925, 2623557157654233, 24739954287740860,
}

func TestPublished(t *testing.T) {
	most := 15 // make soak-pi has 10^17
	if testing.Short() {
		most = 12
	}
	x := uint64(1)
	for k := range most + 1 {
		got, err := Count(context.Background(), x, 2, nil)
		if err != nil || got != published[k] {
			t.Errorf("pi(10^%d) = %d, %v, want %d", k, got, err, published[k])
		}
		x *= 10
	}
}

// Random x beside the program primecount, where that is installed.
func TestBesidePrimecount(t *testing.T) {
	program, err := exec.LookPath("primecount")
	if err != nil {
		t.Skip("SKIPPED: primecount is not installed (Debian: apt-get install primecount-bin)")
	}
	rapid.Check(t, func(r *rapid.T) {
		x := rapid.Uint64Range(1, 1<<rapid.IntRange(20, 41).Draw(r, "bits")).Draw(r, "x")
		out, err := exec.CommandContext(t.Context(), program, strconv.FormatUint(x, 10), "--threads=1").Output()
		if err != nil {
			r.Fatalf("%v", err)
		}
		got, err := Count(t.Context(), x, 1, nil)
		if want := strings.TrimSpace(string(out)); err != nil || strconv.FormatUint(got, 10) != want {
			r.Fatalf("pi(%d) = %d, %v, primecount counts %s", x, got, err, want)
		}
	})
}

// sum adds up all units of a shape, in one goroutine.
func sum(t reporter, s shape) uint64 {
	tab, err := newTable(context.Background(), s)
	if err != nil {
		t.Fatalf("x = %d: %v", s.x, err)
	}
	got, err := tab.run(context.Background(), polymath.Interval{To: s.units()}, func(uint64) {})
	if err != nil {
		t.Fatalf("x = %d: %v", s.x, err)
	}
	return got
}

type reporter interface {
	Fatalf(format string, args ...any)
}

// The formula holds for any y from the cube root of x to its root, and the
// sums it moves between its parts are others for every y: this is what would
// show an error in one of them.
func TestAnyCutCountsTheSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := rapid.Uint64Range(minCut, 2_000_000_000).Draw(t, "x")
		want, err := small(context.Background(), x)
		if err != nil {
			t.Fatalf("%v", err)
		}
		s := shapeOf(x, rapid.Float64Range(1, 40).Draw(t, "alpha"))
		s.easy = rapid.Uint64Range(1, 50).Draw(t, "easy units")
		s.hard = rapid.Uint64Range(1, maxUnits).Draw(t, "hard units")
		if got := sum(t, s); got != want {
			t.Fatalf("pi(%d) = %d by %+v, %d by sweeping", x, got, s, want)
		}
	})
}

// Every unit may run in a task of its own or with its neighbours.
func TestUnitsAddUp(t *testing.T) {
	s := newShape(1e11)
	s.easy, s.hard = 5, 40
	tab := mustTable(t, s)
	rapid.Check(t, func(t *rapid.T) {
		var total uint64
		rest := polymath.Interval{To: s.units()}
		for !rest.Empty() {
			var head polymath.Interval
			head, rest = rest.Split(rapid.Uint64Range(1, 20).Draw(t, "units"))
			var last uint64
			part, err := tab.run(context.Background(), head, func(done uint64) { last = done })
			if err != nil || last != head.Len() {
				t.Fatalf("%v: %d done, %v", head, last, err)
			}
			total += part
		}
		if total != published[11] {
			t.Fatalf("pi(10^11) = %d, want %d", total, published[11])
		}
	})
}

// Both sides of where the count is cut, squares and cubes of primes, where
// floors and roots turn over.
func TestEdges(t *testing.T) {
	edges := []uint64{0, 1, 2, 3, 4, 5, minCut - 1, minCut, minCut + 1, 1<<32 - 1, 1 << 32, 1<<32 + 1}
	for _, p := range []uint64{2053, 2063, 46337, 65521, 65537} {
		edges = append(edges, p*p-1, p*p, p*p+1)
	}
	for _, p := range []uint64{163, 1289, 2063} {
		edges = append(edges, p*p*p-1, p*p*p, p*p*p+1)
	}
	for _, x := range edges {
		want, err := small(context.Background(), x)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := Count(context.Background(), x, 2, nil); got != want || err != nil {
			t.Errorf("pi(%d) = %d, %v; swept it is %d", x, got, err, want)
		}
	}
}

func FuzzCount(f *testing.F) {
	for _, x := range []uint64{0, 1, 2, minCut, 1 << 32, 1e10} {
		f.Add(x)
	}
	f.Fuzz(func(t *testing.T, x uint64) {
		x %= 2e10
		want, err := small(context.Background(), x)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := Count(context.Background(), x, 1, nil); got != want || err != nil {
			t.Errorf("pi(%d) = %d, %v; swept it is %d", x, got, err, want)
		}
	})
}

func TestCountReportsProgressAndRefuses(t *testing.T) {
	var last, all uint64
	if _, err := Count(context.Background(), 1e11, 2, func(done, total uint64) {
		if done <= last || done > total {
			t.Errorf("%d of %d after %d", done, total, last)
		}
		last, all = done, total
	}); err != nil || last != all || all == 0 {
		t.Errorf("ended at %d of %d, %v", last, all, err)
	}
	if _, err := Count(context.Background(), MaxX+1, 1, nil); polymath.CodeOf(err) != polymath.InvalidArgument {
		t.Errorf("beyond the largest x: %v", err)
	}
}

// What is planned covers the sieve without gaps, for every x that is cut.
func TestShape(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := newShape(rapid.Uint64Range(minCut, MaxX).Draw(t, "x"))
		if s.y*s.y <= s.z || s.y > squareRoot(s.x) || s.z != s.x/s.y {
			t.Fatalf("%+v", s)
		}
		if s.boundary(0) != 0 || s.boundary(s.hard) != s.z+1 {
			t.Fatalf("%+v: from %d to %d", s, s.boundary(0), s.boundary(s.hard))
		}
		for k := range s.hard {
			if s.boundary(k) > s.boundary(k+1) || s.boundary(k)%word != 0 {
				t.Fatalf("%+v: unit %d from %d to %d", s, k, s.boundary(k), s.boundary(k+1))
			}
		}
	})
}

func BenchmarkCount(b *testing.B) {
	for b.Loop() {
		if _, err := Count(b.Context(), 1e12, 1, nil); err != nil {
			b.Fatal(err)
		}
	}
}
