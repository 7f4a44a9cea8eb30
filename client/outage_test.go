package client

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/app"
	"github.com/polymath-run/polymath/internal/function/all"
)

// follow starts a server, and is about to follow a job there that nobody works on.
func follow(t *testing.T) (*app.Server, *follower) {
	t.Helper()
	s, err := app.Serve(t.Context(), app.ServerOptions{
		Options: app.Options{Directory: t.TempDir(), Log: slog.New(slog.DiscardHandler)},
		Listen:  []string{"127.0.0.1:0"}, Functions: all.Set(true),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	c, err := Dial(t.Context(), s.URL(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	id, err := c.Submit(t.Context(), Request{Function: "add", Input: `{"a":1,"b":2}`})
	if err != nil {
		t.Fatal(err)
	}
	return s, &follower{client: c, path: jobPath(id) + "/events", job: true, outage: maxOutage, silence: maxSilence}
}

// TestOutage: a stream is given up when the server stays away, and says so.
func TestOutage(t *testing.T) {
	s, f := follow(t)
	var last error
	f.outage = 200 * time.Millisecond
	f.yield = func(e Event, err error) bool {
		if e.Progress != nil { // it stands: now the server goes
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		}
		last = err
		return true
	}
	f.run(t.Context())
	if polymath.CodeOf(last) != polymath.Unavailable || !strings.Contains(last.Error(), "does not answer") {
		t.Errorf("%v", last)
	}
}

// TestSilence: a stream that says nothing is opened again.
func TestSilence(t *testing.T) {
	_, f := follow(t)
	opened := 0
	f.silence = 200 * time.Millisecond
	f.yield = func(e Event, err error) bool {
		if err != nil {
			t.Error(err)
		}
		if e.Progress != nil { // how each stream begins; nobody works on the job
			opened++
		}
		return opened < 3
	}
	f.run(t.Context())
	if opened != 3 {
		t.Errorf("it was opened %d times", opened)
	}
}
