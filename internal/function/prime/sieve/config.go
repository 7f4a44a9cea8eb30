package sieve

// config is where one way of crossing off ends and the next begins. The laws,
// which what memory.go says stands on: rowMax + 2*block <= segment, so that
// rows end in the segment after theirs, and smallMax <= rowMax <= mediumMax.
type config struct {
	chunk     int    // bytes the small primes sieve at a time; a multiple of block
	segment   int    // bytes, a power of two from 4*block to 1<<offsetBits
	smallMax  uint64 // largest small prime: several rows to a chunk
	rowMax    uint64 // largest prime crossed off in rows
	mediumMax uint64 // largest medium prime; the others are big
	entries   uint64 // most big primes at a time, about; decides how long a pass is
}

// Bounds of a segment, in bytes. Half the second-level cache is for lists and
// patterns; beyond 256 KiB the first misses cost more than the primes that
// skip a segment.
const (
	minSegment = 128 << 10
	maxSegment = 256 << 10
)

// maxEntries is how many big primes a sieve holds: 96 MiB of them, enough for
// 2^27 numbers anywhere.
const maxEntries = 12 << 20

// configure finds the limits for caches of some bytes. The factors are
// measured; a tenth up or down costs nothing to speak of.
func configure(l1, l2 int) config {
	segment := minSegment
	for segment < maxSegment && 4*segment <= l2 {
		segment *= 2
	}
	rowMax := uint64(segment) / 2
	return config{
		chunk:     max(min(l1*7/8, segment)/block, 1) * block,
		segment:   segment,
		smallMax:  min(uint64(l1)*3/8, rowMax),
		rowMax:    rowMax,
		mediumMax: uint64(segment) * 4,
		entries:   maxEntries,
	}
}
