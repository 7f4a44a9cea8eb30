package main

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/polymath-run/polymath"
)

// TestKills is the soak in short, for every change. (W4, L1)
func TestKills(t *testing.T) {
	s := settings{kills: 15, seed: uint64(time.Now().UnixNano()), argument: "2e10", answer: "882206716", longest: 800 * time.Millisecond}
	var out strings.Builder
	err := soak(t.Context(), s, &out)
	t.Log(out.String())
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasSuffix(out.String(), "bar kill/lost 0\nbar kill/twice 0\n") {
		t.Error("the bars are missing")
	}
}

// TestAuditFindsWhatIsWrong shows that an account that does not add up is
// found.
func TestAuditFindsWhatIsWrong(t *testing.T) {
	right := func() *account {
		a := &account{
			units:    10,
			counted:  []polymath.Interval{{From: 4, To: 10}, {From: 0, To: 4}},
			finished: &polymath.Job{Result: []byte("7")},
		}
		a.sum.SetInt64(7)
		return a
	}
	for _, c := range []struct {
		name        string
		change      func(*account)
		lost, twice int
	}{
		{"right", func(*account) {}, 0, 0},
		{"a gap", func(a *account) { a.counted[0].From = 5 }, 1, 0},
		{"the end is missing", func(a *account) { a.counted[0].To = 9 }, 1, 0},
		{"an overlap", func(a *account) { a.counted[0].From = 3 }, 0, 1},
		{"the same twice", func(a *account) { a.counted = append(slices.Clone(a.counted), a.counted[0]) }, 0, 1},
		{"not finished", func(a *account) { a.finished = nil }, 1, 0},
		{"another result", func(a *account) { a.finished.Result = []byte("8") }, 1, 0},
		{"nothing", func(a *account) { a.counted, a.finished = nil, nil }, 2, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			job := right()
			c.change(job)
			var a audit
			a.settle(polymath.JobID{}, job)
			if a.lost != c.lost || a.twice != c.twice {
				t.Errorf("lost %d, twice %d, want %d, %d: %q", a.lost, a.twice, c.lost, c.twice, a.complaints)
			}
		})
	}
	var a audit
	a.expect([]finishedRun{{Job: "j0004z00", State: "succeeded", Result: 3.0}}, "4")
	if a.lost != 3 {
		t.Errorf("a wrong answer of a job that is not in the journal: %q", a.complaints)
	}
}
