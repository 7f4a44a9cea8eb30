//go:build !unix

package sieve

// mapMemory has nothing to map here: the memory comes from Go's heap.
func mapMemory(int) []byte { return nil }

func unmapMemory([]byte) {}
