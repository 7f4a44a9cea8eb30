// Package journaltest is the conformance suite of the journal port: what every
// adapter passes, and what the tests of adapters read journals with.
package journaltest

import (
	"testing"

	"github.com/polymath-run/polymath/internal/journal"
)

// Harness is one journal under test and what can be done to it. A function that
// an adapter cannot offer is left out, and Without says why under its name.
type Harness struct {
	// Open opens the journal. It is called again after Close or Crash and
	// then opens the same one again.
	Open func(t testing.TB) journal.Journal

	// Crash ends the open journal without Close: what of it survives is what
	// Limits says.
	Crash func(t testing.TB)

	// Fail makes the outcome of the next Append unknown to its caller, while
	// the entry is stored or not. The journal may have to be opened again.
	Fail func(t testing.TB, stored bool)

	// Mark remembers what the journal holds. The function it returns is called
	// when the journal is closed and takes everything later away, as when the
	// tail is lost.
	Mark func(t testing.TB) (lose func())

	// Stall keeps appends from becoming durable until resume is called.
	Stall func(t testing.TB) (resume func())

	// MaxStalled is how many entries can be on their way into a stalled
	// journal; Appends beyond that block. It goes with Stall.
	MaxStalled int

	// Fill leaves no space for more than a few entries until free is called.
	Fill func(t testing.TB) (free func())

	// TrimEntries is after how many entries of 100 bytes a Trim up to the last
	// of them makes the first ones unreadable; 0 if that cannot be said.
	TrimEntries int

	// Without says why a field above is not set.
	Without map[string]string
}

// Run runs the suite. Each test begins with a new, empty journal.
func Run(t *testing.T, empty func(t testing.TB) Harness) {
	t.Run("Abilities", func(t *testing.T) { testAbilities(t, empty(t)) })
	for _, l := range laws() {
		t.Run(l.name, func(t *testing.T) {
			h := empty(t)
			if why := h.Without[l.needs]; why != "" {
				t.Skipf("without %s: %s", l.needs, why)
			}
			l.check(t, h)
		})
	}
}

// law is one test of the suite.
type law struct {
	name  string
	needs string // what the harness must offer, by its name in Without
	check func(t testing.TB, h Harness)
}

func laws() []law {
	return []law{
		{"Order", "", testOrder},
		{"Followers", "", testFollowers},
		{"Yield", "", testYield},
		{"Place", "", testPlace},
		{"Sizes", "", testSizes},
		{"Closed", "", testClosed},
		{"CloseWhileAppending", "", testCloseWhileAppending},
		{"Tail", "", testTail},
		{"Reopen", "", testReopen},
		{"Crash", "Crash", testCrash},
		{"FailNotStored", "Fail", func(t testing.TB, h Harness) { testFail(t, h, false) }},
		{"FailButStored", "Fail", func(t testing.TB, h Harness) { testFail(t, h, true) }},
		{"LostTail", "Mark", testLostTail},
		{"Trim", "TrimEntries", testTrim},
		{"TrimBehindFollower", "TrimEntries", testTrimBehindFollower},
		{"Stalled", "Stall", testStalled},
		{"Full", "Fill", testFull},
	}
}

// testAbilities holds the harness to saying what it leaves out.
func testAbilities(t testing.TB, h Harness) {
	offered := map[string]bool{
		"Crash":       h.Crash != nil,
		"Fail":        h.Fail != nil,
		"Mark":        h.Mark != nil,
		"Stall":       h.Stall != nil && h.MaxStalled > 0,
		"Fill":        h.Fill != nil,
		"TrimEntries": h.TrimEntries > 0,
	}
	for name, ok := range offered {
		if why := h.Without[name]; ok == (why != "") {
			t.Errorf("%s: offered is %t, and the reason for leaving it out is %q", name, ok, why)
		}
	}
	for name := range h.Without {
		if _, ok := offered[name]; !ok {
			t.Errorf("Without names %q, which no test needs", name)
		}
	}
}
