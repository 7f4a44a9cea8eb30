package telemetry

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// write sends what the other side may no longer want.
func write(w io.Writer, s string) { _, _ = io.WriteString(w, s) }

func silent() *slog.Logger { return slog.New(slog.DiscardHandler) }

// site answers in all the ways there are.
func site() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /job/{id}", func(w http.ResponseWriter, _ *http.Request) { write(w, "a job") })
	mux.HandleFunc("GET /nothing", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("GET /hint", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusEarlyHints)
		w.WriteHeader(http.StatusTeapot)
	})
	mux.HandleFunc("GET /broken", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusInternalServerError) })
	mux.HandleFunc("GET /full", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "full", http.StatusServiceUnavailable) })
	mux.HandleFunc("GET /late", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "late", http.StatusGatewayTimeout) })
	mux.HandleFunc("GET /file", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.Copy(w, strings.NewReader("a file")) })
	mux.HandleFunc("GET /panic", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	mux.HandleFunc("GET /events", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
		write(w, "data: 1\n\n")
		w.(http.Flusher).Flush()
		if err := http.NewResponseController(w).Flush(); err != nil {
			write(w, err.Error())
		}
	})
	mux.HandleFunc("GET /taken", func(w http.ResponseWriter, _ *http.Request) {
		c, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		write(c, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\nhello")
		_ = c.Close()
	})
	return mux
}

// TestHTTP: requests are counted by pattern and code, never by path, and only
// those that end by themselves are timed.
func TestHTTP(t *testing.T) {
	for _, c := range []struct {
		path, route, code, body string
		timed                   bool
	}{
		{"/job/1", "GET /job/{id}", "200", "a job", true},
		{"/job/2?secret=x", "GET /job/{id}", "200", "a job", true},
		{"/nothing", "GET /nothing", "200", "", true},
		{"/hint", "GET /hint", "418", "", true},
		{"/broken", "GET /broken", "500", "no\n", true},
		{"/full", "GET /full", "503", "full\n", true},
		{"/late", "GET /late", "504", "late\n", true},
		{"/file", "GET /file", "200", "a file", true},
		{"/unknown", "unmatched", "404", "404 page not found\n", true},
		{"/panic", "GET /panic", "aborted", "", true},
		{"/events", "GET /events", "200", "data: 1\n\n", false},
		{"/taken", "GET /taken", "101", "hello", false},
	} {
		t.Run(c.path, func(t *testing.T) {
			m := New("1.2.3")
			var log bytes.Buffer
			counted := m.HTTP(site(), slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})),
				plainPath)
			over := make(chan struct{})
			s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				defer close(over)
				counted.ServeHTTP(w, r)
			}))
			s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
			s.Start()
			body := get(t, s.Listener.Addr().String(), c.path)
			<-over // a server does not wait for who took its connection over
			s.Close()
			if body != c.body {
				t.Errorf("body %q, want %q", body, c.body)
			}
			text := scrape(t, m)
			samples(t, text, fmt.Sprintf(`polymath_http_requests_total{code=%q,route=%q} 1`, c.code, c.route), `polymath_http_requests_in_flight 0`)
			if timed := strings.Contains(text, fmt.Sprintf(`polymath_http_request_duration_seconds_count{route=%q} 1`, c.route)); timed != c.timed {
				t.Errorf("timed: %v, want %v", timed, c.timed)
			}
			level := map[bool]string{false: "level=DEBUG", true: "level=WARN"}[c.code == "500" || c.code == "aborted"]
			if got := log.String(); !strings.Contains(got, level) || !strings.Contains(got, "code="+c.code) || strings.Contains(got, "secret") {
				t.Errorf("logged %s", got)
			}
		})
	}
}

// TestStreams: a stream is seen while it is open, and in how many there were.
func TestStreams(t *testing.T) {
	for kind, contentType := range map[string]string{
		"events": "text/event-stream", "calls": "application/connect+proto", "": "application/json",
	} {
		m := New("1.2.3")
		h := m.HTTP(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", contentType)
			for range 2 {
				w.(http.Flusher).Flush()
			}
			for _, k := range []string{"events", "calls", "upgraded"} {
				open := map[bool]int{true: 1}[k == kind]
				samples(t, scrape(t, m), fmt.Sprintf(`polymath_http_streams{kind=%q} %d`, k, open))
			}
		}), silent(), plainPath)
		for range 2 {
			h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", http.NoBody))
		}
		for _, k := range []string{"events", "calls", "upgraded"} {
			opened := map[bool]int{true: 2}[k == kind]
			samples(t, scrape(t, m), fmt.Sprintf(`polymath_http_streams{kind=%q} 0`, k),
				fmt.Sprintf(`polymath_http_streams_opened_total{kind=%q} %d`, k, opened))
		}
	}
}

// get is one request on a connection of its own, and what comes after its
// head. A connection that is taken over is no answer to http.Client.
func get(t *testing.T, address, path string) string {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	write(c, "GET "+path+" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
	in := bufio.NewReader(c)
	r, err := http.ReadResponse(in, nil)
	for err == nil && r.StatusCode == http.StatusEarlyHints {
		_ = r.Body.Close()
		r, err = http.ReadResponse(in, nil)
	}
	if err != nil {
		return "" // broke off
	}
	defer func() { _ = r.Body.Close() }()
	body, err := io.ReadAll(r.Body)
	if r.StatusCode == http.StatusSwitchingProtocols {
		body, err = io.ReadAll(in)
	}
	if err != nil {
		t.Errorf("%s: %v", path, err)
	}
	return string(body)
}

// BenchmarkHTTP is what counting adds to a request.
func BenchmarkHTTP(b *testing.B) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /job/{id}", func(http.ResponseWriter, *http.Request) {})
	r := httptest.NewRequest(http.MethodGet, "/job/1", nil)
	for name, h := range map[string]http.Handler{"bare": mux, "counted": New("1").HTTP(mux, silent(), plainPath)} {
		b.Run(name, func(b *testing.B) {
			w := httptest.NewRecorder()
			b.ReportAllocs()
			for b.Loop() {
				h.ServeHTTP(w, r)
			}
		})
	}
}

func plainPath(r *http.Request) string { return r.URL.Path }
