package sim

import (
	"testing"

	"github.com/polymath-run/polymath/internal/journal"
	"github.com/polymath-run/polymath/internal/journal/journaltest"
)

func TestConformance(t *testing.T) {
	journaltest.Run(t, func(testing.TB) journaltest.Harness {
		e := New(Options{Seed: 1})
		return journaltest.Harness{
			Open:  func(testing.TB) journal.Journal { return e.Open() },
			Crash: func(testing.TB) { e.Crash() },
			Fail: func(_ testing.TB, stored bool) {
				if stored {
					e.Plan(Unreported)
				} else {
					e.Plan(Lost)
				}
			},
			Mark: func(testing.TB) func() {
				kept := e.Len()
				return func() { e.LoseTail(e.Len() - kept) }
			},
			Stall: func(testing.TB) func() {
				e.Hold()
				return e.Release
			},
			MaxStalled: MaxWaiting,
			Fill: func(testing.TB) func() {
				e.SetFull(true)
				return func() { e.SetFull(false) }
			},
			TrimEntries: 200,
		}
	})
}
