package sieve

import "math/bits"

// Parts of an entry of a big prime: the byte of its next multiple from the
// start of its segment, the state of its wheel of 210, and q.
const (
	offsetBits = 23
	stateBits  = 9
	qShift     = offsetBits + stateBits
	offsetMask = 1<<offsetBits - 1
	stateMask  = 1<<stateBits - 1
)

// bigTurn and bigMembers are the wheel of the big primes, which skips the
// multiples of 7 too.
const (
	bigTurn    = 210
	bigMembers = 48
)

// big crosses off the primes that have a multiple in few segments only. Each
// lies in the list of the segment its next multiple is in; a prime whose next
// multiple lies past the window goes to the last list, where it is forgotten.
type big struct {
	arena *arena
	steps *[512]step
	lists []uint64 // by segment, the next one first; the last one is the grave
	shift uint     // a segment has 1<<shift bytes
}

// prepare makes room for windows of segments of size bytes, a power of two.
func (b *big) prepare(size, segments int) {
	b.shift = uint(bits.TrailingZeros(uint(size)))
	if cap(b.lists) <= segments {
		b.lists = make([]uint64, segments+1)
	}
	b.lists = b.lists[:segments+1]
	clearLists(b.lists)
}

func clearLists(lists []uint64) {
	for i := range lists {
		lists[i] = 0
	}
}

// cross crosses off the multiples in the next segment and moves on to the one
// after it.
func (b *big) cross(k *kernel, buf []byte) {
	for b.lists[0] != 0 {
		start, entries := b.arena.pop(&b.lists[0])
		for done := 0; done < len(entries); {
			n, list := k.big(b, first(buf), entries[done:])
			done += n
			if done < len(entries) {
				b.makeRoom(list)
			}
		}
		b.arena.release(start)
	}
	copy(b.lists, b.lists[1:len(b.lists)-1])
	if n := len(b.lists); n > 1 {
		b.lists[n-2] = 0
	}
}

// makeRoom gives a list that is full another block; the grave begins anew.
func (b *big) makeRoom(list int) {
	if grave := len(b.lists) - 1; list == grave && b.lists[grave] != 0 {
		b.lists[grave] -= blockWords - 1
		return
	}
	b.lists[list] = b.arena.block(b.lists[list])
}

// crossBig crosses off the next multiple of each entry and appends it to the
// list of the multiple after. It stops at an entry whose list is full.
func crossBig(b *big, buf pointer, entries []uint64) (done, list int) {
	words, lists := first(b.arena.words), first(b.lists)
	shift, mask, grave := b.shift&63, uint64(1)<<b.shift-1, uint64(len(b.lists)-1)
	for i, e := range entries {
		s := &b.steps[e>>offsetBits&stateMask]
		offset, q := e&offsetMask, e>>qShift
		strike(buf, uintptr(offset), s.mask)
		offset += q*uint64(s.gap) + uint64(s.carry)
		to := min(offset>>shift, grave)
		cursor := word(lists, to)
		if *cursor&blockMask == 0 {
			return i, int(to)
		}
		*word(words, *cursor) = offset&mask | uint64(s.next) | q<<qShift
		*cursor++
	}
	return len(entries), 0
}
