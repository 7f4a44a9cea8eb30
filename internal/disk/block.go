package disk

import "unsafe"

// BlockBytes is the unit in which writing is cheapest: that of the caches of
// systems, of file systems and of what is on a disk, or a multiple of it.
const BlockBytes = 4 << 10

// Blocks returns a buffer of n zeros that lies in memory as WriteAt likes it.
func Blocks(n int) []byte {
	b := make([]byte, n+BlockBytes)
	skip := int(-address(b) % BlockBytes)
	return b[skip : skip+n : skip+n]
}

// address is where a buffer lies: memory that is in use is never moved.
func address(b []byte) uintptr { return uintptr(unsafe.Pointer(unsafe.SliceData(b))) }
