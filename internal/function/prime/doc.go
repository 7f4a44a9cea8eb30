// Package prime counts, adds up, lists and recognises primes below 2^64, and
// finds their tuplets, gaps, neighbours and the n-th of them.
//
//	isprime, nextprime, prevprime ── internal/primality ─────┐ tests
//	                                                         ▼
//	primes ── unit = block of numbers ── prime/sieve ── survivors ── count | sum | list | tuplets | gap
//	                                         ▲
//	nthprime ── a count, a guess ────────────┘
//
// Package sieve finds the primes of a window. Where a window far out is so
// short that preparing all sieving primes would cost more than the window
// itself, it is sieved with fewer primes and what is left is proven number by
// number: the answer is the same, and a short window near 2^64 takes
// milliseconds instead of a second.
package prime
