package forwardtest

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/polymath-run/polymath/internal/balance/forward"
)

// patience is the longest any test waits for what must come.
const patience = 20 * time.Second

// Behind is what the upstreams of a path speak.
type Behind uint8

// What upstreams speak.
const (
	Plain    Behind = iota // HTTP/1.1
	Secure                 // HTTP/1.1 over TLS
	H2C                    // HTTP/2 over plain TCP, with prior knowledge
	Secure2                // HTTP/2 over TLS
	Proxied1               // HTTP/1.1 after a PROXY protocol header, version 1
	Proxied2               // the same, version 2
)

// Seen is a request as an upstream got it.
type Seen struct {
	Method  string
	Target  string
	Host    string
	Length  int64 // -1: not told
	Fields  http.Header
	Body    []byte
	Trailer http.Header
	Client  netip.AddrPort // of the PROXY header, where one came
}

// Server is an upstream that answers each request as its exchange says.
type Server struct {
	Upstream *forward.Upstream
	Address  netip.AddrPort

	t      testing.TB
	behind Behind
	stop   func()
	live   sync.WaitGroup
	cases  sync.Map // of *running, by id

	Strays   atomic.Int64 // requests nobody sent, or that are none
	Accepted atomic.Int64 // connections

	smuggled atomic.Int64 // of the strays, those of the corpus

	mu    sync.Mutex
	conns map[net.Conn]struct{}
}

// running is one exchange under way.
type running struct {
	e    *Exchange
	seen chan Seen
}

// NewServer starts an upstream; the test's end stops it.
func NewServer(t testing.TB, behind Behind, id *Identity) *Server {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().(*net.TCPAddr).AddrPort()
	s := &Server{t: t, Address: address, behind: behind, conns: map[net.Conn]struct{}{}}
	s.Upstream = &forward.Upstream{
		Name: "http://" + address.String(), Address: address, HTTP2: behind == H2C || behind == Secure2,
	}
	switch behind {
	case Secure, Secure2:
		s.Upstream.TLS = id.Client()
	case Proxied1:
		s.Upstream.Proxy = 1
	case Proxied2:
		s.Upstream.Proxy = 2
	}
	if behind == H2C || behind == Secure2 {
		s.serve2(l, id)
	} else {
		if behind == Secure {
			l = tls.NewListener(l, id.Server("http/1.1"))
		}
		s.stop = func() { _ = l.Close() }
		s.live.Go(func() { s.accept(l) })
	}
	t.Cleanup(s.Stop)
	return s
}

// Stop ends the server and every connection of it.
func (s *Server) Stop() {
	s.stop()
	s.Drop()
	s.live.Wait()
}

// Drop ends every connection.
func (s *Server) Drop() {
	s.mu.Lock()
	for c := range s.conns {
		_ = c.Close()
	}
	s.mu.Unlock()
}

// Leave ends this side of every connection. Each is gone when the other side has
// heard of it, and ended it, too.
func (s *Server) Leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		_ = c.(interface{ CloseWrite() error }).CloseWrite()
	}
}

// Open tells how many connections there are.
func (s *Server) Open() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.conns)
}

// expect announces an exchange; forget takes it away again.
func (s *Server) expect(id string, e *Exchange) *running {
	r := &running{e: e, seen: make(chan Seen, 4)}
	s.cases.Store(id, r)
	return r
}

func (s *Server) forget(id string) { s.cases.Delete(id) }

func (s *Server) find(h http.Header) *running {
	if v, ok := s.cases.Load(h.Get(caseField)); ok {
		return v.(*running)
	}
	if h.Get(caseField) == smuggled {
		s.smuggled.Add(1)
	}
	s.stray("a request nobody sent: %v", h)
	return nil
}

// stray counts what should not have come.
func (s *Server) stray(format string, args ...any) {
	s.Strays.Add(1)
	s.t.Logf("upstream: "+format, args...)
}

// accept serves HTTP/1 connections until the listener is closed.
func (s *Server) accept(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		s.Accepted.Add(1)
		s.mu.Lock()
		s.conns[c] = struct{}{}
		s.mu.Unlock()
		s.live.Go(func() {
			s.connection(c)
			_ = c.Close()
			s.mu.Lock()
			delete(s.conns, c)
			s.mu.Unlock()
		})
	}
}

// connection answers the requests of one connection.
func (s *Server) connection(c net.Conn) {
	r := bufio.NewReaderSize(c, 64<<10)
	var client netip.AddrPort
	if s.behind == Proxied1 || s.behind == Proxied2 {
		var err error
		if client, err = readProxyHeader(r, s.behind); err != nil {
			s.stray("PROXY header: %v", err)
			return
		}
	}
	for {
		q, err := http.ReadRequest(r)
		if err != nil {
			if !errors.Is(err, io.EOF) && !errors.Is(err, net.ErrClosed) && !isReset(err) {
				s.smuggled.Add(1)
				s.stray("no request: %v", err)
			}
			return
		}
		run := s.find(q.Header)
		if run == nil {
			_, _ = io.WriteString(c, "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
			return
		}
		if run.e.Answer.Status == http.StatusSwitchingProtocols {
			run.seen <- seenOf(q, nil, client)
			upgraded(c, r, &run.e.Answer)
			return
		}
		if !s.answer(c, q, run, client) {
			return
		}
	}
}

// upgraded answers 101 and gives back what comes, in capitals, until a '.'.
func upgraded(c net.Conn, r *bufio.Reader, a *Answer) {
	head := appendFields([]byte("HTTP/1.1 101 Switching Protocols\r\n"), a.Fields)
	head = append(append(head, "\r\n"...), a.Body...)
	if _, err := c.Write(head); err != nil {
		return
	}
	for {
		b, err := r.ReadByte()
		if err != nil || b == '.' {
			return
		}
		if _, err := c.Write([]byte(strings.ToUpper(string(b)))); err != nil {
			return
		}
	}
}

// answer answers one request, and reports whether the connection goes on.
func (s *Server) answer(c net.Conn, q *http.Request, run *running, client netip.AddrPort) bool {
	a := &run.e.Answer
	old := q.ProtoMinor == 0
	if !old {
		for _, i := range a.Interim {
			head := fmt.Appendf(nil, "HTTP/1.1 %d %s\r\n", i.Status, http.StatusText(i.Status))
			if _, err := c.Write(append(appendFields(head, i.Fields), "\r\n"...)); err != nil {
				return false
			}
		}
	}
	text, ends := a.text(run.e, old)
	ends = ends || q.Close
	send := func() bool {
		for _, p := range pieces(text, a.Pieces) {
			if _, err := c.Write(p); err != nil {
				return false
			}
		}
		return true
	}
	if a.Early {
		if !send() {
			return false
		}
		run.seen <- seenOf(q, nil, client)
		if ends {
			linger(c, q.Body)
			return false
		}
		_, err := io.Copy(io.Discard, q.Body)
		return err == nil
	}
	body, err := io.ReadAll(q.Body)
	if err != nil {
		return false
	}
	run.seen <- seenOf(q, body, client)
	if !s.open(c, a.Gate) {
		return false
	}
	if a.Raw != "" {
		_, _ = io.WriteString(c, a.Raw)
		return false
	}
	if !send() || a.Cut > 0 {
		return false
	}
	if ends {
		linger(c, nil)
	}
	return !ends
}

// open waits for a gate; the connection's end, or the server's, ends the wait.
func (s *Server) open(c net.Conn, gate chan struct{}) bool {
	if gate == nil {
		return true
	}
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		var b [1]byte
		_, _ = c.Read(b[:]) // what a client of the suite sends next it sends after the answer
	}()
	select {
	case <-gate:
		_ = c.SetReadDeadline(time.Unix(1, 0))
		<-gone
		_ = c.SetReadDeadline(time.Time{})
		return true
	case <-gone:
		return false
	}
}

// linger lets the answer arrive before the connection is closed.
func linger(c net.Conn, body io.Reader) {
	if half, ok := c.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	}
	_ = c.SetReadDeadline(time.Now().Add(patience))
	if body != nil {
		_, _ = io.Copy(io.Discard, body)
	}
	_, _ = io.Copy(io.Discard, c)
}

// text is the answer in HTTP/1, and whether the connection ends with it.
func (a *Answer) text(e *Exchange, old bool) (text []byte, ends bool) {
	framing := a.Framing
	if old && framing == ByChunks {
		framing = UntilClose
	}
	ends = a.Leave || framing == UntilClose || old
	b := fmt.Appendf(nil, "HTTP/1.1 %d %s\r\n", a.Status, http.StatusText(a.Status))
	b = appendFields(b, a.Fields)
	if ends {
		b = append(b, "Connection: close\r\n"...)
	}
	if a.Status == 204 || a.Status == 304 && framing != ByLength {
		return append(b, "\r\n"...), ends
	}
	head := len(b)
	b = appendBody(b, framing, a.Body, a.Trailer)
	end := strings.Index(string(b[head:]), "\r\n\r\n") + head + 4
	if framing == Bare || framing == UntilClose {
		end = head + 2
	}
	if e.bodiless() {
		b = b[:end]
	}
	if a.Cut > 0 {
		b = b[:min(len(b), end+a.Cut)]
	}
	return b, ends
}

// seenOf notes a request.
func seenOf(q *http.Request, body []byte, client netip.AddrPort) Seen {
	s := Seen{
		Method: q.Method, Target: q.RequestURI, Host: q.Host, Length: q.ContentLength,
		Fields: q.Header.Clone(), Body: body, Trailer: q.Trailer.Clone(), Client: client,
	}
	if len(s.Target) > 7 && strings.EqualFold(s.Target[:7], "http://") {
		_, path, _ := strings.Cut(s.Target[7:], "/")
		s.Target = "/" + path
	}
	return s
}

// serve2 serves HTTP/2.
func (s *Server) serve2(l net.Listener, id *Identity) {
	server := &http.Server{Handler: http.HandlerFunc(s.handle2), ErrorLog: quiet(), ReadHeaderTimeout: patience, DisableGeneralOptionsHandler: true}
	server.Protocols = new(http.Protocols)
	if s.behind == H2C {
		server.Protocols.SetUnencryptedHTTP2(true)
	} else {
		server.Protocols.SetHTTP2(true)
		server.TLSConfig = id.Server("h2")
	}
	server.ConnState = func(c net.Conn, state http.ConnState) {
		s.mu.Lock()
		defer s.mu.Unlock()
		switch state {
		case http.StateNew:
			s.Accepted.Add(1)
			s.conns[c] = struct{}{}
		case http.StateClosed, http.StateHijacked:
			delete(s.conns, c)
		}
	}
	s.stop = func() { _ = server.Close() }
	s.live.Go(func() {
		if s.behind == H2C {
			_ = server.Serve(l)
		} else {
			_ = server.ServeTLS(l, "", "")
		}
	})
}

// handle2 answers a request of HTTP/2.
func (s *Server) handle2(w http.ResponseWriter, q *http.Request) {
	run := s.find(q.Header)
	if run == nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	a := &run.e.Answer
	for _, i := range a.Interim {
		if i.Status == http.StatusContinue {
			continue // the server's own affair in HTTP/2
		}
		for _, f := range i.Fields {
			w.Header().Add(f.Name, f.Value)
		}
		w.WriteHeader(i.Status)
		clear(w.Header())
	}
	var body []byte
	if !a.Early {
		var err error
		if body, err = io.ReadAll(q.Body); err != nil {
			return
		}
	}
	run.seen <- seenOf(q, body, netip.AddrPort{})
	if a.Gate != nil {
		select {
		case <-a.Gate:
		case <-q.Context().Done():
			return
		}
	}
	a.write2(w, run.e)
}

// write2 sends an answer through the standard library, and nothing of its own.
func (a *Answer) write2(w http.ResponseWriter, e *Exchange) {
	w.Header()["Date"], w.Header()["Content-Type"] = nil, nil
	for _, f := range a.Fields {
		if !slices.Contains([]string{"Connection", "Keep-Alive", "X-Hop"}, f.Name) {
			w.Header().Add(f.Name, f.Value)
		}
	}
	for _, f := range a.Trailer {
		w.Header().Add("Trailer", f.Name)
	}
	if a.Framing == ByLength && a.Status != 204 {
		w.Header().Set("Content-Length", strconv.Itoa(len(a.Body)))
	}
	w.WriteHeader(a.Status)
	if e.bodiless() {
		return
	}
	if a.Framing != ByLength {
		_ = http.NewResponseController(w).Flush() // else a short body gets a length
	}
	body := a.Body
	if a.Cut > 0 {
		body = body[:min(len(body), a.Cut)]
	}
	for _, p := range pieces(body, a.Pieces) {
		_, _ = w.Write(p)
		if a.Framing != ByLength {
			_ = http.NewResponseController(w).Flush()
		}
	}
	if a.Cut > 0 {
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
	for _, f := range a.Trailer {
		w.Header().Set(f.Name, f.Value)
	}
}
