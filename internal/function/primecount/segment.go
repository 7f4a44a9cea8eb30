package primecount

import (
	"encoding/binary"
	"math/bits"
)

// segment is a stretch of the sieve. It is cut into blocks that know how many
// numbers are left in them, so that counting to a place takes a sum over
// blocks and a count within one.
type segment struct {
	low, high  uint64 // the numbers in it are low..high-1; low is a multiple of word
	set        []byte // whole words
	blockShift uint   // a block has 1 << blockShift bytes
	left       [blocks]uint32
	total      uint64 // the sum of left
}

// blocks is how many blocks a segment has.
const blocks = 64

// reset makes the segment start at low, with all that the pattern leaves.
func (s *segment) reset(p *pattern, low, high uint64) {
	s.low, s.high = low, high
	s.set = s.set[:(high-low+word-1)/word*8]
	p.copyTo(s.set, low/turn)
	if d := (high - low) % word; d != 0 {
		last := s.set[len(s.set)-8:]
		binary.LittleEndian.PutUint64(last, binary.LittleEndian.Uint64(last)&upTo[d-1])
	}
	s.recount()
}

// recount counts what is left.
func (s *segment) recount() {
	s.total = 0
	size := 1 << s.blockShift
	for i := range s.left {
		from, to := min(i*size, len(s.set)), min((i+1)*size, len(s.set))
		var n int
		for at := from; at < to; at += 8 {
			n += bits.OnesCount64(binary.LittleEndian.Uint64(s.set[at:]))
		}
		s.left[i] = uint32(n)
		s.total += uint64(n)
	}
}

// strike takes out the multiples of p, and counts.
func (s *segment) strike(p uint64) {
	offset := s.low / turn % p
	set, shift := s.set, s.blockShift&31
	for _, t := range tracks(p) {
		mask, bit := byte(1<<t.bit), t.bit&7
		for i := t.from(p, offset); i < uint64(len(set)); i += p {
			b := set[i]
			s.left[i>>shift%blocks] -= uint32(b >> bit & 1)
			set[i] = b &^ mask
		}
	}
	s.total = 0
	for _, n := range s.left {
		s.total += uint64(n)
	}
}

// counter counts what is left of a segment up to places that only grow.
type counter struct {
	s      *segment
	block  int    // the block the next word is in
	before uint64 // how many are left before block
	at     int    // the next word, by its first byte
	count  uint64 // how many are left before at
}

// upTo is how many numbers are left from the start of the segment to n, which
// is in it.
func (c *counter) upTo(n uint64) uint64 {
	s := c.s
	d := n - s.low
	to := int(d / word * 8)
	if block := to >> (s.blockShift & 31); block > c.block {
		for c.block < block {
			c.before += uint64(s.left[c.block%blocks])
			c.block++
		}
		c.count, c.at = c.before, block<<(s.blockShift&31)
	}
	for c.at < to {
		c.count += uint64(bits.OnesCount64(binary.LittleEndian.Uint64(s.set[c.at:])))
		c.at += 8
	}
	last := binary.LittleEndian.Uint64(s.set[to:]) & upTo[d%word]
	return c.count + uint64(bits.OnesCount64(last))
}
