package sieve

import "unsafe"

// This is the only file that goes around Go's bounds checks. The kernels spend
// one to three instructions on a multiple; a check would be two more, and
// costs a fifth of the whole sieve.
//
// Why what they touch is theirs:
//
//   - A row is crossed off if its start is below end, and its last byte is
//     start + 29q + 28, before start + p. end is at most front + size, the
//     buffer has front bytes after that, and front is more than the largest
//     prime that is crossed off in rows (sieve.start).
//   - A medium prime writes where its offset is below size, the length of the
//     segment it is given, and nowhere else.
//   - A big prime's offset is taken modulo size, a power of two, when it is
//     entered; its state is below 512, the length of the step table; its list
//     is at most the last one; its cursor lies within a block of the arena,
//     because one at the end of a block is never written through.
//
// Starts, offsets and entries are made in place.go and by the kernels, and
// nowhere else. TestKernels runs every kernel between guards that must stay
// untouched.

// pointer is an address inside one of the sieve's buffers.
type pointer = unsafe.Pointer

// at is the address n bytes on.
func at(p pointer, n uintptr) pointer { return unsafe.Add(p, n) }

// strike takes one multiple out: mask is all ones but its bit.
func strike(p pointer, n uintptr, mask uint8) { *(*uint8)(unsafe.Add(p, n)) &= mask }

// first is the address of a slice's first byte.
func first[T any](s []T) pointer { return pointer(unsafe.SliceData(s)) }

// wordsOf is mapped memory as words: it is aligned to pages, and lives until
// its arena drops it, which no goroutine outlives with a word in its hands.
func wordsOf(mapped []byte) []uint64 {
	return unsafe.Slice((*uint64)(first(mapped)), len(mapped)/8)
}

// word is the n-th word of a table.
func word(p pointer, n uint64) *uint64 { return (*uint64)(unsafe.Add(p, n*8)) }
