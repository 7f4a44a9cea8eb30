package primecount

import "math/bits"

// Bit sets here hold the numbers that 2, 3 and 5 do not divide, a byte for
// thirty numbers and a word of 64 bits for 240.
const (
	turn = 30
	word = 8 * turn
)

// wheel is the numbers below turn that 2, 3 and 5 do not divide.
var wheel = [8]uint64{1, 7, 11, 13, 17, 19, 23, 29}

// spoke is the place in wheel of the numbers in it; it is constant.
var spoke = makeSpoke()

func makeSpoke() (places [turn]uint8) {
	for i, w := range wheel {
		places[w] = uint8(i)
	}
	return places
}

// upTo[d] has the bits of the numbers 0..d of a word; it is constant.
var upTo = makeUpTo()

func makeUpTo() (masks [word]uint64) {
	for d := range uint64(word) {
		if d > 0 {
			masks[d] = masks[d-1]
		}
		if s := d % turn; s == wheel[spoke[s]] {
			masks[d] |= 1 << (d/turn*8 + uint64(spoke[s]))
		}
	}
	return masks
}

// track is the multiples of a prime p > 5 by the numbers of one spoke of the
// wheel: one bit in every p-th byte.
type track struct {
	first uint64 // byte, counted from number 0
	bit   uint8
}

// tracks gives the eight tracks of p. The k-th member of a spoke w is
// w + 30*k, and its multiple stands in byte p*w/30 + p*k.
func tracks(p uint64) (all [8]track) {
	for i, w := range wheel {
		all[i] = track{p * w / turn, spoke[p*w%turn]}
	}
	return all
}

// from is the first byte of the track at or behind offset = base mod p, as
// seen from byte base.
func (t track) from(p, offset uint64) uint64 {
	if t.first >= offset {
		return t.first - offset
	}
	return t.first + p - offset
}

// strike takes the multiples of p, itself among them, out of a bit set that
// starts with byte base.
func strike(set []byte, base, p uint64) {
	offset := base % p
	for _, t := range tracks(p) {
		mask := ^byte(1 << t.bit)
		for i := t.from(p, offset); i < uint64(len(set)); i += p {
			set[i] &= mask
		}
	}
}

// each visits the numbers in a bit set that starts with byte base, in order.
func each(set []byte, base uint64, visit func(n uint64)) {
	for i, b := range set {
		for ; b != 0; b &= b - 1 {
			visit((base+uint64(i))*turn + wheel[bits.TrailingZeros8(b)])
		}
	}
}
