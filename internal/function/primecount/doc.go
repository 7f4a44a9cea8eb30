// Package primecount counts the primes up to x without finding them: pi(x),
// exactly, in time of about x^(2/3), by the method of Meissel, Lehmer,
// Lagarias, Miller and Odlyzko as Deleglise and Rivat refined it.
//
//	             ┌─ closed ─ ordinary and trivial leaves   unit 0
//	pi(x) = sum ─┼─ easy ─── quotients in a table of y     units by primes
//	             └─ hard ─── quotients in a sieve of x/y   units by stretches
//
// It has nothing in common with the sieve of package prime but the wheel of
// 30, and is the independent check of what is sieved. DESIGN.md has the
// formulas.
package primecount
