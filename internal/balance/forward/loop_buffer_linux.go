package forward

import "math/bits"

// spares keeps buffers that are not in use, by size: connections take one only
// while they have something to keep, and thousands of idle ones have none.
type spares struct {
	free [classes][][]byte
}

const (
	smallest = 10 // the smallest buffer has 2^10 bytes
	classes  = 8  // the largest has 2^17: the head that is being read and what came with it

	// spareBytes is how much is kept of each size.
	spareBytes = 2 << 20
)

// classOf is the smallest size that holds n bytes; classes where none does.
func classOf(n int) int {
	if n <= 1<<smallest {
		return 0
	}
	return min(bits.Len(uint(n-1))-smallest, classes)
}

// get gives an empty buffer that holds n bytes.
func (p *spares) get(n int) []byte {
	c := classOf(n)
	if c == classes {
		return make([]byte, 0, n)
	}
	if k := len(p.free[c]); k > 0 {
		b := p.free[c][k-1]
		p.free[c] = p.free[c][:k-1]
		return b
	}
	return make([]byte, 0, 1<<(smallest+c))
}

// put takes a buffer back; nil is none.
func (p *spares) put(b []byte) {
	c := classOf(cap(b))
	if c == classes || cap(b) != 1<<(smallest+c) || len(p.free[c])<<(smallest+c) >= spareBytes {
		return
	}
	p.free[c] = append(p.free[c], b[:0])
}

// add appends to a buffer of the pool, and changes it for a larger one where it
// is full. nil is an empty one.
func (p *spares) add(b, more []byte) []byte {
	if cap(b)-len(b) >= len(more) {
		return append(b, more...)
	}
	larger := append(p.get(len(b)+len(more)), b...)
	p.put(b)
	return append(larger, more...)
}
