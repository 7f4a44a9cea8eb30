package forward_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/api"
	"github.com/polymath-run/polymath/internal/balance/forward"
	"github.com/polymath-run/polymath/internal/balance/forward/forwardtest"
)

// wait is the longest a test waits for what must come.
const wait = 10 * time.Second

// handled serves a handler, and is what a Director picks.
func handled(t testing.TB, h http.HandlerFunc) *forward.Upstream {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return &forward.Upstream{Name: s.URL, Address: s.Listener.Addr().(*net.TCPAddr).AddrPort()}
}

// tellsHeader answers with the fields of the request.
func tellsHeader(w http.ResponseWriter, q *http.Request) {
	body, err := io.ReadAll(q.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"header": q.Header, "host": q.Host, "body": string(body)})
}

// told is what tellsHeader tells.
type told struct {
	Header http.Header
	Host   string
	Body   string
}

// newFront makes a front and serves with it. It is shut down after the test, which
// may have done so itself. Without a log in its options it has none.
func newFront(t testing.TB, o forward.Options) (*forward.Front, netip.AddrPort) {
	t.Helper()
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	f, err := forward.NewFront(o)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- f.Serve(l) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), wait)
		defer cancel()
		if err := f.Shutdown(ctx); err != nil {
			t.Errorf("shutdown: %v", err)
		}
		if err := <-served; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	return f, l.Addr().(*net.TCPAddr).AddrPort()
}

// dialFront connects to a front.
func dialFront(t testing.TB, address netip.AddrPort) (net.Conn, *bufio.Reader) {
	t.Helper()
	c, err := forwardtest.Dial(address, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c, bufio.NewReader(c)
}

// tell writes to a connection.
func tell(t testing.TB, c io.Writer, text string) {
	t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
}

// reading is an answer that was read.
type reading struct {
	StatusCode int
	Close      bool
}

// readWhole reads an answer, and its body.
func readWhole(t testing.TB, r *bufio.Reader) (reading, []byte) {
	t.Helper()
	a, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Body.Close()
	body, err := io.ReadAll(a.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reading{a.StatusCode, a.Close}, body
}

// mustEnd holds that a connection ends without a further byte.
func mustEnd(t testing.TB, r *bufio.Reader) {
	t.Helper()
	if text, err := io.ReadAll(r); len(text) > 0 || isTimeout(err) {
		t.Errorf("%q, %v, where the connection should end", text, err)
	}
}

func isTimeout(err error) bool {
	var n net.Error
	return errors.As(err, &n) && n.Timeout()
}

const plainGet = "GET /a HTTP/1.1\r\nHost: example.test\r\n\r\n"

// A header of the PROXY protocol is taken from those who are named, and is
// required of them; from anybody else it is no request (W12).
func TestFrontTakesProxyHeaders(t *testing.T) {
	u := handled(t, tellsHeader)
	named := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	id := forwardtest.NewIdentity(t)
	for _, c := range []struct {
		name, header, client string // "" as client: the connection ends
		networks             []netip.Prefix
		secure               bool
	}{
		{"version 1", "PROXY TCP4 9.8.7.6 1.2.3.4 1000 80\r\n", "9.8.7.6", named, false},
		{"version 2", signet + "\x21\x11\x00\x0c\x09\x08\x07\x06\x05\x06\x07\x08\x03\xe8\x00\x50", "9.8.7.6", named, false},
		{"IPv6", "PROXY TCP6 2001:db8::9 ::1 1000 80\r\n", "2001:db8::9", named, false},
		{"unknown", "PROXY UNKNOWN\r\n", "127.0.0.1", named, false},
		{"before TLS", "PROXY TCP4 9.8.7.6 1.2.3.4 1000 80\r\n", "9.8.7.6", named, true},
		{"missing", "", "", named, false},
		{"malformed", "PROXY TCP4 9.8.7.6 1.2.3.4 1000 99999\r\n", "", named, false},
		{"missing before TLS", "", "", named, true},
	} {
		o := forward.Options{Director: forwardtest.NewDirector(t, u), ProxyProtocol: c.networks}
		if c.secure {
			o.TLS = id.Server()
		}
		nc, r := dialFront(t, startFront(t, o))
		for _, b := range []byte(c.header) { // dribbled
			tell(t, nc, string(b))
		}
		if c.secure {
			secure := tls.Client(nc, id.Client())
			if err := secure.Handshake(); err != nil {
				if c.client != "" {
					t.Errorf("%s: %v", c.name, err)
				}
				continue
			}
			nc, r = secure, bufio.NewReader(secure)
		}
		tell(t, nc, plainGet)
		if c.client == "" {
			mustEnd(t, r)
			continue
		}
		_, body := readWhole(t, r)
		var got told
		if err := json.Unmarshal(body, &got); err != nil {
			t.Fatal(err)
		}
		if got.Header.Get("X-Forwarded-For") != c.client || got.Header.Get("X-Real-IP") != c.client {
			t.Errorf("%s: the upstream is told of %v, not %s", c.name, got.Header, c.client)
		}
	}
	others := forward.Options{Director: forwardtest.NewDirector(t, u), ProxyProtocol: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}
	nc, r := dialFront(t, startFront(t, others))
	tell(t, nc, "PROXY TCP4 9.8.7.6 1.2.3.4 1000 80\r\n"+plainGet)
	if a, _ := readWhole(t, r); a.StatusCode != http.StatusBadRequest {
		t.Errorf("a PROXY header of anybody is answered with %d", a.StatusCode)
	}
}

// What a proxy of ours says of those before it is kept and extended; what
// anybody else says is gone. It is the same for HTTP/1 and HTTP/2 (W11, W12).
func TestTrustedProxies(t *testing.T) {
	u := handled(t, tellsHeader)
	id := forwardtest.NewIdentity(t)
	loopback := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("10.0.0.0/8")}
	for _, c := range []struct {
		name                   string
		proxies                []netip.Prefix
		client, chain, scheme  string
		forwardedHost, element string
	}{
		{"trusted", loopback, "6.6.6.6", "5.5.5.5, 6.6.6.6, 10.1.1.1, 127.0.0.1", "gopher", "first.test", "for=5.5.5.5, for=127.0.0.1"},
		{"not trusted", nil, "127.0.0.1", "127.0.0.1", "https", "example.test", "for=127.0.0.1"},
	} {
		director := forwardtest.NewDirector(t, u)
		director.Ended = func(x *forward.Exchange) {
			if x.Client.String() != c.client {
				t.Errorf("%s: the Director is told of %v, not %s", c.name, x.Client, c.client)
			}
		}
		address := startFront(t, forward.Options{Director: director, Proxies: c.proxies, TLS: id.Server()})
		for _, protocol := range []string{"http/1.1", "h2"} {
			transport := &http.Transport{TLSClientConfig: id.Client(), Protocols: new(http.Protocols)}
			transport.Protocols.SetHTTP1(protocol == "http/1.1")
			transport.Protocols.SetHTTP2(protocol == "h2")
			q, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+address.String()+"/a", http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			q.Host = "example.test"
			q.Header = http.Header{
				"X-Forwarded-For": {"5.5.5.5, 6.6.6.6, 10.1.1.1"}, "X-Forwarded-Proto": {"gopher"}, "X-Forwarded-Host": {"first.test"},
				"X-Real-Ip": {"5.5.5.5"}, "Forwarded": {"for=5.5.5.5"},
			}
			a, err := transport.RoundTrip(q)
			if err != nil {
				t.Fatal(err)
			}
			var got told
			err = json.NewDecoder(a.Body).Decode(&got)
			a.Body.Close()
			transport.CloseIdleConnections()
			if err != nil {
				t.Fatal(err)
			}
			h := got.Header
			if h.Get("X-Forwarded-For") != c.chain || h.Get("X-Forwarded-Proto") != c.scheme || h.Get("X-Forwarded-Host") != c.forwardedHost {
				t.Errorf("%s, %s: %v", c.name, protocol, h)
			}
			if f := h.Get("Forwarded"); !strings.HasPrefix(f, c.element) || !strings.HasSuffix(f, "proto=https") {
				t.Errorf("%s, %s: Forwarded is %q", c.name, protocol, f)
			}
		}
	}
}

// A connection that somebody else has accepted goes on where it was left.
func TestFrontTakesConnections(t *testing.T) {
	f, _ := newFront(t, forward.Options{Director: forwardtest.NewDirector(t, handled(t, tellsHeader))})
	text := "POST /a HTTP/1.1\r\nHost: example.test\r\nContent-Length: 5\r\n\r\nhello"
	for early := range len(text) + 1 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		c, r := dialFront(t, l.Addr().(*net.TCPAddr).AddrPort())
		accepted, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		_ = l.Close()
		early := []byte(text[:early])
		f.Take(accepted, early)
		clear(early) // the bytes are the giver's again
		tell(t, c, text[len(early):])
		_, body := readWhole(t, r)
		var got told
		if err := json.Unmarshal(body, &got); err != nil || got.Body != "hello" {
			t.Fatalf("%d bytes early: %s", len(early), body)
		}
		_ = c.Close()
	}
}

// Both versions of HTTP come to one port without TLS, where that is asked for.
func TestCleartextHTTP2(t *testing.T) {
	start := func(t testing.TB, o forward.Options) netip.AddrPort {
		o.CleartextHTTP2 = true
		return startFront(t, o)
	}
	t.Run("HTTP2", func(t *testing.T) {
		forwardtest.Run(t, forwardtest.Path{Start: start, HTTP2: true, Few: true}, *seed)
	})
	t.Run("HTTP1", func(t *testing.T) { forwardtest.Run(t, forwardtest.Path{Start: start, Few: true}, *seed) })
	t.Run("not asked for", func(t *testing.T) {
		c, r := dialFront(t, startFront(t, forward.Options{Director: forwardtest.NewDirector(t)}))
		tell(t, c, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
		if a, _ := readWhole(t, r); a.StatusCode < 400 || !a.Close {
			t.Errorf("answered %d", a.StatusCode)
		}
	})
}

// Of an answer whose upstream ends behind the head a client of HTTP/2 gets the
// head, and then no end.
func TestHTTP2HeadOfACutAnswer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for c, err := l.Accept(); err == nil; c, err = l.Accept() {
			_, _ = http.ReadRequest(bufio.NewReader(c)) // it is the only one there is
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")
			_ = c.Close()
		}
	}()
	u := &forward.Upstream{Name: "dying", Address: l.Addr().(*net.TCPAddr).AddrPort()}
	address := startFront(t, forward.Options{Director: forwardtest.NewDirector(t, u), CleartextHTTP2: true})
	transport := &http.Transport{Protocols: new(http.Protocols)}
	transport.Protocols.SetUnencryptedHTTP2(true)
	defer transport.CloseIdleConnections()
	a, err := (&http.Client{Transport: transport, Timeout: wait}).Get("http://" + address.String() + "/")
	if err != nil {
		t.Fatal(err)
	}
	defer a.Body.Close()
	if _, err := io.ReadAll(a.Body); err == nil || a.StatusCode != http.StatusOK {
		t.Errorf("answered %d and an end, %v", a.StatusCode, err)
	}
}

// A refusal is written as the rest of the product writes problems.
func TestRefusalIsAProblem(t *testing.T) {
	for status, code := range map[int]polymath.Code{
		400: polymath.InvalidArgument, 401: polymath.Unauthenticated, 403: polymath.PermissionDenied, 404: polymath.NotFound,
		408: polymath.Timeout, 413: polymath.TooLarge, 429: polymath.RateLimited, 431: polymath.TooLarge,
		500: polymath.Internal, 502: polymath.Unavailable, 503: polymath.Unavailable, 504: polymath.Timeout,
	} {
		r := &forward.Refusal{Status: status, Title: "a \"title\"", Detail: "a detail", Header: "Retry-After: 1\r\n"}
		a, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(r.Append(nil, false, true))), nil)
		if err != nil {
			t.Fatal(err)
		}
		var p api.Problem
		err = json.NewDecoder(a.Body).Decode(&p)
		a.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		want := api.Problem{Type: code.Problem(), Code: code.String(), Status: status, Title: r.Title, Detail: r.Detail}
		if a.StatusCode != status || p != want || !a.Close || a.Header.Get("Retry-After") != "1" || a.Header.Get("Content-Type") != api.ProblemType {
			t.Errorf("%d: %v %+v", status, a.Header, p)
		}
		if text := r.Append(nil, true, false); !bytes.HasSuffix(text, []byte("\r\n\r\n")) || bytes.Contains(text, []byte("Connection")) {
			t.Errorf("%d to a HEAD: %q", status, text)
		}
	}
}

// A client that waits to be told to go on is not late: its upstream is.
func TestContinueOfASilentUpstream(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	u := &forward.Upstream{Name: "silent", Address: l.Addr().(*net.TCPAddr).AddrPort()}
	o := forward.Options{Director: forwardtest.NewDirector(t, u)}
	o.Timeouts.FirstByte, o.Timeouts.Body = 50*time.Millisecond, wait/2
	c, r := dialFront(t, startFront(t, o))
	tell(t, c, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
	if a, body := readWhole(t, r); a.StatusCode != http.StatusGatewayTimeout {
		t.Errorf("answered %d: %s", a.StatusCode, body)
	}
}

// More connections than may be wait for others to end.
func TestMaxConnections(t *testing.T) {
	address := startFront(t, forward.Options{Director: forwardtest.NewDirector(t, handled(t, tellsHeader)), MaxConnections: 2})
	var first net.Conn
	for i := range 2 {
		c, r := dialFront(t, address)
		tell(t, c, plainGet)
		readWhole(t, r)
		if i == 0 {
			first = c
		}
	}
	third, r := dialFront(t, address) // the backlog takes it
	tell(t, third, plainGet)
	_ = third.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	if _, err := r.Peek(1); !isTimeout(err) {
		t.Fatalf("a third connection is served: %v", err)
	}
	_ = third.SetReadDeadline(time.Now().Add(wait))
	_ = first.Close()
	if a, _ := readWhole(t, r); a.StatusCode != http.StatusOK {
		t.Errorf("answered %d", a.StatusCode)
	}
}

// More connections than may be wait for others to end, also where somebody else
// has accepted them, and none is lost when the front retires.
func TestTakeWaits(t *testing.T) {
	f, _ := newFront(t, forward.Options{Director: forwardtest.NewDirector(t, handled(t, tellsHeader)), MaxConnections: 1})
	take := func() (net.Conn, *bufio.Reader) {
		t.Helper()
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		c, r := dialFront(t, l.Addr().(*net.TCPAddr).AddrPort())
		nc, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		f.Take(nc, nil)
		return c, r
	}
	first, r := take()
	tell(t, first, plainGet)
	readWhole(t, r)
	second, r2 := take()
	tell(t, second, plainGet)
	_ = first.Close()
	if a, _ := readWhole(t, r2); a.StatusCode != http.StatusOK {
		t.Errorf("the second is answered %d", a.StatusCode)
	}
	third, r3 := take()
	tell(t, third, plainGet)
	f.Retire()
	if a, _ := readWhole(t, r3); a.StatusCode != http.StatusOK || !a.Close {
		t.Errorf("the third is answered %d, closing %v", a.StatusCode, a.Close)
	}
}

// What cannot be is refused when a front is made.
func TestFrontOptions(t *testing.T) {
	director := forwardtest.NewDirector(t)
	for name, o := range map[string]forward.Options{
		"no Director":        {},
		"negative bound":     {Director: director, MaxIdle: -1},
		"negative bound too": {Director: director, MaxConnections: -1},
		"negative timeout":   {Director: director, Timeouts: forward.Timeouts{Tunnel: -1}},
	} {
		if _, err := forward.NewFront(o); polymath.CodeOf(err) != polymath.InvalidArgument {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// loopbackConn is a pipe that comes from 127.0.0.1.
type loopbackConn struct{ net.Conn }

func (loopbackConn) RemoteAddr() net.Addr {
	return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1000}
}

// FuzzFront puts any bytes before a front: it answers nothing but refusals to
// what is no request, comes to an end, and keeps the Director's laws.
func FuzzFront(f *testing.F) {
	for _, c := range append(forwardtest.Smuggling(), forwardtest.BadChunks()...) {
		f.Add([]byte(c.Text), uint8(0))
	}
	f.Add([]byte(plainGet+"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n"+plainGet), uint8(9))
	f.Fuzz(func(t *testing.T, text []byte, early uint8) {
		director := forwardtest.NewDirector(t)
		director.Refuse = func(x *forward.Exchange) *forward.Refusal {
			return &forward.Refusal{Status: 429, Title: fmt.Sprintf("%.10q", x.Facts.Target())}
		}
		front, err := forward.NewFront(forward.Options{Director: director, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		near, far := net.Pipe()
		n := min(int(early), len(text))
		front.Take(loopbackConn{far}, text[:n])
		go func() {
			_, _ = near.Write(text[n:])
			_ = near.SetWriteDeadline(time.Now()) // the rest of nothing
		}()
		answers := make(chan int)
		go func() {
			r, n := bufio.NewReader(near), 0
			for {
				a, err := http.ReadResponse(r, nil)
				if err != nil {
					answers <- n
					return
				}
				_, _ = io.Copy(io.Discard, a.Body)
				a.Body.Close()
				if a.StatusCode < 400 {
					t.Errorf("answered %d", a.StatusCode)
				}
				n++
			}
		}()
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
		defer cancel()
		begun := time.Now()
		_ = front.Shutdown(ctx) // where a request is not whole it waits for the rest
		if took := time.Since(begun); took > wait {
			t.Errorf("Shutdown took %v", took)
		}
		_ = near.Close()
		<-answers
		director.Settled(t)
	})
}
