// Package verified counts primes by two methods that have nothing in common,
// in one job, and gives the count with the certificate that says how.
//
//	primes --verify ─┬─ parts of the range ─ sieve ──── units 0..
//	                 ├─ pi(to) ────────────── formula ── units after them
//	                 └─ pi(from-1) ────────── formula ── and the last
//
// The units of all three are units of the job: they run on any worker in any
// cut, are counted exactly once, and need no second phase. Where the methods
// disagree there is no answer but an error.
package verified
