// Package house keeps the rules of the house: which package may import which,
// how long a file or a function grows, what is documented, and what no text of
// the product says. It holds tests only, because a rule nobody checks is a wish.
//
//	every file of the repository ── tree ──┬─ layers    imports point one way
//	                                       ├─ style     sizes, documents, no hidden state
//	                                       └─ text      the product speaks of itself
//
// Each rule is a function of data, so that its own test can hand it a breach
// and see it caught. Exceptions stand in one table, each with its reason, and
// one that is no longer needed fails the test as loudly as a breach does.
package house
