package sieve

// row is a prime that is crossed off in whole rows: its eight multiples by
// 30m + 1, 30m + 7, ... 30m + 29 begin in byte p*m and end before the next row
// does. A row may begin in one segment and end in the next (see sieve.fill),
// so that where the next one starts is all there is to remember.
type row struct {
	start uint32 // byte of the next row, from the start of the buffer
	q     uint32 // the prime is 30q + Wheel of the list it is in
}

// rowLists are the primes crossed off in rows, by class.
type rowLists [8][]row

// empty drops the primes and keeps the memory.
func (l *rowLists) empty() {
	for c := range l {
		l[c] = l[c][:0]
	}
}

// cross crosses off every row that starts before end and takes less off the
// starts of the next ones.
func (l *rowLists) cross(k *kernel, buf []byte, end, less int) {
	for c, rows := range l {
		if len(rows) > 0 {
			k.rows[c](first(buf), uintptr(end), uintptr(less), rows)
		}
	}
}
