package sieve

import (
	"context"
	"encoding/binary"
	"math/bits"
)

// tableEnd is to where sieving primes are kept in a table; beyond, they are
// sieved when they are needed. Its square is beyond the largest sieving prime
// there is, so that the sieve that finds them needs the table only.
const tableEnd = 1 << 17

// makeTable lists the primes above lastPatterned and below tableEnd.
func makeTable() []uint32 {
	composite := make([]bool, tableEnd)
	table := make([]uint32, 0, 12_300)
	for n := 2; n < tableEnd; n++ {
		if composite[n] {
			continue
		}
		if n > lastPatterned {
			table = append(table, uint32(n))
		}
		for m := n * n; m < tableEnd; m += n {
			composite[m] = true
		}
	}
	return table
}

// source gives out the sieving primes to a limit in ascending order.
type source struct {
	shared *shared
	inner  *sieve // finds the primes beyond the table; made when first needed
	limit  uint64
	alive  func() // see Window; never nil

	batch []uint32 // what is given out next
	found []uint32 // memory for batches of the inner sieve
	rest  Segment  // what is not in a batch yet
	more  bool     // the inner sieve has not reached the limit
}

// batchSize is how many primes are taken from a segment at once: 32 KiB.
const batchSize = 8192

// start begins again from the first prime.
func (s *source) start(limit uint64) {
	s.limit, s.batch, s.rest = limit, s.shared.table, Segment{}
	s.more = limit >= tableEnd
	if !s.more {
		return
	}
	if s.inner == nil {
		s.inner = newSieve(s.shared)
		s.found = make([]uint32, 0, batchSize)
	}
	s.inner.start(Window{From: tableEnd, To: limit, Limit: tableEnd})
}

// next makes the next batch and reports whether there is one, or that ctx
// ended.
func (s *source) next(ctx context.Context) (bool, error) {
	s.batch = s.found[:0]
	for len(s.batch) == 0 {
		if len(s.rest.Bytes) == 0 {
			if !s.more {
				return false, ctx.Err()
			}
			var err error
			if s.rest, s.more, err = s.inner.next(ctx); err != nil {
				return false, err
			}
			s.alive()
		}
		s.decode()
	}
	return true, nil
}

// decode moves primes from the rest of the segment to the batch while there
// is room for a word of them. A word has some twelve, and a branch for each
// would be guessed wrong once a word; so sixteen are written, and as many kept
// as there are.
func (s *source) decode() {
	out := s.batch[:cap(s.batch)]
	n := len(s.batch)
	low := uint32(s.rest.Base * Turn)
	bytes := s.rest.Bytes
	for len(bytes) > 0 && n+64 <= len(out) {
		var w uint64
		if len(bytes) >= 8 {
			w = binary.LittleEndian.Uint64(bytes)
			bytes = bytes[8:]
		} else {
			w = partialWord(bytes)
			bytes = nil
		}
		count := bits.OnesCount64(w)
		eight := (*[8]uint32)(out[n:])
		for i := range eight {
			eight[i] = low + uint32(places[bits.TrailingZeros64(w)&63])
			w &= w - 1
		}
		if count > 8 {
			eight := (*[8]uint32)(out[n+8:])
			for i := range eight {
				eight[i] = low + uint32(places[bits.TrailingZeros64(w)&63])
				w &= w - 1
			}
		}
		for i := n + 16; w != 0; i++ {
			out[i] = low + uint32(places[bits.TrailingZeros64(w)&63])
			w &= w - 1
		}
		n += count
		low += 8 * Turn
	}
	s.batch = out[:n]
	s.rest.Base += uint64(len(s.rest.Bytes) - len(bytes))
	s.rest.Bytes = bytes
}

// partialWord is up to seven bytes as a word.
func partialWord(bytes []byte) (w uint64) {
	for i, b := range bytes {
		w |= uint64(b) << (8 * i)
	}
	return w
}

// places are the numbers of the bits of a word; constant.
var places = makePlaces()

func makePlaces() (p [64]uint8) {
	for i := range p {
		p[i] = uint8(i/8*Turn) + Wheel[i%8]
	}
	return p
}
