package prime

// A byte stands for thirty numbers: bit i of byte b for 30*b + wheel[i]. The
// other numbers are multiples of 2, 3 or 5.
const turn = 30

// wheel has the numbers below 30 that share no divisor with it; it is
// constant.
var wheel = [8]uint8{1, 7, 11, 13, 17, 19, 23, 29}

// step takes a prime p = 30*q + wheel[r] from its multiple by a number of
// class j of the wheel to its multiple by the next.
type step struct {
	mask  uint8 // all ones but the bit of the multiple it leaves
	gap   uint8 // the byte index grows by gap*q + carry
	carry uint8
	next  uint8 // the index of the step that follows
}

// steps is indexed by 8*r + j; it is constant.
var steps = makeSteps()

func makeSteps() (table [64]step) {
	bit := make(map[int]int, len(wheel))
	for i, w := range wheel {
		bit[int(w)] = i
	}
	for r := range 8 {
		for j := range 8 {
			here := int(wheel[r]) * int(wheel[j])
			multiplier := turn + int(wheel[0])
			if j < 7 {
				multiplier = int(wheel[j+1])
			}
			there := int(wheel[r]) * multiplier
			table[8*r+j] = step{
				mask:  ^uint8(1 << bit[here%turn]),
				gap:   uint8(multiplier - int(wheel[j])),
				carry: uint8(there/turn - here/turn),
				next:  uint8(8*r + (j+1)%8),
			}
		}
	}
	return table
}

// below is how many members of the wheel are less than n.
func below(n uint64) (count int) {
	for _, w := range wheel {
		if uint64(w) < n {
			count++
		}
	}
	return count
}

// presieved has the primes whose multiples a pattern copied over a segment
// takes out; it is constant.
var presieved = [...]int{7, 11, 13, 17}

// patternBytes is after how many bytes the multiples of presieved repeat.
const patternBytes = 7 * 11 * 13 * 17

// makePattern is one period of the numbers no presieved prime divides, itself
// included.
func makePattern() []byte {
	pattern := make([]byte, patternBytes)
	for b := range pattern {
		for i, w := range wheel {
			free := true
			for _, p := range presieved {
				free = free && (turn*b+int(w))%p != 0
			}
			if free {
				pattern[b] |= 1 << i
			}
		}
	}
	return pattern
}
