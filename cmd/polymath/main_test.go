package main

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"go.uber.org/goleak"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/app"
	"github.com/polymath-run/polymath/internal/function/all"
)

// asProgram, set in the environment, makes the test binary the program: the
// tests of signals and of several processes start it this way.
const asProgram = "POLYMATH_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
		return
	}
	testscript.Main(m, map[string]func(){"polymath": main})
}

// TestScripts runs the program as users do; each file is one of its topics.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: filepath.Join("..", "..", "test", "script"),
		Setup: func(env *testscript.Env) error {
			env.Setenv("XDG_STATE_HOME", filepath.Join(env.WorkDir, "state"))
			env.Values[serverKey{}] = new(script)
			return nil
		},
		Cmds:                commands(),
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
	})
}

// program is one run of the program within the test process.
type program struct {
	args           []string
	env            map[string]string
	stdin          string
	width          int
	stdout, stderr bytes.Buffer
}

// run runs it to its end and returns its exit code.
func (p *program) run(t *testing.T) int {
	t.Helper()
	return run(t.Context(), p.args, surroundings{
		lookup: func(name string) (string, bool) { v, ok := p.env[name]; return v, ok },
		stdin:  bytes.NewBufferString(p.stdin),
		stdout: &p.stdout, stderr: &p.stderr,
		width: func() int { return p.width },
	})
}

// TestRunLeavesNothingBehind runs a calculation in this process, on a terminal
// of 60 columns.
func TestRunLeavesNothingBehind(t *testing.T) {
	defer goleak.VerifyNone(t)
	p := program{
		args:  []string{"run", "primes", "1e7", "--workers", "2"},
		env:   map[string]string{"POLYMATH_DATA": t.TempDir()},
		width: 60,
	}
	if code := p.run(t); code != polymath.ExitDone {
		t.Fatalf("exit code %d: %s", code, &p.stderr)
	}
	if got := p.stdout.String(); got != "664579\n" {
		t.Errorf("printed %q, want the 664579 primes to 10^7", got)
	}
	if got := p.stderr.String(); !bytes.Contains(p.stderr.Bytes(), []byte("primes 100.0 % [=")) {
		t.Errorf("progress %q", got)
	}
}

// TestRunIsInterrupted shows that a run that is told to stop detaches and
// leaves nothing running, and that the next one goes on and finishes.
func TestRunIsInterrupted(t *testing.T) {
	defer goleak.VerifyNone(t)
	args := []string{"run", "sleep", "60", "--duration", "50ms", "--dev", "--workers", "2", "--data", t.TempDir()}
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	var stderr bytes.Buffer
	s := surroundings{
		lookup: func(string) (string, bool) { return "", false },
		stdout: new(bytes.Buffer),
		stderr: onWrite{&stderr, interrupt}, // its first picture of the progress
		width:  func() int { return 80 },
	}
	if code := run(ctx, args, s); code != polymath.ExitInterrupted {
		t.Fatalf("exit code %d: %s", code, &stderr)
	}
	if !bytes.Contains(stderr.Bytes(), []byte("detached from j")) {
		t.Errorf("said %q", &stderr)
	}
	again := program{args: args}
	if code := again.run(t); code != polymath.ExitDone {
		t.Fatalf("exit code %d: %s", code, &again.stderr)
	}
	if !bytes.HasPrefix(again.stderr.Bytes(), []byte("resuming j")) || again.stdout.String() != "60\n" {
		t.Errorf("printed %q and %q", &again.stdout, &again.stderr)
	}
}

// server starts a server within the test process and returns its URL.
func server(t *testing.T) string {
	t.Helper()
	s, err := app.Serve(t.Context(), app.ServerOptions{
		Options: app.Options{Directory: t.TempDir(), Version: "test", Log: slog.New(slog.DiscardHandler)},
		Listen:  []string{"127.0.0.1:0"}, Functions: all.Set(true), Workers: 2,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s.URL()
}

// onWrite calls a function at every write.
type onWrite struct {
	to   io.Writer
	call func()
}

// Write implements io.Writer.
func (w onWrite) Write(b []byte) (int, error) {
	w.call()
	return w.to.Write(b)
}
