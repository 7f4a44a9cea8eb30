package sieve

import "context"

// begin lets the primes start whose square lies before the byte end.
func (s *Sieve) begin(ctx context.Context, end uint64) error {
	limit := s.limit
	if end <= s.to/Turn {
		limit = min(limit, Sqrt(end*Turn))
	}
	source := &s.source
	for {
		batch := source.batch
		for len(batch) > 0 {
			n := s.place(batch, limit)
			batch = batch[n:]
			if n == 0 {
				source.batch = batch
				return ctx.Err()
			}
		}
		if more, err := source.next(ctx); !more {
			return err
		}
	}
}

// place lets the first primes of a batch to limit start, as many as are
// crossed off in the same way, and says how many.
func (s *Sieve) place(batch []uint32, limit uint64) int {
	p := uint64(batch[0])
	switch {
	case p > limit:
		return 0
	case p <= s.config.smallMax:
		return s.placeRows(&s.small, batch, min(limit, s.config.smallMax))
	case p <= s.config.rowMax:
		return s.placeRows(&s.rows, batch, min(limit, s.config.rowMax))
	case p <= s.bigMax:
		return s.placeMedium(batch, min(limit, s.bigMax))
	default:
		return s.placeBig(batch, limit)
	}
}

// quotient is n/p and n%p; approx is n as a float. The quotient of floats is
// off by one at most, because n/p < 2^64/2^7 has no more than 57 bits and ...
func quotient(n uint64, approx float64, p uint64) (q, r uint64) {
	q = uint64(int64(approx / float64(int64(p))))
	r = n - q*p
	if int64(r) < 0 {
		return q - 1, r + p
	}
	if r >= p {
		return q + 1, r - p
	}
	return q, r
}

// placeRows starts primes with the row the segment begins in: what of it lies
// before the segment goes to the front of the buffer, where nobody looks.
func (s *Sieve) placeRows(lists *rowLists, batch []uint32, limit uint64) int {
	approx := float64(s.base)
	for i, p32 := range batch {
		p := uint64(p32)
		if p > limit {
			return i
		}
		m, r := quotient(s.base, approx, p)
		start := int64(s.front) - int64(r)
		if q := p / Turn; m < q {
			start = int64(s.front) + int64(p*q-s.base)
		}
		c := classOf[p%Turn]
		lists[c] = append(lists[c], row{start: uint32(start), q: uint32(p / Turn)})
	}
	return len(batch)
}

// multipleAfter is the first multiple of p after low that is a member of the
// wheel: how far it is and its state; p has no smaller one to cross off.
func (s *Sieve) multipleAfter(low uint64, approx float64, p uint64, gaps []gap) (distance uint64, state uint8) {
	m, r := quotient(low, approx, p)
	m++
	distance = p - r
	if m < p {
		m, distance = p, p*p-low
	}
	g := gaps[m%uint64(len(gaps))]
	return distance + p*uint64(g.ahead), g.state
}

func (s *Sieve) placeMedium(batch []uint32, limit uint64) int {
	low := s.base * Turn
	approx := float64(low)
	for i, p32 := range batch {
		p := uint64(p32)
		if p > limit {
			return i
		}
		distance, k := s.multipleAfter(low, approx, p, gaps30[:])
		s.medium.add(8*int(classOf[p%Turn])+int(k), p/Turn, distance/Turn)
	}
	return len(batch)
}

func (s *Sieve) placeBig(batch []uint32, limit uint64) int {
	low := s.base * Turn
	approx := float64(low)
	span := s.to - low
	for i, p32 := range batch {
		p := uint64(p32)
		if p > limit {
			return i
		}
		distance, k := s.multipleAfter(low, approx, p, gaps210[:])
		if distance > span {
			continue
		}
		s.big.add(bigMembers*uint64(classOf[p%Turn])+uint64(k), p/Turn, distance/Turn)
	}
	return len(batch)
}

// gaps30 and gaps210 are the wheels of medium and big primes; constant.
var (
	gaps30  = makeGaps30()
	gaps210 = makeGaps210()
)

func makeGaps30() (table [Turn]gap) {
	makeGaps(table[:])
	return table
}

func makeGaps210() (table [bigTurn]gap) {
	makeGaps(table[:])
	return table
}
