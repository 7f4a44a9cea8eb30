// Package primality decides whether single numbers are prime.
//
// Below 2^64 the answer is proven: small numbers are divided by all primes up
// to their root, others take the test of Baillie, Pomerance, Selfridge and
// Wagstaff (a strong test to base 2 and a Lucas test), which has no exception
// there: it was tried on every one of the 31,894,014 strong pseudoprimes to
// base 2 below 2^64 (Feitsma and Galway's list, 2013). Beyond, a number that
// passes is prime but for a bounded error; see Probable.
package primality
