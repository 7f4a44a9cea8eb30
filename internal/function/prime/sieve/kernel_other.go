//go:build !amd64 || purego

package sieve

// native is the fastest kernel of this machine.
func native() *kernel { return portable() }
