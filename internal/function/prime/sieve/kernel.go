package sieve

// kernel is the inner loops of a sieve. There is a portable set, and one for
// each kind of processor where assembly wins a tenth or more.
type kernel struct {
	// fill writes a block: what is in src and in all patterns.
	fill func(dst, src *[block]byte, patterns []*[block]byte)
	// rows crosses off the rows of a class that start before end.
	rows [8]func(buf pointer, end, less uintptr, rows []row)
	// big crosses off and passes on a block of big primes, see crossBig.
	big func(b *big, buf pointer, entries []uint64) (done, list int)
	// meet keeps the primes that have a multiple in a window, a multiple of
	// four of them at a time; nil where that is not worth it.
	meet func(out *[batchSize]uint32, primes []uint32, w *meeting) int
}

// Portable is the kernel every machine has, in Go alone.
func portable() *kernel {
	return &kernel{
		fill: fillPortable,
		big:  crossBig,
		rows: [8]func(pointer, uintptr, uintptr, []row){
			crossRows0, crossRows1, crossRows2, crossRows3, crossRows4, crossRows5, crossRows6, crossRows7,
		},
	}
}
