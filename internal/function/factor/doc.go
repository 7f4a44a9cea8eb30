// Package factor takes whole numbers apart into primes.
//
//	n ── trial division ── below 2^64 ── rho in Montgomery form ── primes, proven
//	                     └ beyond ────── rho on big integers ───── primes, probable
//	                                     until the limit ───────── a composite left over
//
// Both are Pollard's rho (1975) as Brent improved it (1980). Below 2^64 it takes
// a millisecond at most. Beyond, it finds a prime factor p in about the root
// of p steps, and stops after as many steps as the limit allows: steps and
// not seconds are counted, so that every machine gives the same answer.
package factor
