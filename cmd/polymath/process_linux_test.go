package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/polymath-run/polymath"
)

// patience is how long a test waits for what is going to happen.
const patience = time.Minute

// child is the program in a process of its own, with a terminal behind its
// standard error: what it draws there says how far it is.
type child struct {
	cmd      *exec.Cmd
	stdout   bytes.Buffer
	terminal *os.File // our end of it
	drawn    []byte   // what was read from it so far
}

// start starts the program.
func start(t *testing.T, args ...string) *child {
	t.Helper()
	ours, theirs := openTerminal(t)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	c := &child{cmd: exec.CommandContext(ctx, os.Args[0], args...), terminal: ours}
	c.cmd.Env = append(os.Environ(), asProgram+"=1")
	c.cmd.Stdout, c.cmd.Stderr = &c.stdout, theirs
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if err := theirs.Close(); err != nil {
		t.Fatal(err)
	}
	return c
}

// openTerminal opens both ends of a pseudo-terminal of 80 columns.
func openTerminal(t *testing.T) (ours, theirs *os.File) {
	t.Helper()
	ours, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatalf("no pseudo-terminal: %v", err)
	}
	t.Cleanup(func() { ours.Close() })
	fd := int(ours.Fd())
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	err = errors.Join(err, unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0),
		unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 25, Col: 80}))
	if err != nil {
		t.Fatalf("set the pseudo-terminal up: %v", err)
	}
	theirs, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	return ours, theirs
}

// until reads the terminal until a pattern shows.
func (c *child) until(t *testing.T, pattern string) {
	t.Helper()
	want := regexp.MustCompile(pattern)
	buffer := make([]byte, 4096)
	for !want.Match(c.drawn) {
		n, err := c.terminal.Read(buffer)
		c.drawn = append(c.drawn, buffer[:n]...)
		if err != nil {
			t.Fatalf("the program ended before it showed %q: %v\n%s", pattern, err, c.drawn)
		}
	}
}

// signal sends a signal.
func (c *child) signal(t *testing.T, s os.Signal) {
	t.Helper()
	if err := c.cmd.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}

// wait waits for the end and returns the exit code, -1 after a signal, and
// all that was drawn.
func (c *child) wait(t *testing.T) (code int, drawn string) {
	t.Helper()
	// Reading a terminal fails once nobody has its other end open.
	rest, err := io.ReadAll(c.terminal)
	if err != nil && !errors.Is(err, syscall.EIO) {
		t.Fatal(err)
	}
	var failed *exec.ExitError
	if err := c.cmd.Wait(); err != nil && !errors.As(err, &failed) {
		t.Fatal(err)
	}
	c.drawn = append(c.drawn, rest...)
	return c.cmd.ProcessState.ExitCode(), string(c.drawn)
}

// sleepy is a job of several seconds whose answer is 60.
func sleepy(data string) []string { return sleeping("60", data) }

const sleepyAnswer = "60\n"

// long is a job that does not end within a test.
func long(data string) []string { return sleeping("6000", data) }

func sleeping(units, data string) []string {
	return []string{"run", "sleep", units, "--duration", "100ms", "--dev", "--workers", "2", "--data", data}
}

// begun is drawn while some of a job is done: how much, a slow machine decides,
// which draws seldom.
const begun = `sleep +([1-9]\d?\.\d|0\.[1-9]) %`

// TestKillAndResume kills a run again and again, at moments that are spread
// over it, until one comes to the end. (L1: a crash loses nothing.)
func TestKillAndResume(t *testing.T) {
	data := t.TempDir()
	for kill, at := range []string{begun, ` [2-9]\d\.\d %`, ` [4-9]\d\.\d %`, ` [6-9]\d\.\d %`} {
		c := start(t, sleepy(data)...)
		c.until(t, at)
		c.signal(t, syscall.SIGKILL)
		code, drawn := c.wait(t)
		if code != -1 {
			t.Fatalf("kill %d came too late: exit code %d", kill, code)
		}
		if resumed := strings.Contains(drawn, "resuming j"); resumed != (kill > 0) {
			t.Errorf("run %d said: %s", kill, drawn)
		}
	}
	c := start(t, sleepy(data)...)
	code, drawn := c.wait(t)
	if code != 0 || c.stdout.String() != sleepyAnswer || !strings.Contains(drawn, "resuming j") {
		t.Fatalf("exit code %d, printed %q: %s", code, &c.stdout, drawn)
	}
	if strings.Contains(drawn, "sleep   0.0 %") {
		t.Errorf("it began from the start: %s", drawn)
	}
}

// TestNewBeginsAfresh shows that --new cancels what was unfinished.
func TestNewBeginsAfresh(t *testing.T) {
	data := t.TempDir()
	c := start(t, sleepy(data)...)
	c.until(t, begun)
	c.signal(t, syscall.SIGKILL)
	c.wait(t)

	c = start(t, append(sleepy(data), "--new")...)
	c.until(t, `cancelled j\w+, which was not finished`)
	if code, drawn := c.wait(t); code != 0 || c.stdout.String() != sleepyAnswer || strings.Contains(drawn, "resuming") {
		t.Fatalf("exit code %d, printed %q: %s", code, &c.stdout, drawn)
	}
}

// TestOthersDoNotWait shows that a large job that was left does not keep a
// small one of the same function waiting, and is still there afterwards.
func TestOthersDoNotWait(t *testing.T) {
	data := t.TempDir()
	c := start(t, long(data)...)
	c.until(t, begun)
	c.signal(t, syscall.SIGKILL)
	c.wait(t)

	c = start(t, "run", "sleep", "3", "--duration", "10ms", "--dev", "--data", data)
	code, drawn := c.wait(t)
	if code != 0 || c.stdout.String() != "3\n" || !strings.Contains(drawn, "other unfinished jobs in this directory: 1") {
		t.Fatalf("exit code %d, printed %q: %s", code, &c.stdout, drawn)
	}
	c = start(t, long(data)...)
	c.until(t, "resuming j")
	c.signal(t, syscall.SIGKILL)
	c.wait(t)
}

// TestInterrupt detaches by Ctrl-C and by SIGTERM: exit code 130, in order,
// and how to go on is said.
func TestInterrupt(t *testing.T) {
	for _, s := range []os.Signal{syscall.SIGINT, syscall.SIGTERM} {
		t.Run(s.String(), func(t *testing.T) {
			data := t.TempDir()
			c := start(t, long(data)...)
			c.until(t, begun)
			c.signal(t, s)
			code, drawn := c.wait(t)
			if code != polymath.ExitInterrupted || !strings.Contains(drawn, "the same command goes on") || c.stdout.Len() > 0 {
				t.Fatalf("exit code %d, printed %q: %s", code, &c.stdout, drawn)
			}
			if _, err := os.Stat(filepath.Join(data, "server.json")); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("server.json was left behind: %v", err)
			}
		})
	}
}

// TestSecondInterrupt shows that the second signal ends the program at once. It
// is stopped while both are sent, so that it finds them together, long before
// the first one could have led to an orderly end.
func TestSecondInterrupt(t *testing.T) {
	c := start(t, "run", "fail", "1", "--at", "0", "--how", "hang", "--dev", "--data", t.TempDir())
	c.until(t, `fail +0\.0 %`)
	c.signal(t, syscall.SIGSTOP)
	c.signal(t, syscall.SIGINT)
	c.signal(t, syscall.SIGTERM) // another number: two of one merge while they wait
	c.signal(t, syscall.SIGCONT)
	if code, drawn := c.wait(t); code != polymath.ExitInterrupted || strings.Contains(drawn, "detached") {
		t.Fatalf("exit code %d: %s", code, drawn)
	}
}

// TestTwoProcesses shows that a data directory has one user at a time, and
// that the other one is told who.
func TestTwoProcesses(t *testing.T) {
	data := t.TempDir()
	first := start(t, long(data)...)
	first.until(t, begun)
	second := start(t, "run", "add", "1", "2", "--data", data)
	want := fmt.Sprintf("the data directory %s is in use by process %d:", data, first.cmd.Process.Pid)
	if code, drawn := second.wait(t); code != polymath.ExitData || !strings.Contains(unwrapped(drawn), want) {
		t.Errorf("exit code %d: %s", code, drawn)
	}
	first.signal(t, syscall.SIGKILL)
	first.wait(t)
	third := start(t, "run", "add", "1", "2", "--data", data)
	if code, drawn := third.wait(t); code != 0 {
		t.Errorf("after the kill: exit code %d: %s", code, drawn)
	}
}

// unwrapped undoes what a terminal does to lines.
func unwrapped(text string) string { return strings.ReplaceAll(text, "\r\n", "\n") }

// TestNoPermission runs the program as somebody who may not use the directory.
func TestNoPermission(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("SKIPPED: only root can become somebody else to see a refusal")
	}
	home := t.TempDir()
	for dir := home; dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	binary := filepath.Join(home, "polymath")
	data, err := os.ReadFile(os.Args[0])
	if err == nil {
		err = os.WriteFile(binary, data, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	closed := filepath.Join(home, "closed")
	if code := (&program{args: []string{"run", "add", "1", "2", "--data", closed}}).run(t); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	for _, data := range []string{closed, filepath.Join(home, "new")} {
		cmd := exec.CommandContext(t.Context(), binary, "run", "add", "1", "2", "--data", data)
		cmd.Env = []string{asProgram + "=1"}
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		if err := cmd.Run(); cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != polymath.ExitData {
			t.Errorf("%s: %v: %s", data, err, &stderr)
		}
		if !strings.Contains(stderr.String(), "no permission for the data directory "+data) {
			t.Errorf("said %q", &stderr)
		}
	}
}

// TestDiskTooSmall runs on a disk without room for a journal: a clear end, and
// the same command works when the disk has grown.
func TestDiskTooSmall(t *testing.T) {
	disk := t.TempDir()
	if err := syscall.Mount("polymath-test", disk, "tmpfs", 0, "size=8m"); err != nil {
		t.Skipf("SKIPPED: a full disk: no file system can be mounted here: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(disk, 0); err != nil {
			t.Error(err)
		}
	})
	data := filepath.Join(disk, "data")
	args := []string{"run", "primes", "1e6", "--data", data}
	small := program{args: args}
	if code := small.run(t); code != polymath.ExitData || small.stdout.Len() > 0 ||
		!strings.Contains(small.stderr.String(), "no space left for the data directory "+data) {
		t.Errorf("exit code %d: %s", code, &small.stderr)
	}
	if err := syscall.Mount("polymath-test", disk, "tmpfs", syscall.MS_REMOUNT, "size=256m"); err != nil {
		t.Fatal(err)
	}
	large := program{args: args}
	if code := large.run(t); code != 0 || large.stdout.String() != "78498\n" {
		t.Errorf("exit code %d, printed %q: %s", code, &large.stdout, &large.stderr)
	}
}

// TestCertificateOnAFullDisk keeps a certificate where there is no room: the
// one that was there before stays, and the new one is in the answer.
func TestCertificateOnAFullDisk(t *testing.T) {
	disk := t.TempDir()
	if err := syscall.Mount("polymath-test", disk, "tmpfs", 0, "size=64k"); err != nil {
		t.Skipf("SKIPPED: a full disk: no file system can be mounted here: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(disk, 0); err != nil {
			t.Error(err)
		}
	})
	file := filepath.Join(disk, "count.json")
	args := func(to string) []string {
		return []string{"run", "primes", to, "--verify", "--certificate", file, "--data", t.TempDir()}
	}
	if code := (&program{args: args("1e6")}).run(t); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	before, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(disk, "filler"), make([]byte, 64<<10), 0o600); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("filling the disk: %v", err)
	}
	full := program{args: args("1e7")}
	if code := full.run(t); code == 0 || !strings.Contains(full.stdout.String(), `"count":664579`) ||
		!strings.Contains(full.stderr.String(), "no space left") {
		t.Errorf("exit code %d, printed %q: %s", code, &full.stdout, &full.stderr)
	}
	if after, err := os.ReadFile(file); err != nil || !bytes.Equal(before, after) {
		t.Errorf("the certificate before is %d bytes, not %d (%v)", len(after), len(before), err)
	}
}
