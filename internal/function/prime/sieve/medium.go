package sieve

// medium crosses off the primes that have a few multiples in a segment, too
// few for rows. An entry is the byte of the next multiple, from the start of
// the segment, and above bit 32 the prime's q. Entries lie in lists by their
// state, 8*class + multiplier, so that all of a list do the same next.
type medium struct {
	arena *arena
	lists [64]uint64
}

// add makes a prime of class c begin at a byte.
func (m *medium) add(state int, q, offset uint64) { m.arena.push(&m.lists[state], offset|q<<32) }

// cross crosses off the multiples in a segment of size bytes.
func (m *medium) cross(buf []byte, size int) {
	old := m.lists
	m.lists = [64]uint64{}
	for state := range old {
		for old[state] != 0 {
			start, entries := m.arena.pop(&old[state])
			m.crossState(first(buf), uint64(size), state, entries)
			m.arena.release(start)
		}
	}
}

func (m *medium) crossState(buf pointer, size uint64, state int, entries []uint64) {
	k := state % 8
	switch state / 8 {
	case 0:
		m.cross0(buf, size, k, entries)
	case 1:
		m.cross1(buf, size, k, entries)
	case 2:
		m.cross2(buf, size, k, entries)
	case 3:
		m.cross3(buf, size, k, entries)
	case 4:
		m.cross4(buf, size, k, entries)
	case 5:
		m.cross5(buf, size, k, entries)
	case 6:
		m.cross6(buf, size, k, entries)
	default:
		m.cross7(buf, size, k, entries)
	}
}
