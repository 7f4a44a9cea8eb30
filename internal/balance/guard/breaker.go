package guard

import "time"

const (
	// DefaultFailures is after how many failures in a row a breaker opens.
	DefaultFailures = 5

	// DefaultOpen is how long it stays open.
	DefaultOpen = time.Minute

	// HurryAfter is how long it stays open at least, where a sign comes that
	// things are better, or nobody else is left.
	HurryAfter = time.Second
)

// BreakerRule says when a breaker opens and closes.
type BreakerRule struct {
	Failures  int           // in a row that open it; 0 is never
	Open      time.Duration // before the first probe
	Successes int           // of probes in a row that close it, at least 1
}

// BreakerState is one of a breaker's three.
type BreakerState uint8

// The states of a breaker.
const (
	Closed   BreakerState = iota // all requests go through
	Open                         // none
	HalfOpen                     // one at a time: a probe
)

// String is the word for it.
func (s BreakerState) String() string {
	switch s {
	case Open:
		return "open"
	case HalfOpen:
		return "half-open"
	default:
		return "closed"
	}
}

// Verdict is how an attempt went.
type Verdict uint8

// The verdicts.
const (
	Good Verdict = iota
	Bad
	Neither // it was given up: nothing can be said
)

// Breaker leaves an upstream alone that fails every time (Nygard, Release It!,
// 2007): closed, until Failures in a row open it; after Open it is half-open and
// lets one probe through at a time; Successes of these close it, one that fails
// opens it for as long again.
//
//	         Failures in a row
//	closed ─────────────────────► open ◄─────┐
//	  ▲                            │ Open    │ a probe fails
//	  │ probes succeed             ▼         │
//	  └──────────────────────── half-open ───┘
type Breaker struct {
	rule    BreakerRule
	state   BreakerState
	row     int           // failures, or successes of probes, in a row
	probing bool          // a probe is under way
	since   time.Duration // it opened
	opened  uint64        // how often it has
}

// NewBreaker makes one that is closed.
func NewBreaker(r BreakerRule) Breaker { return Breaker{rule: r} }

// Set changes the rule from now on.
func (b *Breaker) Set(r BreakerRule) { b.rule = r }

// State is the state at a time: open becomes half-open with time alone.
func (b *Breaker) State(now time.Duration) BreakerState {
	if b.state == Open && now-b.since >= b.rule.Open {
		b.half()
	}
	return b.state
}

// Ready reports whether it waits for a probe.
func (b *Breaker) Ready(now time.Duration) bool {
	return b.State(now) == HalfOpen && !b.probing
}

// Probe counts a probe that begins; Ready has said that it may.
func (b *Breaker) Probe() { b.probing = true }

// Opened is how often it has opened.
func (b *Breaker) Opened() uint64 { return b.opened }

// Wait is how long it stays open yet; 0 where it is not.
func (b *Breaker) Wait(now time.Duration) time.Duration {
	if b.State(now) != Open {
		return 0
	}
	return b.rule.Open - (now - b.since)
}

// Hurry makes an open breaker half-open early, if it has been open for
// HurryAfter: a health check was answered, or nobody is left to be spared. It
// reports whether it did.
func (b *Breaker) Hurry(now time.Duration) bool {
	if b.State(now) != Open || now-b.since < HurryAfter {
		return false
	}
	b.half()
	return true
}

// Done counts how an attempt went, and reports whether that changed the state.
// What was begun before the breaker opened says nothing any more.
func (b *Breaker) Done(now time.Duration, v Verdict, probe bool) bool {
	switch state := b.State(now); {
	case probe:
		return b.probed(now, v)
	case state != Closed || v == Neither:
		return false
	case v == Good:
		b.row = 0
		return false
	default:
		b.row++
		return b.rule.Failures > 0 && b.row >= b.rule.Failures && b.open(now)
	}
}

func (b *Breaker) probed(now time.Duration, v Verdict) bool {
	if !b.probing {
		return false // of a half-open time before this one
	}
	b.probing = false
	switch {
	case b.state != HalfOpen:
		return false
	case v == Bad:
		return b.open(now)
	case v == Neither:
		return false
	}
	b.row++
	if b.row < b.rule.Successes {
		return false
	}
	b.state, b.row = Closed, 0
	return true
}

func (b *Breaker) open(now time.Duration) bool {
	b.state, b.row, b.probing, b.since = Open, 0, false, now
	b.opened++
	return true
}

func (b *Breaker) half() { b.state, b.row, b.probing = HalfOpen, 0, false }
