//go:build !purego

package sieve

import "golang.org/x/sys/cpu"

// native is the fastest kernel of this machine.
func native() *kernel {
	k := portable()
	k.rows = [8]func(pointer, uintptr, uintptr, []row){
		crossRowsAMD64_0, crossRowsAMD64_1, crossRowsAMD64_2, crossRowsAMD64_3,
		crossRowsAMD64_4, crossRowsAMD64_5, crossRowsAMD64_6, crossRowsAMD64_7,
	}
	k.big = crossBigAMD64
	if cpu.X86.HasAVX2 {
		k.fill = fillAVX2
		if cpu.X86.HasFMA && cpu.X86.HasPOPCNT {
			k.meet = meetAVX2
		}
	}
	return k
}

//go:noescape
func fillAVX2(dst, src *[block]byte, patterns []*[block]byte)

//go:noescape
func crossBigAMD64(b *big, buf pointer, entries []uint64) (done, list int)

//go:noescape
func meetAVX2(out *[batchSize]uint32, primes []uint32, w *meeting) int

//go:noescape
func crossRowsAMD64_0(buf pointer, end, less uintptr, rows []row)

//go:noescape
func crossRowsAMD64_1(buf pointer, end, less uintptr, rows []row)

//go:noescape
func crossRowsAMD64_2(buf pointer, end, less uintptr, rows []row)

//go:noescape
func crossRowsAMD64_3(buf pointer, end, less uintptr, rows []row)

//go:noescape
func crossRowsAMD64_4(buf pointer, end, less uintptr, rows []row)

//go:noescape
func crossRowsAMD64_5(buf pointer, end, less uintptr, rows []row)

//go:noescape
func crossRowsAMD64_6(buf pointer, end, less uintptr, rows []row)

//go:noescape
func crossRowsAMD64_7(buf pointer, end, less uintptr, rows []row)
