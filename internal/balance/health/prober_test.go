package health

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"
)

// fakeBoard hands out targets once, and tells what became of them.
type fakeBoard struct {
	mu      sync.Mutex
	due     []Target
	under   int
	busiest int
	checked chan string
	dropped chan string
}

func newBoard(due ...Target) *fakeBoard {
	return &fakeBoard{due: due, checked: make(chan string, 100), dropped: make(chan string, 100)}
}

func (b *fakeBoard) Due(most int) ([]Target, time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := min(most, len(b.due))
	out := b.due[:n]
	b.due = b.due[n:]
	b.under += n
	b.busiest = max(b.busiest, b.under)
	return out, 0
}

func (b *fakeBoard) end() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.under--
}

func (b *fakeBoard) Checked(_ *Target, why string) { b.end(); b.checked <- why }
func (b *fakeBoard) Dropped(t *Target)             { b.end(); b.dropped <- t.Path }

// server starts one and gives the target of it.
func server(t *testing.T, start func(s *httptest.Server), h http.HandlerFunc) Target {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	start(s)
	t.Cleanup(s.Close)
	target := Target{
		Address: netip.MustParseAddrPort(s.Listener.Addr().String()),
		Path:    "/health_check", From: 200, To: 399, Timeout: 10 * time.Second,
	}
	if s.TLS != nil {
		roots := x509.NewCertPool()
		roots.AddCert(s.Certificate())
		target.TLS, target.Host = &tls.Config{RootCAs: roots}, "example.com"
	}
	return target
}

func plain(s *httptest.Server)  { s.Start() }
func secure(s *httptest.Server) { s.StartTLS() }
func http2(s *httptest.Server)  { s.EnableHTTP2 = true; s.StartTLS() }
func h2c(s *httptest.Server) {
	s.Config.Protocols = &http.Protocols{}
	s.Config.Protocols.SetUnencryptedHTTP2(true)
	s.Start()
}

// once runs one check and gives what was wrong.
func once(t *testing.T, target Target) string {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	b := newBoard(target)
	ended := make(chan struct{})
	go func() { (&Prober{Board: b}).Run(ctx); close(ended) }()
	why := <-b.checked
	cancel()
	<-ended
	return why
}

// TestProberAsks speaks to real servers in every way a target may be spoken to
// (D2, D4).
func TestProberAsks(t *testing.T) {
	answer := func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/health_check" || r.Method != http.MethodGet || !strings.Contains(r.UserAgent(), "polymath") {
			w.WriteHeader(http.StatusTeapot)
		}
		if r.TLS != nil && r.Host != "example.com" {
			w.WriteHeader(http.StatusMisdirectedRequest)
		}
	}
	status := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(code)
		}
	}
	major := func(want int) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if r.ProtoMajor != want {
				w.WriteHeader(http.StatusHTTPVersionNotSupported)
			}
		}
	}
	second := func(t Target) Target { t.HTTP2 = true; return t }
	connect := func(t Target) Target { t.Path = ""; return t }
	untrusted := func(t Target) Target { t.TLS = &tls.Config{}; return t }
	for _, c := range []struct {
		name   string
		target Target
		want   string // part of what is wrong; "": well
	}{
		{"plain", server(t, plain, answer), ""},
		{"secure", server(t, secure, answer), ""},
		{"HTTP/2", second(server(t, http2, major(2))), ""},
		{"h2c", second(server(t, h2c, major(2))), ""},
		{"connect", connect(server(t, plain, status(500))), ""},
		{"connect secure", connect(server(t, secure, status(500))), ""},
		{"not trusted", untrusted(server(t, secure, answer)), "certificate"},
		{"connect, not trusted", connect(untrusted(server(t, secure, answer))), "certificate"},
		{"redirect is not followed", server(t, plain, status(302)), ""},
		{"503", server(t, plain, status(503)), "GET /health_check gave status 503, healthy are 200 to 399"},
		{"404", server(t, plain, status(404)), "status 404"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := once(t, c.target); c.want == "" && got != "" || !strings.Contains(got, c.want) {
				t.Errorf("it says %q, want %q", got, c.want)
			}
		})
	}
}

// TestProberMeetsTheDead: nobody listens, or somebody who never answers.
func TestProberMeetsTheDead(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	target := Target{Address: netip.MustParseAddrPort(listener.Addr().String()), Path: "/", From: 200, To: 299, Timeout: 50 * time.Millisecond}
	if got := once(t, target); got != "no answer within 50ms" { // the kernel takes the connection, nobody else
		t.Errorf("of a server that never answers it says %q", got)
	}
	listener.Close()
	target.Timeout = 10 * time.Second
	if got := once(t, target); !strings.Contains(got, "refused") {
		t.Errorf("of a closed port it says %q", got)
	}
}

// TestLateConnectionIsClosed: one of HTTP/2 that comes about after its check was
// given up has nobody to close it, and does not stay (D5).
func TestLateConnectionIsClosed(t *testing.T) {
	states := make(chan http.ConnState, 10)
	target := server(t, func(s *httptest.Server) {
		s.Config.ConnState = func(_ net.Conn, state http.ConnState) { states <- state }
		http2(s)
	}, func(http.ResponseWriter, *http.Request) { t.Error("the check goes on") })
	target.HTTP2 = true
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan struct{})
	trace := &httptrace.ClientTrace{TLSHandshakeDone: func(tls.ConnectionState, error) {
		cancel() // just before the connection can be used
		<-ended
	}}
	b := newBoard(target)
	go func() { (&Prober{Board: b}).Run(httptrace.WithClientTrace(ctx, trace)); close(ended) }()
	<-ended
	if len(b.dropped) != 1 {
		t.Error("the check was not given up")
	}
	limit := time.After(10 * time.Second)
	for _, want := range []http.ConnState{http.StateNew, http.StateActive, http.StateIdle, http.StateClosed} {
		select {
		case got := <-states:
			if got != want {
				t.Fatalf("the connection is %v, want %v", got, want)
			}
		case <-limit:
			t.Fatalf("the connection does not become %v", want)
		}
	}
}

// TestProberSaysHello: where upstreams want a PROXY protocol header, checks begin
// with one as well.
func TestProberSaysHello(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	got := make(chan string, 1)
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			got <- err.Error()
			return
		}
		defer conn.Close()
		text := make([]byte, len("PROXY UNKNOWN\r\nGET / HTTP/1.1\r\n"))
		_, err = io.ReadFull(conn, text)
		if err == nil {
			_, err = io.WriteString(conn, "HTTP/1.1 204 No Content\r\n\r\n")
		}
		if err != nil {
			got <- err.Error()
			return
		}
		got <- string(text)
	}()
	why := once(t, Target{
		Address: netip.MustParseAddrPort(listener.Addr().String()), Preface: "PROXY UNKNOWN\r\n",
		Path: "/", From: 200, To: 299, Timeout: 10 * time.Second,
	})
	if text := <-got; why != "" || text != "PROXY UNKNOWN\r\nGET / HTTP/1.1\r\n" {
		t.Errorf("it sent %q and says %q", text, why)
	}
}

// TestProberIsBounded: so many at once and no more; what is under way when it
// stops is given up, and counts for nothing.
func TestProberIsBounded(t *testing.T) {
	arrived, free := make(chan struct{}), make(chan struct{})
	target := server(t, plain, func(_ http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		select {
		case <-free:
		case <-r.Context().Done():
		}
	})
	due := make([]Target, 10)
	for i := range due {
		due[i] = target
	}
	b := newBoard(due...)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { (&Prober{Board: b, Checks: 3}).Run(ctx); close(ended) }()
	for range 3 {
		<-arrived
	}
	for range 7 { // one is answered, and one more begins
		free <- struct{}{}
		if why := <-b.checked; why != "" {
			t.Errorf("a check says %q", why)
		}
		<-arrived
	}
	cancel()
	<-ended
	if len(b.dropped) != 3 || len(b.checked) != 0 || b.busiest != 3 || b.under != 0 {
		t.Errorf("%d dropped, %d more answered, %d at once at most, %d under way: want 3, 0, 3, 0",
			len(b.dropped), len(b.checked), b.busiest, b.under)
	}
}
