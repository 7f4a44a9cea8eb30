package ledger

import (
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"
)

// TestLaws holds the ledger to the laws of DESIGN.md under whatever chance
// comes up with: see oracle, Check and world.raw for the laws themselves.
func TestLaws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(func(n int) int { return rapid.IntRange(0, n-1).Draw(t, "n") }, NoFault)
		for range 80 {
			w.step()
			if w.err != nil {
				t.Fatal(w.err)
			}
		}
		w.nextParts(2 * ImageParts)
		w.plain = true
		w.drain()
		if w.err != nil {
			t.Fatal(w.err)
		}
	})
}

// TestLongRuns goes further in one run than shrinking could follow.
func TestLongRuns(t *testing.T) {
	seeds := 40
	if testing.Short() {
		seeds = 8
	}
	for seed := range uint64(seeds) {
		rng := rand.New(rand.NewPCG(seed, 1))
		w := newWorld(rng.IntN, NoFault)
		for i := 0; i < 600 && w.err == nil; i++ {
			w.plain = i%8 != 0 && w.image == nil
			w.step()
		}
		w.nextParts(2 * ImageParts)
		w.plain = true
		if w.drain(); w.err != nil {
			t.Fatalf("seed %d: %v", seed, w.err)
		}
	}
}

// TestFaultsAreNoticed plants every defect there is; the oracle has to see
// each of them.
func TestFaultsAreNoticed(t *testing.T) {
	for f := NoFault + 1; f < faultCount; f++ {
		found := false
		for seed := uint64(0); seed < 500 && !found; seed++ {
			rng := rand.New(rand.NewPCG(seed, uint64(f)))
			w := newWorld(rng.IntN, f)
			for i := 0; i < 400 && w.err == nil; i++ {
				w.plain = i%8 != 0 && w.image == nil
				w.step()
			}
			if found = w.err != nil; found {
				t.Logf("%v, seed %d: %.200v", f, seed, w.err)
			}
		}
		if !found {
			t.Errorf("nobody noticed %v", f)
		}
	}
}
