package rpc_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"sync"
	"testing"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/client"
	"github.com/polymath-run/polymath/worker"
)

// TestNothingOfAMessageIsKept: a stream reads a message into the memory of the
// one before, and still each of many jobs at a time has its own input and its
// own output.
func TestNothingOfAMessageIsKept(t *testing.T) {
	const callers, calls, batch = 8, 10, 20
	s := start(t, t.TempDir(), "")
	echo := worker.Call("echo", func(_ context.Context, in json.RawMessage) (any, error) { return string(in), nil })
	s.work(func(ctx context.Context) error {
		return worker.Run(ctx, worker.Options{Server: s.url(), Name: "w", Parallel: callers}, echo)
	})
	c := s.dial()
	for { // until the worker has joined
		_, err := c.Submit(t.Context(), client.Request{Function: "echo", Input: json.RawMessage(`{}`)})
		if err == nil {
			break
		}
		if polymath.CodeOf(err) != polymath.NotFound {
			t.Fatal(err)
		}
	}
	var calling sync.WaitGroup
	for caller := range callers {
		calling.Go(func() {
			for call := range calls {
				inputs, requests := make([]string, batch), make([]client.Request, batch)
				for i := range requests {
					inputs[i] = fmt.Sprintf(`{"n":%d}`, (caller*calls+call)*batch+i)
					requests[i] = client.Request{Function: "echo", Input: json.RawMessage(inputs[i])}
				}
				outcomes, err := c.SubmitMany(t.Context(), requests)
				if err != nil {
					t.Error(err)
					return
				}
				for i, o := range outcomes {
					job, err := c.Wait(t.Context(), o.Job)
					if err != nil || o.Err != nil || string(job.Input) != inputs[i] || string(job.Answer) != strconv.Quote(inputs[i]) {
						t.Errorf("%s: %+v, %v, %v", inputs[i], job, err, o.Err)
					}
				}
			}
		})
	}
	calling.Wait()
}
