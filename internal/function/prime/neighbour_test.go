package prime

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/polymath-run/polymath/internal/function/functiontest"
	"github.com/polymath-run/polymath/internal/primality"
)

func TestNeighboursConform(t *testing.T) {
	for _, f := range []*Neighbour{NextPrime(), PrevPrime()} {
		functiontest.Conformance(t, f, functiontest.Samples{
			Inputs: []string{`{"n":3}`, `{"numbers":[3,"100","2^61",18446744073709551556,5,7,11]}`},
		})
	}
}

func TestNeighboursAtTheEdges(t *testing.T) {
	next, prev := NextPrime(), PrevPrime()
	for _, tt := range []struct {
		f        *Neighbour
		in, want string
	}{
		{next, `{"n":0}`, "2"},
		{next, `{"n":2}`, "3"},
		{prev, `{"n":3}`, "2"},
		{prev, `{"n":4}`, "3"},
		{next, `{"n":"18446744073709551556"}`, `"18446744073709551557"`},
		{prev, `{"n":"18446744073709551615"}`, `"18446744073709551557"`},
		{next, `{"n":4294967295}`, "4294967311"},
		{prev, `{"n":4294967296}`, "4294967291"},
	} {
		if got := functiontest.Answer(t, tt.f, tt.in); got != tt.want {
			t.Errorf("%s of %s: %s, want %s", tt.f.name, tt.in, got, tt.want)
		}
	}
	functiontest.Refused(t, next, `{"n":"18446744073709551557"}`, "18446744073709551556")
	functiontest.Refused(t, next, `{"n":"2^64"}`, "n")
	functiontest.Refused(t, next, `{"n":-1}`, "n")
	functiontest.Refused(t, prev, `{"n":2}`, "from 3")
	functiontest.Refused(t, prev, `{"numbers":[5,0]}`, "numbers[1]")
}

// Between a number and its neighbour there is no prime, and the way back leads
// to the same gap.
func TestNeighbours(t *testing.T) {
	next, prev := NextPrime(), PrevPrime()
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Uint64Range(smallest, math.MaxUint64-59).Draw(t, "n")
		p := next.of(n)
		if p <= n || !primality.IsPrime(p) {
			t.Fatalf("the prime after %d is not %d", n, p)
		}
		for m := n + 1; m < p; m++ {
			if primality.IsPrime(m) {
				t.Fatalf("the prime after %d is %d, not %d", n, m, p)
			}
		}
		if q := prev.of(p); q > n || q < n && primality.IsPrime(n) {
			t.Fatalf("the prime before %d, after %d, is %d", p, n, q)
		}
	})
}

func FuzzNeighbourPlan(f *testing.F) {
	functiontest.Fuzz(f, NextPrime(), `{"n":1}`, `{"numbers":[1,2]}`, `{"n":"2^64"}`)
}
