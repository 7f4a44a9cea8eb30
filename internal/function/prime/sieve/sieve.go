package sieve

import (
	"context"
	"math"
)

// Window is a range of numbers, both ends included, and how far it is sieved.
type Window struct {
	From, To uint64
	// Limit is the largest prime that is crossed off, if that is less than
	// the square root of To; what is left in the window then has no divisor
	// to Limit, but need not be prime. Less than MinLimit counts as MinLimit.
	Limit uint64
	// Alive, unless nil, is called every few milliseconds while sieving primes
	// are prepared: far out that is a second before the first segment.
	Alive func()
}

// MinLimit is to where the primes are at hand: a window is always sieved to
// there.
const MinLimit = tableEnd - 1

// Segment is a stretch of a sieved window: bit i of Bytes[b] tells of the
// number Turn*(Base+b) + Wheel[i].
type Segment struct {
	Base  uint64
	Bytes []byte
}

// sieve sieves windows, one after the other, and reuses its memory. One
// goroutine uses it at a time.
type sieve struct {
	*shared
	filler filler
	source source
	arena  arena
	small  rowLists // crossed off chunk by chunk, in the first-level cache
	rows   rowLists
	medium medium
	big    big
	met    *[batchSize]uint32 // memory of sieve.meeting
	window *meeting

	// buffer is front bytes before the segment, the segment, and front bytes of
	// rows that go on in the next segment.
	buffer      []byte
	front, size int

	from, to uint64 // what is sieved
	limit    uint64 // the largest prime that is crossed off
	base     uint64 // the byte the next segment starts with
}

func newSieve(shared *shared) *sieve {
	s := &sieve{shared: shared}
	s.filler.patterns = shared.patterns
	s.source.shared = shared
	s.medium.arena = &s.arena
	s.big.arena, s.big.steps = &s.arena, shared.steps
	return s
}

// cut cuts a pass off a window: as long as the memory for big primes is
// enough for, and of whole bytes.
func (s *sieve) cut(w Window) (pass, rest Window, last bool) {
	span := w.To - w.From
	for limit := w.limit(); limit > s.config.mediumMax && span > minPass && entries(limit, span) > s.config.entries; {
		span /= 2
	}
	if span == w.To-w.From {
		return w, w, true
	}
	pass, rest = w, w
	rest.From = (w.From + span) / Turn * Turn
	pass.To = rest.From - 1
	return pass, rest, false
}

// minPass, in numbers, is more than a turn, so that a pass is never empty.
const minPass = 1 << 20

// limit is the largest prime the window is sieved by.
func (w Window) limit() uint64 {
	root := Sqrt(w.To)
	if w.Limit == 0 {
		return root
	}
	return min(root, max(w.Limit, MinLimit))
}

// start makes w the window that is sieved next.
func (s *sieve) start(w Window) {
	s.from, s.to = w.From, w.To
	s.base = w.From / Turn
	s.limit = w.limit()
	total := w.To/Turn - s.base + 1
	rowMax := min(s.config.rowMax, s.limit)
	s.front = wholeBlocks(int(rowMax)) + block
	s.size = s.config.segment
	if s.limit <= s.config.mediumMax {
		s.size = even(total, s.size, s.front)
	}
	if need := s.front + s.size + s.front; cap(s.buffer) < need {
		s.buffer = make([]byte, need)
	} else {
		s.buffer = s.buffer[:need]
	}
	fillOnes(s.buffer[s.front+s.size:])
	s.filler.seek(s.base)
	s.small.empty()
	s.rows.empty()
	s.medium.lists = [64]uint64{}
	if s.limit > rowMax {
		s.arena.reset()
	}
	if s.limit > s.config.mediumMax {
		reach := s.limit/3 + uint64(s.size) // bytes to the next multiple, at most
		s.big.prepare(s.size, int(min(total, reach)/uint64(s.size))+2)
		s.arena.reserve(entries(s.limit, s.to-s.base*Turn) + uint64(len(s.big.lists))*blockWords)
	}
	s.source.alive = w.Alive
	if w.Alive == nil {
		s.source.alive = func() {}
	}
	s.source.start(s.limit)
}

// even is the size of segments that divide total evenly, at most size and no
// less than front where there is more than one.
func even(total uint64, size, front int) int {
	if total <= uint64(size) {
		return wholeBlocks(int(total))
	}
	parts := (total + uint64(size) - 1) / uint64(size)
	return max(wholeBlocks(int((total+parts-1)/parts)), front)
}

// wholeBlocks is n rounded up to blocks.
func wholeBlocks(n int) int { return (n + block - 1) / block * block }

// next sieves the next segment and reports whether there are more. The segment
// is good until the next call.
func (s *sieve) next(ctx context.Context) (segment Segment, more bool, err error) {
	left := s.to/Turn - s.base + 1
	n := s.size
	if more = left > uint64(n); !more {
		n = wholeBlocks(int(left))
	}
	if err := s.begin(ctx, s.base+uint64(s.size)); err != nil {
		return Segment{}, false, err
	}
	s.crossRows(n)
	bytes := s.buffer[s.front : s.front+n]
	if s.limit > s.config.rowMax {
		s.medium.cross(bytes, s.size)
	}
	if s.limit > s.config.mediumMax {
		s.big.cross(s.kernel, bytes)
	}
	segment = Segment{Base: s.base, Bytes: bytes[:min(uint64(n), left)]}
	s.trim(segment)
	s.base += uint64(s.size)
	return segment, more, nil
}

// crossRows fills n bytes from the patterns and crosses off the rows.
func (s *sieve) crossRows(n int) {
	ahead := int(s.config.smallMax)
	filled := 0
	for low := 0; low < n; low += s.config.chunk {
		high := min(low+s.config.chunk, n)
		for filled < min(high+ahead, n) {
			s.fill(filled)
			filled += block
		}
		less := 0
		if high == n {
			less = s.size
		}
		s.small.cross(s.kernel, s.buffer, s.front+high, less)
	}
	s.rows.cross(s.kernel, s.buffer, s.front+n, s.size)
}

// fillOnes puts every number in.
func fillOnes(b []byte) {
	b[0] = 0xff
	for n := 1; n < len(b); n *= 2 {
		copy(b[n:], b[:n])
	}
}

// fill fills a block of the segment: with the patterns, and with what rows of
// the segment before crossed off beyond its end.
func (s *sieve) fill(offset int) {
	dst := (*[block]byte)(s.buffer[s.front+offset:])
	if offset >= s.front {
		s.filler.fill(s.kernel, dst, &s.ones)
		return
	}
	over := (*[block]byte)(s.buffer[s.front+s.size+offset:])
	s.filler.fill(s.kernel, dst, over)
	*over = s.ones
}

// trim takes the numbers outside the window out of a segment, and puts the
// primes of the patterns in.
func (s *sieve) trim(g Segment) {
	const last = lastPatterned / Turn
	for b := g.Base; b <= last && b < g.Base+uint64(len(g.Bytes)); b++ {
		for i, w := range Wheel {
			if n := b*Turn + uint64(w); n <= lastPatterned && isSmallPrime(n) {
				g.Bytes[b-g.Base] |= 1 << i
			} else if n <= lastPatterned {
				g.Bytes[b-g.Base] &^= 1 << i
			}
		}
	}
	if g.Base == s.from/Turn {
		g.Bytes[0] &= 0xff << Below(s.from%Turn)
	}
	if end := s.to/Turn - g.Base; end < uint64(len(g.Bytes)) {
		g.Bytes[end] &= 0xff >> (len(Wheel) - Below(s.to%Turn+1))
	}
}

// isSmallPrime tells whether n, from 1 to some hundreds, is prime.
func isSmallPrime(n uint64) bool {
	for d := uint64(2); d*d <= n; d++ {
		if n%d == 0 {
			return false
		}
	}
	return n > 1
}

// Sqrt is the largest r with r*r <= n.
func Sqrt(n uint64) uint64 {
	r := uint64(math.Sqrt(float64(n)))
	for r > math.MaxUint32 || r*r > n {
		r--
	}
	for r < math.MaxUint32 && (r+1)*(r+1) <= n {
		r++
	}
	return r
}
