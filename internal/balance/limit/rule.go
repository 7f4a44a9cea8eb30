// Package limit says how many requests a client, a key or a tenant may make.
//
//	request ─▶ Limiter ── whose? ──▶ Store: one Memory per rule and key
//	              │                    │
//	              │                    ▼ Rule.Take: a pure function of
//	              ◀──── Decision ──────┘ (Memory, now)
//	              ▼
//	      let in, or 429 with Retry-After and RateLimit
//
// What decides is arithmetic on values: the time is an argument, and nothing
// waits. The Store keeps the values; there is one in this process, and another
// may share them among several.
package limit

import (
	"fmt"
	"time"

	"github.com/polymath-run/polymath"
)

// Algorithm is a way of counting.
type Algorithm uint8

// The ways of counting.
const (
	// TokenBucket lets Burst requests in at once and refills at Limit per
	// Window: in any stretch of time d at most Burst + d*Limit/Window.
	TokenBucket Algorithm = iota
	// SlidingWindow lets at most Limit requests into any stretch of Window.
	SlidingWindow
)

// String is the name in a configuration.
func (a Algorithm) String() string {
	if a == SlidingWindow {
		return "sliding-window"
	}
	return "token-bucket"
}

// ParseAlgorithm reads the name of a way of counting.
func ParseAlgorithm(name string) (Algorithm, error) {
	for _, a := range [...]Algorithm{TokenBucket, SlidingWindow} {
		if a.String() == name {
			return a, nil
		}
	}
	return 0, polymath.Errorf(polymath.InvalidArgument, "no way of counting is called %.40q: write token-bucket or sliding-window", name)
}

// Bounds of a Rule.
const (
	MaxNameBytes = 64
	MaxLimit     = 1_000_000_000
	MaxWindow    = 24 * time.Hour

	// MinInterval is the shortest time per request, Window/Limit: a million
	// requests a second of one key. Rounding it to nanoseconds, up, makes a
	// bucket at most a thousandth stricter than it was asked to be.
	MinInterval = time.Microsecond

	// MaxRefill is how long an empty bucket may take to fill up again.
	MaxRefill = 30 * 24 * time.Hour
)

// Rule is how many requests one key may make.
type Rule struct {
	Name      string // of the policy in answers: lower-case letters, digits and -
	Algorithm Algorithm
	Limit     int64         // requests per Window, from 1 to MaxLimit
	Window    time.Duration // from a millisecond to MaxWindow
	Burst     int64         // the size of a TokenBucket; 0: Limit. A SlidingWindow has none
}

// Check says what is wrong with a Rule, naming its field.
func (r *Rule) Check() error {
	if err := checkName(r.Name); err != nil {
		return err
	}
	switch {
	case r.Limit < 1 || r.Limit > MaxLimit:
		return invalid("limit is %d: it must be from 1 to %d", r.Limit, MaxLimit)
	case r.Window < time.Millisecond || r.Window > MaxWindow:
		return invalid("window is %v: it must be from 1ms to %v", r.Window, MaxWindow)
	case r.Window/MinInterval < time.Duration(r.Limit):
		return invalid("limit is %d in %v: it must be at most a million a second", r.Limit, r.Window)
	case r.Burst < 0 || r.Burst > MaxLimit:
		return invalid("burst is %d: it must be from 0 to %d", r.Burst, MaxLimit)
	case r.Algorithm > SlidingWindow:
		return invalid("algorithm is %d: it must be token-bucket or sliding-window", r.Algorithm)
	case r.Algorithm == SlidingWindow && r.Burst != 0:
		return invalid("burst is %d: a sliding window has none", r.Burst)
	case r.Algorithm == TokenBucket && r.burst() > int64(MaxRefill/r.interval()):
		return invalid("burst is %d: at %d per %v it would take more than %v to come back", r.burst(), r.Limit, r.Window, MaxRefill)
	}
	return nil
}

// checkName keeps names fit for a header field without quoting.
func checkName(name string) error {
	if name == "" || len(name) > MaxNameBytes {
		return invalid("name has %d bytes: it must have from 1 to %d", len(name), MaxNameBytes)
	}
	for _, c := range []byte(name) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return invalid("name is %.80q: it may have a-z, 0-9 and -", name)
		}
	}
	return nil
}

func invalid(format string, args ...any) error {
	return polymath.Errorf(polymath.InvalidArgument, "%s", fmt.Sprintf(format, args...))
}

// Decision is what became of one request.
type Decision struct {
	Allowed   bool
	Remaining int64         // how many more would be let in right now
	Retry     time.Duration // until one is let in; 0 where Remaining is not
	Reset     time.Duration // until the whole quota is back
}

// Memory is what is remembered of one key under one rule. The zero Memory
// remembers nothing; it is valid at any time from 0.
type Memory struct {
	at     time.Duration // bucket: when it is full again; window: begin of the last part
	counts [parts + 1]uint32
}

// Take counts one request at a time of the caller's monotonic clock, which is
// at least 0. A refused request does not count. A clock that goes back, as
// clocks of several threads seem to, makes it stricter and nothing else. r has
// passed Check.
func (r *Rule) Take(m *Memory, now time.Duration) Decision {
	if r.Algorithm == SlidingWindow {
		return r.slide(m, now)
	}
	return r.drip(m, now)
}
