package main

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"

	"github.com/rogpeppe/go-internal/testscript"
)

// commands are what scripts know beyond the commands of testscript.
func commands() map[string]func(ts *testscript.TestScript, neg bool, args []string) {
	all := map[string]func(ts *testscript.TestScript, neg bool, args []string){
		"exits": exits, "flip": flip, "serve": serve, "quit": stopServer, "keep": keep, "interrupt": interrupt,
	}
	maps.Copy(all, balancing())
	return all
}

// exits CODE COMMAND ARGS... runs a command that must end with an exit code.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND [ARGS]")
	}
	hasEnded(ts, ts.Exec(args[1], args[2:]...), args[0])
}

// hasEnded holds the end of a command to an exit code.
func hasEnded(ts *testscript.TestScript, err error, want string) {
	code := 0
	var failed *exec.ExitError
	switch {
	case errors.As(err, &failed):
		code = failed.ExitCode()
	case err != nil:
		ts.Fatalf("%v", err)
	}
	if strconv.Itoa(code) != want {
		ts.Fatalf("exit code %d, want %s", code, want)
	}
}

// flip FILE TEXT changes one bit wherever a text stands in a file, as a bad disk
// does.
func flip(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: flip FILE TEXT")
	}
	path := ts.MkAbs(args[0])
	data, err := os.ReadFile(path)
	ts.Check(err)
	bad := []byte(args[1])
	bad[0] ^= 1
	if !bytes.Contains(data, []byte(args[1])) {
		ts.Fatalf("%s does not contain %q", args[0], args[1])
	}
	ts.Check(os.WriteFile(path, bytes.ReplaceAll(data, []byte(args[1]), bad), 0o600))
}

// keep NAME keeps what the last command printed, less the line break, in a
// variable.
func keep(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: keep NAME")
	}
	ts.Setenv(args[0], strings.TrimSpace(ts.ReadFile("stdout")))
}

// background is the program in a process beside a script.
type background struct {
	cmd    *exec.Cmd
	stdout io.Reader
	stderr bytes.Buffer
}

// begin starts the program beside the script.
func begin(ts *testscript.TestScript, args []string) *background {
	program := ""
	for _, dir := range filepath.SplitList(ts.Getenv("PATH")) {
		if path := filepath.Join(dir, "polymath"); program == "" {
			if _, err := os.Stat(path); err == nil {
				program = path
			}
		}
	}
	b := &background{cmd: exec.Command(program, args...)}
	b.cmd.Dir, b.cmd.Stderr = ts.Getenv("WORK"), &b.stderr
	for _, name := range []string{"HOME", "PATH", "TMPDIR", "XDG_STATE_HOME", "POLYMATH_SERVER", "GOCOVERDIR"} {
		b.cmd.Env = append(b.cmd.Env, name+"="+ts.Getenv(name))
	}
	var err error
	b.stdout, err = b.cmd.StdoutPipe()
	ts.Check(err)
	ts.Check(b.cmd.Start())
	return b
}

// until reads standard output to a line that has a pattern.
func (b *background) until(ts *testscript.TestScript, pattern string) string {
	want := regexp.MustCompile(pattern)
	lines := bufio.NewReader(b.stdout)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			_ = b.cmd.Wait()
			ts.Fatalf("it ended before it printed %q: %v: %s", pattern, err, &b.stderr)
		}
		if want.MatchString(line) {
			b.stdout = lines
			return strings.TrimSpace(line)
		}
	}
}

// end sends a signal and waits.
func (b *background) end(ts *testscript.TestScript, s os.Signal) error {
	ts.Check(b.cmd.Process.Signal(s))
	_, _ = io.Copy(io.Discard, b.stdout)
	return b.cmd.Wait()
}

// serverKey is where a script's server is kept.
type serverKey struct{}

// serve COMMAND ARGS... starts a server beside the script and waits for its
// address, which POLYMATH_SERVER is from then on. It ends with the script.
func serve(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: serve up|server [ARGS]")
	}
	b := begin(ts, args)
	running := &b
	ts.Defer(func() {
		if *running != nil {
			ts.Logf("the server said: %s", (*running).finish())
		}
	})
	ts.Setenv("POLYMATH_SERVER", b.until(ts, "^http"))
	ts.Value(serverKey{}).(*script).server = running
}

// finish ends a server after a script.
func (b *background) finish() string {
	_ = b.cmd.Process.Kill()
	_ = b.cmd.Wait()
	return b.stderr.String()
}

// script is what commands of one script share.
type script struct{ server **background }

// stopServer ends the server: in order, or by `quit -kill`.
func stopServer(ts *testscript.TestScript, neg bool, args []string) {
	s := ts.Value(serverKey{}).(*script)
	if neg || s.server == nil || *s.server == nil {
		ts.Fatalf("usage: quit [-kill], with a server")
	}
	b := *s.server
	*s.server = nil
	if len(args) > 0 {
		_ = b.end(ts, syscall.SIGKILL)
		return
	}
	if err := b.end(ts, syscall.SIGTERM); err != nil {
		ts.Fatalf("the server ended: %v: %s", err, &b.stderr)
	}
}

// interrupt CODE PATTERN ARGS... runs the program, interrupts it once it has
// printed a line with a pattern, and holds its end to an exit code.
func interrupt(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 {
		ts.Fatalf("usage: interrupt CODE PATTERN ARGS")
	}
	b := begin(ts, args[2:])
	b.until(ts, args[1])
	hasEnded(ts, b.end(ts, os.Interrupt), args[0])
}
