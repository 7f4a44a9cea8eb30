package ledger

import (
	"math/rand/v2"
	"testing"

	"github.com/polymath-run/polymath"
)

// TestTable holds a Table against a map.
func TestTable(t *testing.T) {
	const seed = 3
	rng := rand.New(rand.NewPCG(seed, 0))
	var table Table[*lease]
	want := make(map[polymath.Ref]*lease)
	random := func() polymath.Ref {
		return polymath.Ref{Index: polymath.Index{Epoch: rng.Uint32N(2), Position: rng.Uint64N(3 * bucketCount)}, Ordinal: rng.Uint32N(40) + rng.Uint32N(2)*bucketCount}
	}
	for i := range 200_000 {
		ls := &lease{ref: random()}
		switch rng.IntN(4) {
		case 0:
			table.Remove(ls) // another one with its ref stays
		case 1:
			if old := want[ls.ref]; old != nil {
				table.Remove(old)
				delete(want, ls.ref)
			}
		default:
			table.Put(ls)
			want[ls.ref] = ls
		}
		if r := random(); table.Get(r) != want[r] || table.Get(ls.ref) != want[ls.ref] || table.Len() != len(want) {
			t.Fatalf("seed %d, step %d: %d of %d", seed, i, table.Len(), len(want))
		}
	}
}
