package discover

import (
	"context"
	"slices"
	"time"
)

// Bounds of a Watcher.
const (
	// retryAfter is how soon it is asked again after a failure, and twice as
	// long each time in a row, up to retryMost.
	retryAfter = time.Second
	retryMost  = 30 * time.Second
)

// Watcher keeps an answer fresh.
type Watcher struct {
	// Lookup is asked, such as Resolver.Lookup of a query.
	Lookup func(ctx context.Context) (Answer, error)
	// Shortest and Longest bound how long an answer is good for, whatever it
	// says itself: the first above 0.
	Shortest, Longest time.Duration
	// Changed is told each answer that differs from the one before. It is never
	// told of nobody. False says that it could not be taken in: it is told again
	// at the next look.
	Changed func(Answer) bool
	// Failed, where not nil, is told the first of failures in a row, and nil
	// when it works again.
	Failed func(error)
}

// Run looks until ctx ends.
func (w *Watcher) Run(ctx context.Context) {
	var last []Found
	failures := 0
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		answer, err := w.Lookup(ctx)
		if ctx.Err() != nil {
			return
		}
		if len(answer.Found) > 0 && !slices.Equal(answer.Found, last) {
			last = nil
			if w.Changed(answer) {
				last = answer.Found
			}
		}
		wait := min(max(answer.TTL, w.Shortest), w.Longest)
		if err != nil {
			wait = min(max(retryAfter<<min(failures, 8), w.Shortest), retryMost, w.Longest)
			failures++
		}
		w.tell(failures, err)
		if err == nil {
			failures = 0
		}
		timer.Reset(wait)
	}
}

// tell tells of the first failure, and of its end.
func (w *Watcher) tell(failures int, err error) {
	if w.Failed != nil && (err != nil && failures == 1 || err == nil && failures > 0) {
		w.Failed(err)
	}
}
