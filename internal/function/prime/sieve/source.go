package sieve

import (
	"context"
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
	inner  *Sieve // finds the primes beyond the table; made when first needed
	limit  uint64

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
		}
		s.decode()
	}
	return true, nil
}

// decode moves primes from the rest of the segment to the batch while there
// is room for a word of them.
func (s *source) decode() {
	out := s.batch[:cap(s.batch)]
	n, done := len(s.batch), 0
	low := uint32(s.rest.Base * Turn)
	for _, b := range s.rest.Bytes {
		if n+8 > len(out) {
			break
		}
		for ; b != 0; b &= b - 1 {
			out[n] = low + uint32(Wheel[bits.TrailingZeros8(b)])
			n++
		}
		low += Turn
		done++
	}
	s.batch = out[:n]
	s.rest.Base += uint64(done)
	s.rest.Bytes = s.rest.Bytes[done:]
}
