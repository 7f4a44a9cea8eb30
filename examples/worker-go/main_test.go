package main

import (
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/polymath-run/polymath/client"
	"github.com/polymath-run/polymath/internal/app"
	"github.com/polymath-run/polymath/internal/function/all"
)

// asProgram, set in the environment, makes the test binary the program.
const asProgram = "POLYMATH_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// TestWorker has a server calculate what only the worker can (P3), and the
// worker leave in order, whoever ends it.
func TestWorker(t *testing.T) {
	for _, end := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		t.Run(end.String(), func(t *testing.T) { work(t, end) })
	}
}

func work(t *testing.T, end os.Signal) {
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
	cmd := exec.CommandContext(t.Context(), os.Args[0], s.URL())
	cmd.Env, cmd.Stderr = append(os.Environ(), asProgram+"=1"), os.Stderr
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
	for _, k := range []struct{ function, input, want string }{
		{"shout", `{"items":["ada","bob"]}`, `["ADA","BOB"]`},
		{"collatz", `{"from":0,"to":100000}`, "350"},
	} {
		answer, err := c.Run(t.Context(), client.Request{Function: k.function, Input: k.input})
		if err != nil || string(answer) != k.want {
			t.Errorf("%s: %s, %v, want %s", k.function, answer, err, k.want)
		}
	}
	if err := cmd.Process.Signal(end); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("the worker ended: %v", err)
	}
	if left, err := c.Workers(t.Context()); err != nil || len(left) > 0 {
		t.Errorf("%v, %v: it did not leave", left, err)
	}
}

// TestWorkerFails ends with an error and without a trace of the stack where
// there is no server, or no word of where it is.
func TestWorkerFails(t *testing.T) {
	for _, args := range [][]string{nil, {"http://127.0.0.1:1"}} {
		cmd := exec.CommandContext(t.Context(), os.Args[0], args...)
		cmd.Env = append(os.Environ(), asProgram+"=1")
		said, err := cmd.CombinedOutput()
		if err == nil || strings.Contains(string(said), "goroutine") {
			t.Errorf("%v: %v, %s", args, err, said)
		}
	}
}
