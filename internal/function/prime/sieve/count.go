package sieve

import (
	"encoding/binary"
	"math/bits"
)

// Count is how many numbers are left in the segment.
func (g Segment) Count() uint64 {
	n := 0
	b := g.Bytes
	for ; len(b) >= 32; b = b[32:] {
		n += bits.OnesCount64(binary.LittleEndian.Uint64(b)) + bits.OnesCount64(binary.LittleEndian.Uint64(b[8:])) +
			bits.OnesCount64(binary.LittleEndian.Uint64(b[16:])) + bits.OnesCount64(binary.LittleEndian.Uint64(b[24:]))
	}
	for _, x := range b {
		n += bits.OnesCount8(x)
	}
	return uint64(n)
}

// Each visits the numbers left in the segment, in order.
func (g Segment) Each(visit func(n uint64)) {
	low := g.Base * Turn
	for _, b := range g.Bytes {
		for ; b != 0; b &= b - 1 {
			visit(low + uint64(Wheel[bits.TrailingZeros8(b)]))
		}
		low += Turn
	}
}
