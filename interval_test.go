package polymath_test

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/polymath-run/polymath"
)

// genInterval is any interval, often a small one, sometimes reversed.
func genInterval(t *rapid.T) polymath.Interval {
	bound := rapid.OneOf(rapid.Uint64Range(0, 12), rapid.Uint64(), rapid.Just(^uint64(0)))
	return polymath.Interval{From: bound.Draw(t, "from"), To: bound.Draw(t, "to")}
}

func TestIntervalLaws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := genInterval(t), genInterval(t)
		n := rapid.OneOf(rapid.Uint64Range(0, 15), rapid.Uint64()).Draw(t, "n")
		if a.Empty() != (a.Len() == 0) || !a.Empty() && a.From+a.Len() != a.To {
			t.Errorf("%v has %d units", a, a.Len())
		}
		if a.Overlaps(b) != b.Overlaps(a) || !a.Empty() && !a.Overlaps(a) || a.Empty() && a.Overlaps(b) {
			t.Errorf("%v overlaps %v", a, b)
		}
		if !a.Contains(a) || a.Contains(b) && b.Contains(a) && !a.Empty() && !b.Empty() && a != b {
			t.Errorf("%v contains %v", a, b)
		}
		if a.Contains(b) && !b.Empty() && !a.Overlaps(b) {
			t.Errorf("%v contains %v and does not overlap it", a, b)
		}
		head, rest := a.Split(n)
		if head.Len() != min(n, a.Len()) || head.Len()+rest.Len() != a.Len() || head.Overlaps(rest) || !a.Contains(head) || !a.Contains(rest) {
			t.Errorf("%v splits at %d into %v and %v", a, n, head, rest)
		}
		if !a.Empty() && (head.From != a.From || head.To != rest.From || rest.To != a.To) {
			t.Errorf("%v splits at %d into %v and %v", a, n, head, rest)
		}
		first, second := a.Halves()
		if second.Len()-first.Len() > 1 {
			t.Errorf("%v halves into %v and %v", a, first, second)
		}
	})
}

// TestSmallIntervals compares with sets of units, for every pair of small
// intervals.
func TestSmallIntervals(t *testing.T) {
	const top = 6
	set := func(iv polymath.Interval) (units [top]bool) {
		for u := iv.From; u < iv.To; u++ {
			units[u] = true
		}
		return units
	}
	for n := range top * top * top * top {
		a := polymath.Interval{From: uint64(n % top), To: uint64(n / top % top)}
		b := polymath.Interval{From: uint64(n / top / top % top), To: uint64(n / top / top / top)}
		x, y := set(a), set(b)
		overlaps, contains := false, true
		for u := range top {
			overlaps = overlaps || x[u] && y[u]
			contains = contains && (x[u] || !y[u])
		}
		if a.Overlaps(b) != overlaps || a.Contains(b) != contains {
			t.Errorf("%v and %v: overlaps %v, contains %v", a, b, a.Overlaps(b), a.Contains(b))
		}
	}
	if s := (polymath.Interval{From: 3, To: 5}).String(); s != "[3,5)" {
		t.Errorf("printed as %s", s)
	}
}
