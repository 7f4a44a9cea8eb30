package journaltest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/polymath-run/polymath/internal/journal"
)

// Outcome is what the callers of Append were told, by entry. Entries differ.
type Outcome struct {
	mu                             sync.Mutex
	Appended, NotAppended, Unknown []string
}

// Note files an entry under what Append returned. Several goroutines may call it.
func (o *Outcome) Note(entry string, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case err == nil:
		o.Appended = append(o.Appended, entry)
	case errors.Is(err, journal.ErrNotAppended):
		o.NotAppended = append(o.NotAppended, entry)
	default:
		o.Unknown = append(o.Unknown, entry)
	}
}

// Check fails the test when a journal does not hold what the callers were told:
// what was acknowledged once, what was refused never, what is unknown at most
// twice, and nothing else.
func (o *Outcome) Check(t testing.TB, records []journal.Record) {
	t.Helper()
	times := map[string]int{}
	for _, text := range Texts(records) {
		times[text]++
	}
	limit := func(entries []string, least, most int, what string) {
		for _, e := range entries {
			if n := times[e]; n < least || n > most {
				t.Errorf("%.30q was %s and is there %d times", e, what, n)
			}
			delete(times, e)
		}
	}
	limit(o.Appended, 1, 1, "acknowledged")
	limit(o.NotAppended, 0, 0, "refused")
	limit(o.Unknown, 0, 2, "left open")
	for e := range times {
		t.Errorf("%.30q was never appended and is there", e)
	}
}

// appendMany lets writers append until each has done its share or has got an
// error, and returns what they were told.
func appendMany(ctx context.Context, j journal.Journal, writers, each int) *Outcome {
	o := &Outcome{}
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for _, e := range numbered(fmt.Sprintf("writer-%d", w), each) {
				err := j.Append(ctx, []byte(e))
				if o.Note(e, err); err != nil {
					return
				}
			}
		})
	}
	wg.Wait()
	return o
}
