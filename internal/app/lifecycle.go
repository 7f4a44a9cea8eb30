package app

import (
	"errors"
	"fmt"
	"time"
)

// Bounds of a shutdown.
const (
	// closeLimit is what a whole shutdown may take: workers are given five
	// seconds to stop, and a slow disk some more to take what is queued.
	closeLimit = 20 * time.Second
	// closeGrace is what every step gets, also when one before it used the
	// limit up.
	closeGrace = time.Second
)

// stack is what has been opened. It is closed last in, first out, so that
// nothing loses what it stands on while it works.
type stack struct {
	steps []step
}

type step struct {
	name string
	end  func() error
}

func (s *stack) push(name string, end func() error) {
	s.steps = append(s.steps, step{name, end})
}

// unwind closes everything. A step that fails or hangs never keeps the others
// from being closed; the error names each.
func (s *stack) unwind(limit time.Duration) error {
	deadline := time.Now().Add(limit)
	var failures []error
	for len(s.steps) > 0 {
		last := s.steps[len(s.steps)-1]
		s.steps = s.steps[:len(s.steps)-1]
		if err := last.within(max(time.Until(deadline), closeGrace)); err != nil {
			failures = append(failures, fmt.Errorf("close %s: %w", last.name, err))
		}
	}
	return errors.Join(failures...)
}

// within closes one step. One that hangs is left behind: the process is about
// to end, and the journal holds all that matters.
func (s step) within(limit time.Duration) error {
	done := make(chan error, 1)
	go func() { done <- s.end() }()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case err := <-done:
		return err
	case <-timer.C:
		return fmt.Errorf("it did not end within %v", limit.Round(time.Millisecond))
	}
}
