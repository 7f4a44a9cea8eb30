// Package python holds the worker in Python to what it says of itself.
package python

import (
	"log/slog"
	"os"
	"os/exec"
	"testing"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/client"
	"github.com/polymath-run/polymath/internal/app"
	"github.com/polymath-run/polymath/internal/function/all"
)

// TestWorker has a server calculate what only the worker can, fail what it
// cannot, and lose it in order (P3).
func TestWorker(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("SKIPPED: the worker in Python: there is no python3 here")
	}
	s, err := app.Serve(t.Context(), app.ServerOptions{
		Options: app.Options{Directory: t.TempDir(), Log: slog.New(slog.DiscardHandler)},
		Listen:  []string{"127.0.0.1:0"}, Functions: all.Set(false),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	c, err := client.Dial(t.Context(), s.URL(), client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	cmd := exec.CommandContext(t.Context(), python, "worker.py", s.URL())
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for e, err := range c.Events(t.Context(), "0:0.0:0") {
		if err != nil {
			t.Fatal(err)
		}
		if e.Happened != nil && e.Happened.Type == "run.polymath.worker.joined.v1" {
			break
		}
	}
	for range 3 {
		answer, err := c.Run(t.Context(), client.Request{Function: "shout", Input: `{"items":["ada","bob","<&>"]}`})
		if err != nil || string(answer) != `["ADA","BOB","<&>"]` {
			t.Errorf("%s, %v", answer, err)
		}
	}
	if _, err := c.Run(t.Context(), client.Request{Function: "shout", Input: `{"items":[1]}`, Attempts: 1}); polymath.CodeOf(err) != polymath.JobFailed {
		t.Errorf("a number has no capitals, but: %v", err)
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("the worker ended: %v", err)
	}
	if left, err := c.Workers(t.Context()); err != nil || len(left) > 0 {
		t.Errorf("%v, %v: it did not leave", left, err)
	}
}
