package app

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/function"
	"github.com/polymath-run/polymath/internal/function/all"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// open opens an App that is closed with the test.
func open(t *testing.T, path string) *App {
	t.Helper()
	a, err := Open(t.Context(), Options{Directory: path, Version: "test", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { shut(t, a) })
	return a
}

// shut closes an App that may be closed already.
func shut(t *testing.T, a *App) {
	t.Helper()
	if err := a.Close(); err != nil {
		t.Error(err)
	}
}

// request asks for a calculation by a function of the trial set.
func request(t *testing.T, name, input string) Request {
	t.Helper()
	f, err := all.Set(true).Get(name)
	if err != nil {
		t.Fatal(err)
	}
	canonical, plan, err := f.Plan([]byte(input))
	if err != nil {
		t.Fatal(err)
	}
	return Request{Tenant: "default", Spec: polymath.Spec{Function: name, Input: canonical, Plan: plan}}
}

// begin begins a calculation.
func begin(t *testing.T, a *App, r Request) Begun {
	t.Helper()
	b, err := a.Begin(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// finish works until a job is finished, and returns its result.
func finish(t *testing.T, a *App, id polymath.JobID) string {
	t.Helper()
	a.Work(all.Set(true), 2)
	job, err := a.Wait(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	if job.State != polymath.Succeeded {
		t.Fatalf("%v %v: %s", id, job.State, job.Error)
	}
	return string(job.Result)
}

// TestJournalIsMissing shows that a directory whose journal was deleted, or
// emptied, is refused and does not begin from nothing (L1).
func TestJournalIsMissing(t *testing.T) {
	for name, harm := range map[string]func(path string) error{
		"deleted":   os.Remove,
		"emptied":   func(path string) error { return os.Truncate(path, 0) },
		"the whole": func(path string) error { return os.RemoveAll(filepath.Dir(path)) },
	} {
		t.Run(name, func(t *testing.T) {
			path := t.TempDir()
			a := open(t, path)
			finish(t, a, begin(t, a, request(t, "sleep", `{"units":3,"duration":"1ms"}`)).Job)
			begin(t, a, request(t, "fail", `{"units":3}`)) // nobody works on it
			shut(t, a)
			files, err := filepath.Glob(filepath.Join(path, journalName, "*"))
			if err != nil || len(files) != 1 {
				t.Fatalf("the journal has %v, %v", files, err)
			}
			if err := harm(files[0]); err != nil {
				t.Fatal(err)
			}
			_, err = Open(t.Context(), Options{Directory: path, Log: slog.New(slog.DiscardHandler)})
			if polymath.CodeOf(err) != polymath.Damaged || !strings.Contains(err.Error(), "files of the journal are missing") {
				t.Errorf("opened with %v", err)
			}
		})
	}
}

// TestBegin shows which unfinished job is taken for the same calculation.
func TestBegin(t *testing.T) {
	const input = `{"units":3,"duration":"1ms"}`
	path := t.TempDir()
	a := open(t, path)
	first := begin(t, a, request(t, "sleep", input))
	if first.Resumed || first.Others != 0 {
		t.Fatalf("the first job: %+v", first)
	}
	for name, change := range map[string]func(*Request){
		"input":     func(r *Request) { *r = request(t, "sleep", `{"units":4}`) },
		"function":  func(r *Request) { *r = request(t, "fail", `{"units":3}`) },
		"tenant":    func(r *Request) { r.Tenant = "physics" },
		"queue":     func(r *Request) { r.Spec.Options.Queue = "night" },
		"priority":  func(r *Request) { r.Spec.Options.Priority = 1 },
		"attempts":  func(r *Request) { r.Spec.Options.Attempts = 2 },
		"skip dead": func(r *Request) { r.Spec.Options.SkipDead = true },
		"deadline":  func(r *Request) { r.Deadline = time.Hour },
	} {
		r := request(t, "sleep", input)
		change(&r)
		if b := begin(t, a, r); b.Resumed {
			t.Errorf("with another %s it was taken for %v", name, b.Job)
		} else if again := begin(t, a, r); !again.Resumed || again.Job != b.Job {
			t.Errorf("with the same %s it was not found: %+v", name, again)
		}
	}
	shut(t, a)

	a = open(t, path)
	// Another way to write the same input.
	again := begin(t, a, request(t, "sleep", `{"duration":"0.001s","units":"3"}`))
	if !again.Resumed || again.Job != first.Job || again.Others != 8 {
		t.Fatalf("after a restart: %+v, want %v and 8 others", again, first.Job)
	}
	if got := finish(t, a, first.Job); got != "3" {
		t.Errorf("the result is %s", got)
	}
	if b := begin(t, a, request(t, "sleep", input)); b.Resumed || b.Job == first.Job {
		t.Errorf("a finished job was resumed: %+v", b)
	}
}

// TestFresh cancels all unfinished jobs of the same calculation, and no other.
func TestFresh(t *testing.T) {
	a := open(t, t.TempDir())
	r := request(t, "sleep", `{"units":3}`)
	first := begin(t, a, r)
	other := begin(t, a, request(t, "sleep", `{"units":4}`))
	r.Fresh = true
	b := begin(t, a, r)
	if b.Resumed || len(b.Cancelled) != 1 || b.Cancelled[0] != first.Job || b.Others != 1 {
		t.Fatalf("a fresh one: %+v", b)
	}
	for id, want := range map[polymath.JobID]polymath.State{
		first.Job: polymath.Cancelled, other.Job: polymath.Queued, b.Job: polymath.Queued,
	} {
		if job, _, err := a.Job(id); err != nil || job.State != want {
			t.Errorf("%v is %v, want %v: %v", id, job.State, want, err)
		}
	}
}

// TestAhead shows that the job somebody waits for goes before those that were
// left, as far as priorities reach.
func TestAhead(t *testing.T) {
	a := open(t, t.TempDir())
	priority := func(units string, own int8, ahead bool) int8 {
		r := request(t, "sleep", `{"units":`+units+`}`)
		r.Spec.Options.Priority, r.Ahead = own, ahead
		job, _, err := a.Job(begin(t, a, r).Job)
		if err != nil {
			t.Fatal(err)
		}
		return job.Options.Priority
	}
	for _, c := range []struct {
		units string
		own   int8
		ahead bool
		want  int8
	}{
		{"1", 0, true, 0}, {"2", 0, true, 1}, {"3", 0, true, 2}, {"4", 0, false, 0}, {"5", 99, false, 99},
		{"6", 0, true, 100}, {"7", 0, true, 100}, {"8", -100, false, -100},
	} {
		if got := priority(c.units, c.own, c.ahead); got != c.want {
			t.Errorf("job %s has priority %d, want %d", c.units, got, c.want)
		}
	}
}

// TestWaitIsInterrupted lets go of a job that nobody works on.
func TestWaitIsInterrupted(t *testing.T) {
	a := open(t, t.TempDir())
	b := begin(t, a, request(t, "sleep", `{"units":3}`))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := a.Wait(ctx, b.Job); polymath.CodeOf(err) != polymath.Interrupted {
		t.Errorf("got %v", err)
	}
	if _, err := a.Wait(t.Context(), polymath.JobID{Ref: polymath.Ref{Index: polymath.Index{Epoch: 1, Position: 99}}}); polymath.CodeOf(err) != polymath.NotFound {
		t.Errorf("a job that never was: %v", err)
	}
}

// TestBeginIsInterrupted lets go before the job is acknowledged; whether it was
// taken or not, the next Begin has it.
func TestBeginIsInterrupted(t *testing.T) {
	a := open(t, t.TempDir())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r := request(t, "sleep", `{"units":3,"duration":"1ms"}`)
	if b, err := a.Begin(ctx, r); err != nil && polymath.CodeOf(err) != polymath.Interrupted {
		t.Fatalf("got %+v, %v", b, err)
	}
	if got := finish(t, a, begin(t, a, r).Job); got != "3" {
		t.Errorf("the result is %s", got)
	}
}

// TestFailureEndsWaiting shows that whoever waits hears why the App failed.
func TestFailureEndsWaiting(t *testing.T) {
	a := open(t, t.TempDir())
	b := begin(t, a, request(t, "sleep", `{"units":3}`))
	reason := errors.New("the disk is on fire")
	a.fail(reason)
	_, err := a.Wait(t.Context(), b.Job)
	if !errors.Is(err, reason) || polymath.CodeOf(err) != polymath.Damaged {
		t.Errorf("got %v", err)
	}
	select {
	case <-a.Failed():
	default:
		t.Error("Failed is not closed")
	}
}

// TestCheckpointIsRestored goes on from a checkpoint, and from the older one
// when the newest is damaged; when none is whole it says so.
func TestCheckpointIsRestored(t *testing.T) {
	path := t.TempDir()
	a := open(t, path)
	b := begin(t, a, request(t, "primes", `{"to":1e7}`))
	for range 2 {
		if err := a.node.Checkpoint(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	shut(t, a)
	files, err := filepath.Glob(filepath.Join(path, checkpointName, "*"))
	if err != nil || len(files) != 2 {
		t.Fatalf("checkpoints %q: %v", files, err)
	}

	damage(t, files[1])
	var log strings.Builder
	a, err = Open(t.Context(), Options{Directory: path, Log: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	if again := begin(t, a, request(t, "primes", `{"to":1e7}`)); !again.Resumed || again.Job != b.Job {
		t.Errorf("after the damage: %+v", again)
	}
	shut(t, a)
	if !strings.Contains(log.String(), filepath.Base(files[1])+" of index") {
		t.Errorf("the log says %s", &log)
	}

	damage(t, files[0])
	_, err = Open(t.Context(), Options{Directory: path, Log: slog.New(slog.DiscardHandler)})
	if polymath.CodeOf(err) != polymath.Damaged {
		t.Errorf("got %v", err)
	}
	for _, file := range files {
		if err == nil || !strings.Contains(err.Error(), filepath.Base(file)) {
			t.Errorf("%s is not named: %v", file, err)
		}
	}
}

// damage changes one bit in the middle of a file.
func damage(t *testing.T, path string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)/2] ^= 4
	if err := os.WriteFile(path, data, privateFile); err != nil {
		t.Fatal(err)
	}
}

// TestOneFunctionAtATime shows that a worker for one function leaves the jobs
// of others alone.
func TestOneFunctionAtATime(t *testing.T) {
	a := open(t, t.TempDir())
	left := begin(t, a, request(t, "sleep", `{"units":3}`))
	b := begin(t, a, request(t, "primes", `{"to":1e6}`))
	f, err := all.Set(true).Get("primes")
	if err != nil {
		t.Fatal(err)
	}
	a.Work(function.NewSet(f), 2)
	if job, err := a.Wait(t.Context(), b.Job); err != nil || string(job.Result) != "78498" {
		t.Fatalf("got %s: %v", job.Result, err)
	}
	if job, _, err := a.Job(left.Job); err != nil || job.State != polymath.Queued {
		t.Errorf("the other job is %v: %v", job.State, err)
	}
}
