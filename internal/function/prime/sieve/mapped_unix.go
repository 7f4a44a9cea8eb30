//go:build unix

package sieve

import "golang.org/x/sys/unix"

// mapMemory asks the system for bytes that are 0, nil if it has none to map.
func mapMemory(bytes int) []byte {
	mapped, err := unix.Mmap(-1, 0, bytes, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return nil
	}
	return mapped
}

// unmapMemory gives back what mapMemory gave.
func unmapMemory(mapped []byte) {
	if err := unix.Munmap(mapped); err != nil {
		panic("sieve: memory that was not mapped: " + err.Error())
	}
}
