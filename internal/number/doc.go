// Package number reads and writes exact numbers the way people type them.
//
// On the command line, and inside JSON strings, a number is written
//
//	1000000   1_000_000   -5   2.5   2.5e-3   1e9   2^40
//
// and in JSON also as a bare number. Every reading is exact: nothing passes
// through binary floating point, so 1e23 is 10^23 and 0.1 is one tenth. There
// is no NaN and no infinity. A number that would be too long to write out is
// refused before anything of its size is computed.
//
// Going out, an integer beyond 2^53 becomes a JSON string, because a reader
// that keeps numbers as IEEE 754 doubles would silently round it.
package number
