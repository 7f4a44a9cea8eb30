package montecarlo

import (
	"encoding/binary"
	"math/bits"
	"math/rand/v2"
)

// key starts the key of every generator, so that another function with the
// same seed draws other numbers. Changing it changes every estimate.
const key = "polymath/pi/1\x00\x00\x00"

// throw counts how many of n points of a unit fall within the quarter circle.
//
// The generator is ChaCha8, keyed: streams of neighbouring units are as
// unrelated as any two, which holds for no generator that is merely seeded
// with neighbouring numbers. A point is the middle of a cell of a grid of 2^32
// by 2^32. It lies within when (x+1/2)^2 + (y+1/2)^2 < 2^64, that is when
// x(x+1) + y(y+1) does not overflow: no rounding anywhere.
func throw(seed, unit, n uint64) (inside uint64) {
	var k [32]byte
	copy(k[:], key)
	binary.LittleEndian.PutUint64(k[16:], seed)
	binary.LittleEndian.PutUint64(k[24:], unit)
	random := rand.NewChaCha8(k)
	for range n {
		r := random.Uint64()
		x, y := r>>32, r&(1<<32-1)
		_, outside := bits.Add64(x*(x+1), y*(y+1), 0)
		inside += 1 - outside
	}
	return inside
}
