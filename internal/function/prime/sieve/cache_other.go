//go:build !linux && !darwin

package sieve

// cacheSizes are the sizes of the data caches next to a core.
func cacheSizes() (l1, l2 int) { return usualL1, usualL2 }
