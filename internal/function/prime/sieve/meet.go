package sieve

// Most primes longer than a window have no multiple in it. To find that out
// is all the work there is for them, and at 10^18 most of all work; so there
// is a kernel that keeps the primes with a multiple in the window and drops
// the others.

// meeting is what the kernel reads: the window, constants and tables. The
// assembly knows the offsets of the fields.
type meeting struct {
	high, low   float64 // what lies before the window: high + low, high without its last 11 bits
	span        float64 // how far the window's last number is from its first, at most 2^52
	exponent    float64 // 2^52: its bits and a whole number's make their sum
	turn, inner float64 // of the wheel, and its inverse
	one         float64
	_           float64
	keep        [16][4]uint32        // for each set of four primes, which to move to the front
	ahead       [bigTurn + 1]float64 // gaps210, and 210 for 0
}

func newMeeting() *meeting {
	w := &meeting{exponent: 1 << 52, turn: bigTurn, inner: 1.0 / bigTurn, one: 1}
	for set := range w.keep {
		n := 0
		for i := range uint32(4) {
			if set>>i&1 != 0 {
				w.keep[set][n] = i
				n++
			}
		}
	}
	for n := range w.ahead {
		w.ahead[n] = float64(gaps210[n%bigTurn].ahead)
	}
	return w
}

// aim makes the kernel look for multiples in the span numbers after from.
func (w *meeting) aim(from, span uint64) {
	const bits = 11 // 64 less the 53 of a float
	w.high = float64(from >> bits << bits)
	w.low = float64(from & (1<<bits - 1))
	w.span = float64(min(span, 1<<52))
}

// meeting keeps the primes of a batch that have a multiple in the window from
// s.base on, in s.met, which it returns. Their squares lie before the window.
func (s *sieve) meeting(batch []uint32) []uint32 {
	if s.met == nil {
		s.met, s.window = new([batchSize]uint32), newMeeting()
	}
	s.window.aim(s.base*Turn, s.to-s.base*Turn)
	whole := len(batch) &^ 3
	n := 0
	if whole > 0 {
		n = s.kernel.meet(s.met, batch[:whole], s.window)
	}
	n += copy(s.met[n:], batch[whole:])
	return s.met[:n]
}
