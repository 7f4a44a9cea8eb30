package main

import (
	"bytes"
	"context"
	"os"
	"regexp"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/polymath-run/polymath"
)

// TestDetach lets go of jobs of a server by Ctrl-C: exit code 130, they go on,
// and what is said then comes back to them.
func TestDetach(t *testing.T) {
	url := server(t)
	for name, args := range map[string][]string{
		"run":    {"run", "sleep", "400", "--duration", "10ms", "--server", url},
		"submit": {"submit", "sleep", "400", "--duration", "10ms", "--wait", "--server", url},
	} {
		t.Run(name, func(t *testing.T) {
			c := start(t, args...)
			c.until(t, `sleep +\d+\.\d %`)
			c.signal(t, os.Interrupt)
			code, drawn := c.wait(t)
			back := regexp.MustCompile(`detached from (j\w+), which goes on: 'polymath (watch j\w+ --server \S+)'`).FindStringSubmatch(drawn)
			if code != polymath.ExitInterrupted || back == nil || c.stdout.Len() > 0 {
				t.Fatalf("exit code %d, printed %q: %s", code, &c.stdout, drawn)
			}
			c = start(t, strings.Fields(back[2])...)
			if code, drawn := c.wait(t); code != 0 || c.stdout.String() != "400\n" || !strings.Contains(drawn, "sleep 100.0 % [=") {
				t.Errorf("exit code %d, printed %q: %s", code, &c.stdout, drawn)
			}
		})
	}
}

// TestWatchSeveral draws a line for each job, takes those away that end, and
// lets go of the rest by Ctrl-C.
func TestWatchSeveral(t *testing.T) {
	url := server(t)
	submit := func(units string) string {
		p := program{args: []string{"submit", "sleep", units, "--duration", "20ms", "--server", url}}
		if code := p.run(t); code != 0 {
			t.Fatalf("exit code %d: %s", code, &p.stderr)
		}
		return strings.TrimSpace(p.stdout.String())
	}
	short, long := submit("10"), submit("100000")
	c := start(t, "watch", short, long, "--server", url)
	c.until(t, long+` sleep +\d+\.\d %`)
	c.signal(t, os.Interrupt)
	if code, drawn := c.wait(t); code != polymath.ExitInterrupted || !strings.Contains(drawn, "detached from j") {
		t.Fatalf("exit code %d: %s", code, drawn)
	}
	p := program{args: []string{"cancel", long, "--server", url}}
	if code := p.run(t); code != 0 {
		t.Fatalf("exit code %d: %s", code, &p.stderr)
	}
	c = start(t, "watch", short, long, "--server", url)
	code, drawn := c.wait(t)
	if code != polymath.ExitJobFailed || !strings.Contains(c.stdout.String(), short+" sleep succeeded\n") || !strings.Contains(c.stdout.String(), long+" sleep cancelled\n") {
		t.Errorf("exit code %d, printed %q: %s", code, &c.stdout, drawn)
	}
}

// TestRemoteLeavesNothingBehind follows everything on a server from within this
// process until it is interrupted.
func TestRemoteLeavesNothingBehind(t *testing.T) {
	url := server(t)
	before := goleak.IgnoreCurrent()
	defer goleak.VerifyNone(t, before)
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	var stderr bytes.Buffer
	code := run(ctx, []string{"watch", "--after", "0:0.0:0", "--server", url}, surroundings{
		lookup: func(string) (string, bool) { return "", false },
		stdout: onWrite{new(bytes.Buffer), interrupt}, // the worker joined
		stderr: &stderr,
		width:  func() int { return 0 },
	})
	if code != polymath.ExitInterrupted {
		t.Errorf("exit code %d: %s", code, &stderr)
	}
}
