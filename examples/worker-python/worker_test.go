// Package python holds the worker in Python to what it says of itself.
package python

import (
	"bufio"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/client"
	"github.com/polymath-run/polymath/internal/addresstest"
	"github.com/polymath-run/polymath/internal/app"
	"github.com/polymath-run/polymath/internal/function/all"
)

// TestWorker has a server calculate what only the worker can, fail what it
// cannot, and lose it in order, whoever ends it (P3).
func TestWorker(t *testing.T) {
	for _, end := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		t.Run(end.String(), func(t *testing.T) { work(t, end) })
	}
}

func work(t *testing.T, end os.Signal) {
	s := serve(t, t.TempDir(), "127.0.0.1:0")
	defer s.Close()
	c := dial(t, s)
	cmd := worker(t, s.URL(), os.Stderr)
	joined(t, c)
	for range 3 {
		answer, err := c.Run(t.Context(), client.Request{Function: "reverse", Input: `{"items":["abc","xy","<&>"]}`})
		if err != nil || string(answer) != `["cba","yx",">&<"]` {
			t.Errorf("%s, %v", answer, err)
		}
	}
	if _, err := c.Run(t.Context(), client.Request{Function: "reverse", Input: `{"items":[1]}`, Attempts: 1}); polymath.CodeOf(err) != polymath.JobFailed {
		t.Errorf("a number cannot be reversed, but: %v", err)
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

// TestWorkerWaitsForItsServer starts the worker before the server, has the
// server go away and come back, and finds the worker at work each time (P3).
func TestWorkerWaitsForItsServer(t *testing.T) {
	address := addresstest.Free(t)
	stderr, to := io.Pipe()
	worker(t, "http://"+address, to)
	said := bufio.NewScanner(stderr)
	if !said.Scan() || !strings.HasPrefix(said.Text(), "the connection broke, joining again: ") {
		t.Fatalf("it said %q", said.Text())
	}
	go func() { _, _ = io.Copy(io.Discard, stderr) }()
	directory := t.TempDir()
	for again := range 2 {
		s := serve(t, directory, address)
		c := dial(t, s)
		for { // until it has joined
			if _, err := c.Function(t.Context(), "reverse"); polymath.CodeOf(err) != polymath.NotFound {
				break
			}
		}
		answer, err := c.Run(t.Context(), client.Request{Function: "reverse", Input: `{"items":["abc"]}`})
		c.Close()
		if err != nil || string(answer) != `["cba"]` {
			t.Errorf("after %d restarts: %s, %v", again, answer, err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestWorkerIsRefused has a server that will not have the worker: it says why.
func TestWorkerIsRefused(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusConflict)
		_, _ = io.WriteString(w, `{"detail":"reverse is another function here"}`)
	}))
	defer s.Close()
	var stderr strings.Builder
	err := worker(t, s.URL, &stderr).Wait()
	if err == nil || !strings.HasPrefix(stderr.String(), "the server refuses this worker: ") || !strings.Contains(stderr.String(), "reverse is another function here") {
		t.Errorf("%v, and it said %q", err, &stderr)
	}
}

// TestWorkerMeetsSomethingElse has no stack of Python shown to who gives the URL of
// something else, or none.
func TestWorkerMeetsSomethingElse(t *testing.T) {
	s := httptest.NewServer(http.NotFoundHandler())
	defer s.Close()
	for url, want := range map[string]string{
		s.URL:            "the server refuses this worker: HTTP Error 404: Not Found: 404 page not found\n\n",
		"127.0.0.1:8080": "usage: python3 worker.py URL\n",
	} {
		var stderr strings.Builder
		if err := worker(t, url, &stderr).Wait(); err == nil || stderr.String() != want {
			t.Errorf("%s: %v, and it said %q", url, err, &stderr)
		}
	}
}

// worker starts the worker.
func worker(t *testing.T, url string, stderr io.Writer) *exec.Cmd {
	t.Helper()
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("SKIPPED: the worker in Python: there is no python3 here")
	}
	cmd := exec.CommandContext(t.Context(), python, "worker.py", url)
	cmd.Stderr = stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd
}

// serve starts a server without workers of its own.
func serve(t *testing.T, directory, address string) *app.Server {
	t.Helper()
	s, err := app.Serve(t.Context(), app.ServerOptions{
		Options: app.Options{Directory: directory, Log: slog.New(slog.DiscardHandler)},
		Listen:  []string{address}, Functions: all.Set(false),
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func dial(t *testing.T, s *app.Server) *client.Client {
	t.Helper()
	c, err := client.Dial(t.Context(), s.URL(), client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// joined waits until a worker has joined.
func joined(t *testing.T, c *client.Client) {
	t.Helper()
	for e, err := range c.Events(t.Context(), "0:0.0:0") {
		if err != nil {
			t.Fatal(err)
		}
		if e.Happened != nil && e.Happened.Type == "run.polymath.worker.joined.v1" {
			return
		}
	}
}
