package polymath_test

import (
	"testing"

	"github.com/polymath-run/polymath"
)

// TestTransitions spells out every pair of states: what is not in the table
// is illegal.
func TestTransitions(t *testing.T) {
	const (
		queued    = polymath.Queued
		running   = polymath.Running
		succeeded = polymath.Succeeded
		failed    = polymath.Failed
		cancelled = polymath.Cancelled
	)
	legal := map[[2]polymath.State]bool{
		{queued, running}: true, {queued, succeeded}: true, {queued, failed}: true, {queued, cancelled}: true,
		{running, succeeded}: true, {running, failed}: true, {running, cancelled}: true,
	}
	for from := range 256 {
		for to := range 256 {
			pair := [2]polymath.State{polymath.State(from), polymath.State(to)}
			if got := pair[0].CanBecome(pair[1]); got != legal[pair] {
				t.Errorf("%v (%d) can become %v (%d): %v", pair[0], from, pair[1], to, got)
			}
		}
	}
}

func TestStatesReadBack(t *testing.T) {
	if len(polymath.States()) != 5 {
		t.Fatalf("%d states", len(polymath.States()))
	}
	for _, s := range polymath.States() {
		got, err := polymath.ParseState(s.String())
		if err != nil || got != s {
			t.Errorf("%v reads back as %v, %v", s, got, err)
		}
		if s.Final() != (s != polymath.Queued && s != polymath.Running) {
			t.Errorf("%v is final: %v", s, s.Final())
		}
	}
	for _, bad := range []string{"", "Queued", "unknown", " running"} {
		if _, err := polymath.ParseState(bad); polymath.CodeOf(err) != polymath.InvalidArgument {
			t.Errorf("state %q: %v", bad, err)
		}
	}
	if s := polymath.State(9).String(); s != "unknown" {
		t.Errorf("state 9 is %q", s)
	}
}

func TestReducersHaveNames(t *testing.T) {
	seen := map[string]bool{"unknown": true}
	for _, r := range polymath.Reducers() {
		if seen[r.String()] {
			t.Errorf("reducer %d is called %q, like another", r, r)
		}
		seen[r.String()] = true
	}
	if len(polymath.Reducers()) != 5 || polymath.Reducer(0).String() != "unknown" {
		t.Errorf("reducers %v", polymath.Reducers())
	}
}
