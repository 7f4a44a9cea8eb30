// Package guard keeps the balancer from making things worse: how much may be
// asked again (Budget), when a second one is asked as well (Hedge), whom to
// leave alone for a while (Breaker), how much to take on at once (Limit), and
// until when an answer is of use (Until).
//
// Each is a state machine of values: time comes in with every call, no clock is
// read, no goroutine started, nothing is allocated, and the caller serializes
// the calls. DESIGN.md says what each promises; docs/adr/0008 why they are ours.
package guard
