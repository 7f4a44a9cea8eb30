// Package prime counts, adds up, lists and recognises primes below 2^64.
//
//	isprime ── strong test, proven for 64 bits ────────┐
//	                                                   ▼
//	primes ── unit = block of numbers ── sieve ── survivors ── count | sum | list
//	                                       ▲
//	                             table of sieving primes, shared
//
// The sieve is Eratosthenes' on a wheel of 30, a byte for thirty numbers, in
// segments that stay in the cache. Where the square root of the numbers lies
// beyond the table, or the window is so short that preparing all the sieving
// primes would cost more than the window itself, it sieves with fewer primes
// and proves what is left number by number: the answer is the same, and a
// short window near 2^64 takes milliseconds instead of seconds.
package prime
