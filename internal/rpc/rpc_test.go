package rpc_test

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/client"
	"github.com/polymath-run/polymath/worker"
)

// TestJobOverTheWire is the whole way of a job between three processes' worth
// of parts (P1, P3, W4, W5).
func TestJobOverTheWire(t *testing.T) {
	s := start(t, t.TempDir(), "")
	c := s.dial()
	s.builtin(2)
	answer, err := c.Run(t.Context(), client.Request{Function: "primes", Input: map[string]any{"to": "1e6"}})
	if err != nil || string(answer) != "78498" {
		t.Errorf("%s, %v", answer, err)
	}
	_, err = c.Run(t.Context(), client.Request{Function: "divide", Input: `{"numbers":[1,0]}`})
	if err == nil {
		t.Error("a division by zero has an answer")
	}
}

// TestOwnFunctions: a program's own functions of every kind.
func TestOwnFunctions(t *testing.T) {
	s := start(t, t.TempDir(), "")
	c := s.dial()
	s.work(func(ctx context.Context) error {
		return worker.Run(ctx, worker.Options{Server: s.url(), Parallel: 3},
			worker.Call("greet", func(_ context.Context, input json.RawMessage) (any, error) {
				return map[string]any{"hello": input}, nil
			}),
			worker.List("double", func(_ context.Context, item json.RawMessage) (any, error) {
				var n int
				err := json.Unmarshal(item, &n)
				return 2 * n, err
			}),
			worker.Range("odd", worker.Count, func(_ context.Context, s worker.Span) (n int64, err error) {
				for i := s.From; i <= s.To; i++ {
					n += int64(i % 2)
				}
				s.Progress(s.To - s.From + 1)
				return n, nil
			}))
	})
	for {
		if _, err := c.Submit(t.Context(), client.Request{Function: "greet"}); err == nil {
			break // the worker has joined
		} else if polymath.CodeOf(err) != polymath.NotFound {
			t.Fatal(err)
		}
	}
	for _, q := range []struct{ function, input, want string }{
		{"greet", `{"a": 1}`, `{"hello":{"a":1}}`},
		{"double", `{"items": [1, 2, 3]}`, `[2,4,6]`},
		{"odd", `{"from": 10, "to": 1000000}`, `499995`},
	} {
		answer, err := c.Run(t.Context(), client.Request{Function: q.function, Input: q.input})
		if err != nil || string(answer) != q.want {
			t.Errorf("%s: %s, %v", q.function, answer, err)
		}
	}
	if _, err := c.Run(t.Context(), client.Request{Function: "double", Input: `{"items": ["x"]}`, Attempts: 1}); polymath.CodeOf(err) != polymath.JobFailed {
		t.Errorf("a bad element: %v", err)
	}
}
