package app

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestUnwindIsLastInFirstOut(t *testing.T) {
	var s stack
	var order []string
	bad := errors.New("the disk is gone")
	for _, name := range []string{"a", "b", "c"} {
		s.push(name, func() error {
			order = append(order, name)
			if name == "b" {
				return bad
			}
			return nil
		})
	}
	err := s.unwind(time.Minute)
	if !errors.Is(err, bad) || err.Error() != "close b: the disk is gone" {
		t.Errorf("unwind said %v", err)
	}
	if want := []string{"c", "b", "a"}; !slices.Equal(order, want) {
		t.Errorf("closed %v, want %v", order, want)
	}
	if err := s.unwind(time.Minute); err != nil || len(order) != 3 {
		t.Errorf("a second unwind closed something again: %v, %v", order, err)
	}
}

// TestUnwindPassesOverWhatHangs shows that a step that never ends costs its
// limit, and the ones below it are closed all the same.
func TestUnwindPassesOverWhatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s stack
		release := make(chan struct{})
		closed := 0
		s.push("the floor", func() error { closed++; return nil })
		s.push("a slow one", func() error { <-time.After(closeGrace / 2); closed++; return nil })
		s.push("one that hangs", func() error { <-release; return nil })
		begun := time.Now()
		err := s.unwind(3 * time.Second)
		if err == nil || !strings.Contains(err.Error(), "close one that hangs: it did not end within 3s") {
			t.Errorf("unwind said %v", err)
		}
		if took := time.Since(begun); closed != 2 || took != 3*time.Second+closeGrace/2 {
			t.Errorf("%d of 2 others were closed, after %v", closed, took)
		}
		close(release)
	})
}
