package sim

import (
	"fmt"

	"github.com/polymath-run/polymath/internal/journal"
)

// Fault is what happens to one Append.
type Fault int

// The faults.
const (
	// None appends the entry and says so.
	None Fault = iota
	// Refused does not append it and says so.
	Refused
	// Lost does not append it; the outcome is unknown.
	Lost
	// Unreported appends it; the outcome is unknown.
	Unreported
	// Delayed appends it some calls later, unless the engine crashes before;
	// the outcome is unknown.
	Delayed
	// Duplicated appends it now and again some calls later; the outcome is
	// unknown.
	Duplicated
	// Crash crashes the engine before or after it is appended; the outcome is
	// unknown.
	Crash
	faultEnd
)

// String is the name of the fault.
func (f Fault) String() string {
	switch f {
	case None:
		return "none"
	case Refused:
		return "refused"
	case Lost:
		return "lost"
	case Unreported:
		return "unreported"
	case Delayed:
		return "delayed"
	case Duplicated:
		return "duplicated"
	case Crash:
		return "crash"
	default:
		return fmt.Sprintf("fault %d", int(f))
	}
}

// Odds are probabilities from 0 to 1, together at most 1: of each Append to meet
// a fault, and of each Trim to do nothing, for which they do not count together.
type Odds struct {
	Refused, Lost, Unreported, Delayed, Duplicated, Crash float64

	IdleTrim float64
}

// Plan makes the next Append meet a fault, before what the odds say. Several are
// met in the order they were planned.
func (e *Engine) Plan(f Fault) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.planned = append(e.planned, f)
}

// Count is how many times a fault has happened.
func (e *Engine) Count(f Fault) int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.counts[f]
}

// draw says what happens to the next Append.
func (e *Engine) draw() Fault {
	if len(e.planned) > 0 {
		f := e.planned[0]
		e.planned = e.planned[1:]
		return f
	}
	o := e.options.Odds
	x := e.chance.Float64()
	for i, odds := range [...]float64{o.Refused, o.Lost, o.Unreported, o.Delayed, o.Duplicated, o.Crash} {
		if x < odds {
			return Refused + Fault(i)
		}
		x -= odds
	}
	return None
}

// append appends an entry, which is the engine's, under a fault.
func (e *Engine) append(f Fault, entry []byte) error {
	if f != Crash { // crash counts its own
		e.counts[f]++
	}
	switch f {
	case None:
		e.store(entry)
		return nil
	case Refused:
		return fmt.Errorf("sim: %w: refused", journal.ErrNotAppended)
	case Unreported:
		e.store(entry)
	case Delayed:
		e.delay(entry)
	case Duplicated:
		e.store(entry)
		e.delay(entry)
	case Crash:
		if e.chance.IntN(2) == 0 {
			e.store(entry)
		}
		e.crash()
		return fmt.Errorf("%w: %w", ErrUnknown, ErrCrashed)
	}
	return ErrUnknown
}

// delay lets an entry appear later.
func (e *Engine) delay(entry []byte) {
	e.late = append(e.late, lateEntry{e.calls + 1 + uint64(e.chance.IntN(maxDelay)), entry})
}
