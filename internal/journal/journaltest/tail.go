package journaltest

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/polymath-run/polymath/internal/journal"
)

// touch is one call of the history: an Append, whose position is found in the
// journal afterwards, or a Tail, which returned one.
type touch struct {
	tail     bool
	entry    string
	position uint64
}

// testTail proves that Append and Tail are linearizable: some order of the calls
// that agrees with the clock has every Tail at or past the entries before it and
// short of those after it.
func testTail(t testing.TB, h Harness) {
	const clients, each = 8, 60
	j := h.Open(t)
	start := time.Now()
	var mu sync.Mutex
	var history []porcupine.Operation
	var wg sync.WaitGroup
	for c := range clients {
		wg.Go(func() {
			for i := range each {
				call := touch{tail: (c+i)%2 == 0, entry: fmt.Sprintf("%d/%d", c, i)}
				began := time.Since(start)
				var err error
				if call.tail {
					index, failed := j.Tail(t.Context())
					call.position, err = index.Position, failed
				} else {
					err = j.Append(t.Context(), []byte(call.entry))
				}
				ended := time.Since(start)
				if err != nil {
					t.Errorf("client %d, call %d: %v", c, i, err)
					return
				}
				mu.Lock()
				history = append(history, porcupine.Operation{
					ClientId: c, Input: call, Call: began.Nanoseconds(), Return: ended.Nanoseconds(),
				})
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	checkTail(t, history, Read(t, j, journal.Record{}))
	mustClose(t, j)
}

// checkTail gives every Append the position its entry has and asks porcupine.
func checkTail(t testing.TB, history []porcupine.Operation, records []journal.Record) {
	t.Helper()
	at := map[string]uint64{}
	for _, r := range records {
		at[string(r.Entry)] = r.Index.Position
	}
	for i := range history {
		if call := history[i].Input.(touch); !call.tail {
			call.position = at[call.entry]
			history[i].Input = call
		}
	}
	if !porcupine.CheckOperations(tailModel(), history) {
		t.Errorf("a history of %d calls is not linearizable", len(history))
	}
}

// tailModel is a journal of which only the length is known. A Tail past its last
// entry is allowed, as where Tail appends a barrier, and counts as one.
func tailModel() porcupine.Model {
	return porcupine.Model{
		Init: func() any { return uint64(0) },
		Step: func(state, input, _ any) (bool, any) {
			length, call := state.(uint64), input.(touch)
			legal := call.position > length || call.tail && call.position == length
			return legal, call.position
		},
		DescribeOperation: func(input, _ any) string { return fmt.Sprintf("%+v", input) },
	}
}
