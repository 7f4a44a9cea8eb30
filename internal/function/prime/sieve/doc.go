// Package sieve finds the primes of any window below 2^64.
//
//	patterns ──> fill ──> small rows ──> rows ──> medium ──> big ──> segment
//	7 to 163     (chunk by chunk, in L1)  (the segment, in L2)
//
// It is Eratosthenes' sieve on a wheel of 30, a byte for thirty numbers. Primes
// differ in how often they meet a segment, so that four ways of crossing off
// share the work; DESIGN.md draws them.
package sieve
