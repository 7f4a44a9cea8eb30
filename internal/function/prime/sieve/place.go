package sieve

import (
	"context"
	"math"
	"slices"
)

// begin lets the primes start whose square lies before the byte end.
func (s *sieve) begin(ctx context.Context, end uint64) error {
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
func (s *sieve) place(batch []uint32, limit uint64) int {
	p := uint64(batch[0])
	switch {
	case p > limit:
		return 0
	case p <= s.config.smallMax:
		return s.placeRows(&s.small, batch, min(limit, s.config.smallMax))
	case p <= s.config.rowMax:
		return s.placeRows(&s.rows, batch, min(limit, s.config.rowMax))
	case p <= s.config.mediumMax:
		return s.placeMedium(batch, min(limit, s.config.mediumMax))
	default:
		return s.placeBig(batch, limit)
	}
}

// quotient is n/p and n%p; approx is n as a float. Dividing integers takes
// longer. The quotient of floats is off by less than one, because n/p is below
// 2^52: n is a byte below 2^64/30 and p at least 167, or n a number and p above
// 2^17.
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
func (s *sieve) placeRows(lists *rowLists, batch []uint32, limit uint64) int {
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

// placeMedium starts medium primes with their first multiple in the wheel of
// 30 that is not below their square.
func (s *sieve) placeMedium(batch []uint32, limit uint64) int {
	low := s.base * Turn
	approx := float64(low)
	for i, p32 := range batch {
		p := uint64(p32)
		if p > limit {
			return i
		}
		m, r := quotient(low, approx, p)
		m++
		distance := p - r
		if m < p {
			m, distance = p, p*p-low
		}
		g := gaps30[m%Turn]
		distance += p * uint64(g.ahead)
		s.medium.add(8*int(classOf[p%Turn])+int(g.state), p/Turn, distance/Turn)
	}
	return len(batch)
}

// placeBig starts big primes in the same way with the wheel of 210, and says
// how many of the batch it took.
func (s *sieve) placeBig(batch []uint32, limit uint64) int {
	n := len(batch)
	if uint64(batch[n-1]) > limit {
		n, _ = slices.BinarySearch(batch, uint32(limit)+1)
	}
	batch = batch[:n]
	low := s.base * Turn
	span := s.to - low
	if last := uint64(batch[n-1]); s.kernel.meet != nil && uint64(batch[0]) > span && last*last <= low {
		batch = s.meeting(batch)
	}
	s.placeMet(batch, low, span)
	return n
}

// placeMet is the inner loop of placeBig.
func (s *sieve) placeMet(batch []uint32, low, span uint64) {
	b := &s.big
	approx := float64(low)
	words, lists := first(b.arena.words), first(b.lists)
	shift, mask, grave := b.shift&63, uint64(1)<<b.shift-1, uint64(len(b.lists)-1)
	for _, p32 := range batch {
		p := uint64(p32)
		m, r := quotient(low, approx, p)
		m++
		distance := p - r
		if m < p {
			m, distance = p, p*p-low
		}
		g := gaps210[m%bigTurn]
		distance += p * uint64(g.ahead)
		if distance > span {
			continue
		}
		offset, q := distance/Turn, p/Turn
		to := min(offset>>shift, grave)
		cursor := word(lists, to)
		if *cursor&blockMask == 0 {
			b.makeRoom(int(to))
			words = first(b.arena.words)
		}
		state := bigMembers*uint64(classOf[p-q*Turn]) + uint64(g.state)
		*word(words, *cursor) = offset&mask | state<<offsetBits | q<<qShift
		*cursor++
	}
}

// entries is about how many big primes to limit have a multiple in a window of
// span numbers: all that are shorter than the distance of their multiples, and
// of the others as many as meet it, by the prime number theorem.
func entries(limit, span uint64) uint64 {
	reach := float64(span) * bigMembers / bigTurn
	l, r := float64(limit), min(float64(limit), max(reach, 1<<17))
	const over = 1.1 // the theorem finds too few
	return uint64(over * (r/math.Log(r) + reach*math.Log(math.Log(l)/math.Log(r))))
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
