package discover

import (
	"context"
	"errors"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

// script is a Lookup that says one thing after the other, and when it was asked.
type script struct {
	steps []step
	asked []time.Duration
	begun time.Time
	stop  context.CancelFunc
}

type step struct {
	found []Found
	ttl   time.Duration
	err   error
}

func (s *script) lookup(context.Context) (Answer, error) {
	s.asked = append(s.asked, time.Since(s.begun))
	if len(s.steps) == 0 {
		s.stop()
		return Answer{}, nil
	}
	next := s.steps[0]
	s.steps = s.steps[1:]
	return Answer{Found: next.found, TTL: next.ttl}, next.err
}

func at(addresses ...string) (out []Found) {
	for _, a := range addresses {
		out = append(out, Found{Address: netip.MustParseAddrPort(a), Weight: 1})
	}
	return out
}

// TestWatcher: when it looks, and what it tells.
func TestWatcher(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		one, two, broken := at("10.0.0.1:80"), at("10.0.0.1:80", "10.0.0.2:80"), errors.New("broken")
		s := &script{begun: time.Now(), steps: []step{
			{one, 10 * time.Second, nil},  // at 0
			{one, time.Millisecond, nil},  // at 10: the same; for the shortest
			{two, time.Hour, nil},         // at 12: for the longest
			{nil, 0, broken},              // at 72
			{nil, 0, broken},              // at 74
			{two, 30 * time.Second, nil},  // at 76
			{nil, 0, errors.New("empty")}, // at 106
			{one, time.Minute, broken},    // at 108: half of it
			{one, time.Minute, nil},       // at 110
		}}
		var told [][]Found
		var failed []error
		ctx, stop := context.WithCancel(t.Context())
		s.stop = stop
		w := Watcher{
			Lookup: s.lookup, Shortest: 2 * time.Second, Longest: time.Minute,
			Changed: func(a Answer) bool { told = append(told, a.Found); return true },
			Failed:  func(err error) { failed = append(failed, err) },
		}
		w.Run(ctx)
		want := []int{0, 10, 12, 72, 74, 76, 106, 108, 110, 170}
		if len(s.asked) != len(want) {
			t.Fatalf("asked at %v, want %v in seconds", s.asked, want)
		}
		for i := range want {
			if s.asked[i].Seconds() != float64(want[i]) {
				t.Errorf("asked at %v, want %v in seconds", s.asked, want)
				break
			}
		}
		if len(told) != 3 || len(told[0]) != 1 || len(told[1]) != 2 || len(told[2]) != 1 {
			t.Errorf("told of %v", told)
		}
		if len(failed) != 4 || failed[0] == nil || failed[1] != nil || failed[2] == nil || failed[3] != nil {
			t.Errorf("told of the failures %v", failed)
		}
	})
}

// TestWatcherTellsAgain: what could not be taken in is told at each look until it
// could.
func TestWatcherTellsAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		one := at("10.0.0.1:80")
		s := &script{begun: time.Now(), steps: []step{{one, time.Second, nil}, {one, time.Second, nil}, {one, time.Second, nil}, {one, time.Second, nil}}}
		ctx, stop := context.WithCancel(t.Context())
		s.stop = stop
		told := 0
		w := Watcher{Lookup: s.lookup, Shortest: time.Second, Longest: time.Second, Changed: func(Answer) bool { told++; return told == 3 }}
		w.Run(ctx)
		if told != 3 {
			t.Errorf("told %d times of what the third time was taken in", told)
		}
	})
}

// TestWatcherBounds: however name servers answer, they are asked neither more
// often than Shortest nor more rarely than Longest, and nobody is never told.
func TestWatcherBounds(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		var steps []step
		for range rapid.IntRange(1, 30).Draw(r, "steps") {
			s := step{ttl: time.Duration(rapid.Int64Range(0, int64(2*time.Hour)).Draw(r, "ttl"))}
			if rapid.Bool().Draw(r, "found") {
				s.found = at("10.0.0.1:80", "10.0.0.2:80")[:rapid.IntRange(1, 2).Draw(r, "n")]
			}
			if s.found == nil || rapid.Bool().Draw(r, "fails") {
				s.err = errors.New("broken")
			}
			steps = append(steps, s)
		}
		shortest := time.Duration(rapid.Int64Range(int64(time.Millisecond), int64(time.Minute)).Draw(r, "shortest"))
		longest := shortest + time.Duration(rapid.Int64Range(0, int64(time.Hour)).Draw(r, "longest"))
		synctest.Test(t, func(t *testing.T) {
			s := &script{begun: time.Now(), steps: steps}
			ctx, stop := context.WithCancel(t.Context())
			s.stop = stop
			w := Watcher{Lookup: s.lookup, Shortest: shortest, Longest: longest, Changed: func(a Answer) bool {
				if len(a.Found) == 0 {
					t.Error("told of nobody")
				}
				return true
			}}
			w.Run(ctx)
			for i := 1; i < len(s.asked); i++ {
				if pause := s.asked[i] - s.asked[i-1]; pause < min(shortest, retryMost) || pause > longest {
					t.Errorf("asked after %v: the bounds are %v and %v", pause, shortest, longest)
				}
			}
		})
	})
}
