package limit

import (
	"net/netip"
	"time"
)

// Store keeps a Memory for each rule and key. Methods may be called by many
// goroutines at once, in the path of every request: they must not block. One
// that shares its counts over a network decides by what it knows here and
// tells the others behind; it says in its documentation how far apart they may
// be, and what it does while nobody answers.
//
// A Store is bounded: it may forget keys, the one that was used longest ago
// first, and a key that was forgotten begins anew. Nothing survives a restart.
type Store interface {
	// Take is Rule.Take on the Memory of the key: of calls that run at the
	// same time, in some order. Two rules never share a Memory, and neither do
	// a rule and the one it is changed into.
	Take(rule *Rule, key Key, now time.Duration) Decision
}

// Key is whose requests are counted. Its Text is only valid during a call.
type Key struct {
	Address netip.Addr
	Text    string
}
