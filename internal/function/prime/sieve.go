package prime

import (
	"encoding/binary"
	"math/bits"
)

// Sizes of the sieve.
const (
	// firstSieving is the smallest prime the pattern leaves to the sieve.
	firstSieving = 19
	// minSegment, in bytes, is the first-level cache of every machine we
	// know. With longer sieving primes a segment grows, to maxSegment, so
	// that fewer of them pass over it without a multiple in it.
	minSegment = 32 << 10
	maxSegment = 512 << 10
	// rows is how many multiples of each of the eight classes must lie in a
	// segment before crossing them off class by class is faster.
	rows = 4
)

// sieve goes over consecutive segments of numbers and takes out the multiples
// of its primes. One goroutine uses it.
type sieve struct {
	pattern []byte
	primes  []uint32 // ascending from firstSieving, not changed here
	crosses []cross  // of the first len(crosses) primes: those that have begun
	segment []byte   // scratch of full size
	base    uint64   // the next segment starts with this byte
}

// cross is where a prime goes on crossing off.
type cross struct {
	offset   uint32 // byte of its next multiple, from the start of the segment
	quotient uint32 // the prime is 30*quotient + its class
	step     uint8  // index into steps
}

// newSieve makes a sieve from the byte base on, with segments of size bytes.
func newSieve(t *table, primes []uint32, base uint64, size int) *sieve {
	return &sieve{
		pattern: t.pattern,
		primes:  primes,
		crosses: make([]cross, 0, len(primes)),
		segment: make([]byte, size),
		base:    base,
	}
}

// next sieves the next segment, at most limit bytes of it, and returns it with
// the byte it starts at. It is good until the next call.
func (s *sieve) next(limit uint64) (base uint64, segment []byte) {
	base = s.base
	segment = s.segment[:min(limit, uint64(len(s.segment)))]
	s.fill(segment)
	s.begin(len(segment))
	stripes := len(segment) / rows
	for i := range s.crosses {
		c := &s.crosses[i]
		if int(s.primes[i]) <= stripes {
			c.crossRows(segment)
		} else {
			c.crossSteps(segment)
		}
	}
	s.base += uint64(len(segment))
	return base, segment
}

// fill starts a segment from the pattern.
func (s *sieve) fill(segment []byte) {
	from := int(s.base % patternBytes)
	for rest := segment; len(rest) > 0; from = 0 {
		rest = rest[copy(rest, s.pattern[from:]):]
	}
	if s.base == 0 {
		segment[0] = 0xfe // 1 is no prime; 7, 11, 13 and 17 are
	}
}

// begin lets the primes start whose square lies in the next n bytes or before.
func (s *sieve) begin(n int) {
	end := s.base + uint64(n)
	for len(s.crosses) < len(s.primes) {
		p := uint64(s.primes[len(s.crosses)])
		if p*p/turn >= end {
			return
		}
		s.crosses = append(s.crosses, s.first(p))
	}
}

// first finds the first multiple of p to cross off: not below p*p, nor below
// the next segment, by a multiplier that is in the wheel. Near 2^64 the
// multiple may lie beyond it; its distance, taken modulo 2^64, is right.
func (s *sieve) first(p uint64) cross {
	low := s.base * turn
	m := low / p
	if low%p != 0 {
		m++
	}
	m = max(m, p)
	j := below(m % turn)
	m += uint64(wheel[j]) - m%turn
	return cross{
		offset:   uint32((m*p - low) / turn),
		quotient: uint32(p / turn),
		step:     uint8(8*below(p%turn) + j),
	}
}

// crossSteps crosses off multiple by multiple.
func (c *cross) crossSteps(segment []byte) {
	offset, at := int(c.offset), c.step
	for offset < len(segment) {
		s := steps[at&63]
		segment[offset] &= s.mask
		offset += int(c.quotient)*int(s.gap) + int(s.carry)
		at = s.next
	}
	c.offset, c.step = uint32(offset-len(segment)), at
}

// crossRows crosses off class by class: the multiples of one class are the
// same bit of every p-th byte. No two multiples share a byte, p being above
// 15, so that the nearest of the eight next ones is found by its byte.
func (c *cross) crossRows(segment []byte) {
	start, at := int(c.offset), c.step
	p := turn*int(c.quotient) + int(wheel[at>>3&7])
	nearest := cross{offset: 1<<32 - 1, quotient: c.quotient}
	for range 8 {
		s := steps[at&63]
		offset := start
		for mask := s.mask; offset < len(segment); offset += p {
			segment[offset] &= mask
		}
		if over := uint32(offset - len(segment)); over < nearest.offset {
			nearest.offset, nearest.step = over, at
		}
		start += int(c.quotient)*int(s.gap) + int(s.carry)
		at = s.next
	}
	*c = nearest
}

// trim takes the numbers below from and above to out of a segment at base.
// Numbers of its last byte may lie beyond 2^64: they are above every to.
func trim(base uint64, segment []byte, from, to uint64) {
	if base == from/turn {
		segment[0] &= 0xff << below(from%turn)
	}
	if last := to/turn - base; last < uint64(len(segment)) {
		segment[last] &= 0xff >> (len(wheel) - below(to%turn+1))
	}
}

// ones counts the bits of a segment.
func ones(segment []byte) uint64 {
	n := 0
	for ; len(segment) >= 8; segment = segment[8:] {
		n += bits.OnesCount64(binary.LittleEndian.Uint64(segment))
	}
	for _, b := range segment {
		n += bits.OnesCount8(b)
	}
	return uint64(n)
}
