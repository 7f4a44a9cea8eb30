package sieve

// Turn is how many numbers a byte of the sieve stands for: bit i of byte b is
// the number Turn*b + Wheel[i]. The others are multiples of 2, 3 or 5.
const Turn = 30

// Wheel has the numbers below Turn that share no divisor with it; it is
// constant.
var Wheel = [8]uint8{1, 7, 11, 13, 17, 19, 23, 29}

// classOf is the index in Wheel of a residue that is in it, and 0 for the
// others; it is constant.
var classOf = makeClassOf()

func makeClassOf() (class [Turn + 2]uint8) {
	for i, w := range Wheel {
		class[w] = uint8(i)
	}
	return class
}

// Below is how many members of the wheel are less than n.
func Below(n uint64) (count int) {
	for _, w := range Wheel {
		if uint64(w) < n {
			count++
		}
	}
	return count
}

// gap is how far a number of a wheel is from the next member of the wheel, and
// which member that is. The number 0 stands for itself, not for the turn.
type gap struct {
	ahead uint8 // 0 if the number is a member
	state uint8 // index of the member
}

// step takes a prime 30*q + Wheel[c] from its multiple by one member of the
// wheel of 210 to its multiple by the next.
type step struct {
	mask  uint8  // all ones but the bit of the multiple it leaves
	gap   uint8  // the byte index grows by gap*q + carry
	carry uint8  // at most 29*10/30 + 1
	next  uint32 // the state that follows, shifted as in an entry
}

// members lists the numbers of a turn that share no divisor with it.
func members(turn int) (list []int) {
	for n := 1; n < turn; n++ {
		a, b := turn, n
		for b != 0 {
			a, b = b, a%b
		}
		if a == 1 {
			list = append(list, n)
		}
	}
	return list
}

// makeSteps lists the steps by state: bigMembers*c + k is a prime of class c at
// its multiple by the k-th member.
func makeSteps() *[1 << stateBits]step {
	var table [1 << stateBits]step
	wheel := members(bigTurn)
	for c, r := range Wheel {
		for k, m := range wheel {
			next := bigTurn + wheel[0]
			if k+1 < len(wheel) {
				next = wheel[k+1]
			}
			here, there := int(r)*m, int(r)*next
			table[bigMembers*c+k] = step{
				mask:  ^uint8(1 << classOf[here%Turn]),
				gap:   uint8(next - m),
				carry: uint8(there/Turn - here/Turn),
				next:  uint32(bigMembers*c+(k+1)%bigMembers) << offsetBits,
			}
		}
	}
	return &table
}

// makeGaps fills table with the gaps of a wheel of len(table) numbers.
func makeGaps(table []gap) {
	wheel := members(len(table))
	k := 0
	for n := range table {
		for k < len(wheel) && wheel[k] < n {
			k++
		}
		if k == len(wheel) {
			table[n] = gap{ahead: uint8(len(table) + wheel[0] - n)}
		} else {
			table[n] = gap{ahead: uint8(wheel[k] - n), state: uint8(k)}
		}
	}
}
