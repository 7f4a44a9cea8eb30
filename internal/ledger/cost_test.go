package ledger

import (
	"fmt"
	"math/big"
	"testing"

	"pgregory.net/rapid"

	"github.com/polymath-run/polymath"
)

func TestMulDiv(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		any64 := rapid.OneOf(rapid.Uint64(), rapid.Uint64Range(0, 9), rapid.Just(^uint64(0)))
		a, b, c := any64.Draw(t, "a"), any64.Draw(t, "b"), max(any64.Draw(t, "c"), 1)
		big64 := func(x uint64) *big.Int { return new(big.Int).SetUint64(x) }
		q, r := new(big.Int).QuoRem(new(big.Int).Mul(big64(a), big64(b)), big64(c), new(big.Int))
		for up, got := range []uint64{mulDiv(a, b, c), mulDivUp(a, b, c)} {
			want := new(big.Int).Set(q)
			if up == 1 && r.Sign() > 0 {
				want.Add(want, big.NewInt(1))
			}
			if !want.IsUint64() {
				want.SetUint64(^uint64(0))
			}
			if want.Uint64() != got {
				t.Errorf("%d*%d/%d, rounded up %d: %d, want %d", a, b, c, up, got, want)
			}
		}
	})
}

func genCosts(t *rapid.T, units uint64) []polymath.CostPoint {
	var costs []polymath.CostPoint
	var last polymath.CostPoint
	for range rapid.IntRange(0, polymath.MaxCostPoints-1).Draw(t, "points") {
		if last.Unit+1 >= units || last.Micros > 1<<62 {
			break
		}
		last.Unit = rapid.Uint64Range(last.Unit+1, units-1).Draw(t, "unit")
		last.Micros += rapid.OneOf(rapid.Uint64Range(1, 9), rapid.Uint64Range(1, 1<<61)).Draw(t, "micros")
		costs = append(costs, last)
	}
	if units == 0 {
		return nil
	}
	return append(costs, polymath.CostPoint{Unit: units, Micros: rapid.Uint64Range(last.Micros+1, ^uint64(0)).Draw(t, "all")})
}

// TestCosts: cost grows with units, and unitAt is the inverse of costAt: the
// smallest unit whose cost is reached.
func TestCosts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		units := rapid.OneOf(rapid.Uint64Range(0, 30), rapid.Uint64()).Draw(t, "units")
		costs := genCosts(t, units)
		if !validCosts(costs, units) {
			t.Fatalf("%v is refused", costs)
		}
		a, b := rapid.Uint64Range(0, units).Draw(t, "a"), rapid.Uint64Range(0, units).Draw(t, "b")
		if a < b && costAt(costs, a) > costAt(costs, b) {
			t.Errorf("%d units cost more than %d", a, b)
		}
		micros := rapid.Uint64Range(0, costAt(costs, units)).Draw(t, "micros")
		u := unitAt(costs, micros, units)
		if u > units || costAt(costs, u) < micros || u > 0 && costAt(costs, u-1) >= micros {
			t.Errorf("after %d us comes unit %d, which takes %d", micros, u, costAt(costs, u))
		}
		if unitAt(costs, ^uint64(0), units) != units {
			t.Error("there is time for more than all units")
		}
	})
}

func TestBadCosts(t *testing.T) {
	for name, costs := range map[string][]polymath.CostPoint{
		"flat cost":     {{Unit: 1, Micros: 5}, {Unit: 9, Micros: 5}},
		"same unit":     {{Unit: 9, Micros: 5}, {Unit: 9, Micros: 6}},
		"ends early":    {{Unit: 8, Micros: 5}},
		"ends late":     {{Unit: 10, Micros: 5}},
		"starts at 0":   {{Unit: 0, Micros: 1}, {Unit: 9, Micros: 5}},
		"costs nothing": {{Unit: 9, Micros: 0}},
	} {
		r := newRig(t)
		s := spec(9)
		s.Plan.Costs = costs
		if a := r.do(&Submit{Spec: s}); polymath.CodeOf(a.Err) != polymath.InvalidArgument {
			t.Errorf("%s: %v", name, a.Err)
		}
	}
}

// TestPiecesShrink: one worker takes what it asked for, and near the end less
// and less, down to the least; the units add up.
func TestPiecesShrink(t *testing.T) {
	for _, units := range []uint64{1, 2, 1000, 10_000_000, ^uint64(0)} {
		r := newRig(t)
		s := r.worker(1)
		r.do(&Demand{Session: s, Functions: []string{"f"}, Slots: 1, Micros: 1 << 60})
		fx := r.apply(&Submit{Spec: spec(units)})
		var sizes []uint64
		var sum, next uint64
		for len(fx.Finished) == 0 {
			g := fx.Grants[0].Lease
			if g.Interval.From != next {
				t.Fatalf("%v does not follow %d", g.Interval, next)
			}
			next = g.Interval.To
			sizes = append(sizes, g.Interval.Len())
			sum += g.Interval.Len()
			fx = r.apply(&Complete{Token: g.Token, Output: fmt.Append(nil, g.Interval.Len()), Micros: g.Interval.Len()})
		}
		if got := string(fx.Finished[0].Result); got != fmt.Sprint(units) || sum != units {
			t.Errorf("of %d units %s were counted in %d pieces", units, got, len(sizes))
		}
		for i := 2; i < len(sizes); i++ { // the first is the probe
			if sizes[i] > sizes[i-1] {
				t.Errorf("of %d units piece %d is %d after %d", units, i, sizes[i], sizes[i-1])
			}
			if sizes[i] < leastLeaseMicros && i != len(sizes)-1 {
				t.Errorf("piece %d of %d has only %d units", i, len(sizes), sizes[i])
			}
		}
	}
}

// TestRates: a worker twice as fast as the table gets twice the units for the
// time it asks for, and its leases say how long they take it.
func TestRates(t *testing.T) {
	r := newRig(t)
	s := r.worker(1)
	r.do(&Demand{Session: s, Functions: []string{"f"}, Slots: 1, Micros: 10_000})
	fx := r.apply(&Submit{Spec: spec(1 << 40)})
	if n := fx.Grants[0].Lease.Interval.Len(); n != 10_000 {
		t.Errorf("the first lease has %d units", n)
	}
	for range 20 {
		g := fx.Grants[0].Lease
		fx = r.apply(&Complete{Token: g.Token, Output: []byte("1"), Micros: g.Interval.Len() / 2})
	}
	if g := fx.Grants[0].Lease; g.Interval.Len() != 20_000 || g.Micros != 10_000 {
		t.Errorf("%d units for %d us", g.Interval.Len(), g.Micros)
	}
	for _, micros := range []uint64{0, ^uint64(0), 1, 0} { // absurd reports
		g := fx.Grants[0].Lease
		fx = r.apply(&Complete{Token: g.Token, Output: []byte("1"), Micros: micros})
		if v, _ := r.l.sessions[1].rate(0); v < minRate || v > maxRate {
			t.Errorf("rate %d", v)
		}
	}
}

// TestGarbageTeachesNothing: the time of an output that is none is no rate.
func TestGarbageTeachesNothing(t *testing.T) {
	r := newRig(t)
	r.worker(1)
	fx := r.apply(&Submit{Spec: spec(1000)})
	r.apply(&Complete{Token: fx.Grants[0].Lease.Token, Output: []byte("x"), Micros: 1})
	if _, known := r.l.sessions[1].rate(0); known {
		t.Error("a rate was learnt")
	}
}
