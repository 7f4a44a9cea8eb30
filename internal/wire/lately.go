package wire

// wellUsed is how large a part of what is kept was needed lately.
const wellUsed = 4

// Lately is how much was needed of something of which now more and now less is
// needed: the most of it, a sixty-fourth less for each time since.
type Lately int

// Keep reports whether room of a size is to be kept, after so much was needed:
// any that is at most usual, and what is well used.
func (l *Lately) Keep(room, needed, usual int) bool {
	*l = max(Lately(needed), *l-*l/64)
	return room <= max(usual, wellUsed*int(*l))
}
