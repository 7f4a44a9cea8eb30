package sieve

// Sizes of caches, in bytes, where they cannot be found out: what nearly all
// processors of the last ten years have at least.
const (
	usualL1 = 32 << 10
	usualL2 = 512 << 10
)
