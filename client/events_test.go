package client_test

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/client"
	"github.com/polymath-run/polymath/internal/addresstest"
)

// TestFollow follows jobs of every end: the last that is said is that end, and
// progress never goes back (P1).
func TestFollow(t *testing.T) {
	c := dial(t, start(t, 2))
	for _, k := range []struct {
		request client.Request
		want    string
	}{
		{client.Request{Function: "primes", Input: `{"to":1e8}`}, "succeeded"},
		{client.Request{Function: "fail", Input: `{"units":3,"at":[1]}`, Attempts: 1}, "failed"},
	} {
		id := submit(t, c, k.request)
		for range 2 { // the second time it is over already
			state, done := "", uint64(0)
			for e, err := range c.Follow(t.Context(), id) {
				if err != nil {
					t.Fatal(err)
				}
				if e.Progress != nil {
					if state = e.Progress.State; uint64(e.Progress.Done) < done {
						t.Errorf("from %d back to %d", done, e.Progress.Done)
					}
					done = uint64(e.Progress.Done)
				}
				if e.Happened != nil && e.Happened.Subject != id.String() {
					t.Errorf("the stream of %v tells of %s", id, e.Happened.Subject)
				}
			}
			if state != k.want {
				t.Errorf("%s ended %q, want %q", k.request.Function, state, k.want)
			}
		}
	}
	for e, err := range c.Follow(t.Context(), polymath.JobID{Ref: polymath.Ref{Index: polymath.Index{Epoch: 1, Position: 9999}}}) {
		if polymath.CodeOf(err) != polymath.NotFound {
			t.Errorf("an unknown job: %v, %v", e, err)
		}
	}
}

// TestEventsOverRestarts reads a stream while the server is started again and
// again: everything is told, in order, once (P7).
func TestEventsOverRestarts(t *testing.T) {
	directory, address := t.TempDir(), addresstest.Free(t)
	s, err := serve(t.Context(), directory, address, 0)
	if err != nil {
		t.Fatal(err)
	}
	c := dial(t, s)

	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	told := make(chan string)
	go func() {
		defer close(told)
		for e, err := range c.Events(ctx, "0:0.0:0") {
			if err != nil {
				if polymath.CodeOf(err) != polymath.Interrupted {
					t.Error(err)
				}
				return
			}
			if e.Happened != nil && e.Happened.Type == "run.polymath.job.queued.v1" {
				told <- e.Happened.Subject
			}
		}
	}()
	for range 3 {
		for range 5 {
			id := submit(t, c, client.Request{Function: "add", Input: `{"a":1,"b":2}`})
			if got := <-told; got != id.String() {
				t.Fatalf("told of %s, submitted %v", got, id)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if s, err = serve(t.Context(), directory, address, 0); err != nil {
			t.Fatal(err)
		}
	}
	stop()
	for id := range told {
		t.Errorf("told of %s again", id)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// TestEventsResume reads on where another reader stopped.
func TestEventsResume(t *testing.T) {
	c := dial(t, start(t, 0))
	want := fmt.Sprint(submit(t, c, client.Request{Function: "add", Input: `{"a":1,"b":2}`}), submit(t, c, client.Request{Function: "add", Input: `{"a":2,"b":2}`}))
	var got []string
	for after := "0:0.0:0"; len(got) < 2; {
		for e, err := range c.Events(t.Context(), after) {
			if err != nil {
				t.Fatal(err)
			}
			if after = e.After; e.Happened != nil && e.Happened.Subject != "" {
				got = append(got, e.Happened.Subject)
			}
			break
		}
	}
	if strings.Join(got, " ") != want {
		t.Errorf("told of %v, want %v", got, want)
	}
	for _, err := range c.Events(t.Context(), "yesterday") {
		if polymath.CodeOf(err) != polymath.InvalidArgument {
			t.Errorf("after nonsense: %v", err)
		}
	}
}

// TestProblems reads what servers and proxies answer when they refuse.
func TestProblems(t *testing.T) {
	server := start(t, 0)
	for _, k := range []struct {
		name, media, body string
		status            int
		want              polymath.Code
		says              string
	}{
		{"a problem", "application/problem+json", `{"code":"rate_limited","detail":"too many"}`, 429, polymath.RateLimited, "too many"},
		{"a code of a newer server", "application/problem+json", `{"code":"novel","detail":"d"}`, 400, polymath.Internal, "d"},
		{"a page of a proxy", "text/html", "<h1>Bad Gateway</h1>", 502, polymath.Unavailable, "502 Bad Gateway"},
		{"half a problem", "application/problem+json", `{"code":`, 404, polymath.NotFound, "404 Not Found"},
		{"no JSON", "text/plain", "hello", 200, polymath.Internal, "no Polymath server"},
	} {
		t.Run(k.name, func(t *testing.T) {
			c := through(t, server.URL(), func(w http.ResponseWriter) {
				w.Header().Set("Content-Type", k.media)
				w.WriteHeader(k.status)
				_, _ = io.WriteString(w, k.body)
			})
			_, err := c.Stats(t.Context())
			if polymath.CodeOf(err) != k.want || !strings.Contains(err.Error(), k.says) {
				t.Errorf("%v, %v: want %v", polymath.CodeOf(err), err, k.want)
			}
		})
	}
}

// TestAnswersAreBounded: whatever answers, memory is not at its mercy.
func TestAnswersAreBounded(t *testing.T) {
	c := through(t, start(t, 0).URL(), func(w http.ResponseWriter) {
		spaces := make([]byte, 1<<20)
		for range 100 {
			if _, err := w.Write(spaces); err != nil {
				return // the reader has had enough
			}
		}
	})
	if _, err := c.Stats(t.Context()); polymath.CodeOf(err) != polymath.TooLarge {
		t.Errorf("%.300v", err)
	}
}

// through is a client of a proxy that answers /v1 itself.
func through(t *testing.T, server string, answer func(http.ResponseWriter)) *client.Client {
	t.Helper()
	var p http.Protocols
	p.SetUnencryptedHTTP2(true)
	onward := &http.Transport{Protocols: &p}
	proxy := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/v1/") {
			answer(w)
			return
		}
		ctx, stop := context.WithCancel(r.Context())
		defer stop()
		out := r.Clone(ctx)
		out.RequestURI, out.URL.Scheme, out.URL.Host, out.Host = "", "http", strings.TrimPrefix(server, "http://"), ""
		resp, err := onward.RoundTrip(out)
		if err != nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		defer resp.Body.Close()
		maps.Copy(w.Header(), resp.Header)
		w.WriteHeader(resp.StatusCode)
		control, buffer := http.NewResponseController(w), make([]byte, 4096)
		for {
			n, err := resp.Body.Read(buffer)
			_, _ = w.Write(buffer[:n])
			_ = control.Flush()
			if err != nil {
				return
			}
		}
	}))
	proxy.Config.Protocols = &p
	proxy.Start()
	c, err := client.Dial(t.Context(), proxy.URL, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Close()
		onward.CloseIdleConnections()
		proxy.CloseClientConnections()
		proxy.Close()
	})
	return c
}
