// Package polymath is the vocabulary of the platform: jobs, intervals of
// units, leases and the tokens that fence them, the states a job passes
// through, and the codes of everything that can go wrong.
//
// It imports the standard library only and decides nothing: every other
// package speaks these words, and none of them depends on another to do so.
package polymath
