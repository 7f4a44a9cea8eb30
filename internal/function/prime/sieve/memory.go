package sieve

import "unsafe"

// This is the only file that goes around Go's bounds checks. The kernels spend
// one to three instructions on a multiple; a check would be two more, and
// costs a fifth of the whole sieve.
//
// Why what they touch is theirs:
//
//   - A row begins at start < end and its last byte is start + 29q + 28, before
//     start + p. Every kernel for rows is called with end <= front + size, and
//     the buffer is front + size + front + slack bytes long, where front is no
//     less than the largest prime that is crossed off in rows (Sieve.prepare).
//   - A medium prime writes only where its offset is below size, the length of
//     the segment it is given.
//   - A big prime's offset is taken modulo size, a power of two; its state is
//     below 512, the length of the step table; its list is capped by the length
//     of heads; its cursor lies in a block of the arena (arena.block).
//
// Starts and offsets of primes are computed by Sieve.place and nowhere else.
// TestKernels runs every kernel between guards that must stay untouched.

// pointer is an address inside one of the sieve's buffers.
type pointer = unsafe.Pointer

// at is the address n bytes on.
func at(p pointer, n uintptr) pointer { return unsafe.Add(p, n) }

// clear takes one multiple out: mask is all ones but its bit.
func clear(p pointer, n uintptr, mask uint8) { *(*uint8)(unsafe.Add(p, n)) &= mask }

// first is the address of a slice's first byte.
func first[T any](s []T) pointer { return pointer(unsafe.SliceData(s)) }

// word is the n-th word of a table.
func word(p pointer, n uint64) *uint64 { return (*uint64)(unsafe.Add(p, n*8)) }
