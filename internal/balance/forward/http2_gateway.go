package forward

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/netip"
	"net/textproto"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/polymath-run/polymath/internal/balance/descriptor"
	"github.com/polymath-run/polymath/internal/balance/http1"
)

// gateway asks an upstream of HTTP/2. To a conn it is an upstream of HTTP/1: at
// the other end of each pipe that dial gives, requests are read and told again
// through the standard library's transport.
type gateway struct {
	transport *http.Transport
	base      url.URL
	live      sync.WaitGroup
	open      atomic.Int64 // pipes whose requests are told
	ctx       context.Context
	quit      context.CancelFunc
}

// gatePipe is a pipe to a gateway. It knows why the gateway ended it.
type gatePipe struct {
	net.Conn
	unreached atomic.Bool // no connection to the upstream came about
	short     atomic.Bool // for want of anything to make one of
}

// newGateway makes the gateway of a pool. Its connections carry requests of
// many clients, so a PROXY header of theirs names none.
func newGateway(p *pool, o *Options) *gateway {
	g := &gateway{}
	g.ctx, g.quit = context.WithCancel(context.Background())
	t := &http.Transport{
		DisableCompression: true, Protocols: new(http.Protocols), TLSClientConfig: p.conf,
		TLSHandshakeTimeout: o.Timeouts.Connect, IdleConnTimeout: o.Timeouts.Idle, MaxResponseHeaderBytes: http1.MaxHead,
		ExpectContinueTimeout: time.Second,
		HTTP2:                 &http.HTTP2Config{WriteByteTimeout: o.Timeouts.Write},
	}
	t.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
		nc, err := p.dialer.DialContext(ctx, "tcp", p.u.Address.String())
		if err != nil || p.u.Proxy == 0 {
			return nc, err
		}
		if _, err := nc.Write(AppendProxyHeader(nil, p.u.Proxy, netip.AddrPort{}, netip.AddrPort{})); err != nil {
			_ = nc.Close()
			return nil, err
		}
		return nc, nil
	}
	g.base = url.URL{Scheme: "http", Host: p.u.Address.String()}
	if p.conf != nil {
		g.base.Scheme = "https"
		t.Protocols.SetHTTP2(true)
	} else {
		t.Protocols.SetUnencryptedHTTP2(true)
	}
	g.transport = t
	return g
}

// dial gives a connection.
func (g *gateway) dial() net.Conn {
	near, far := net.Pipe()
	p := &gatePipe{Conn: near}
	g.open.Add(1)
	g.live.Go(func() {
		defer g.open.Add(-1)
		defer func() { _ = far.Close() }()
		stop := context.AfterFunc(g.ctx, func() { _ = far.Close() })
		defer stop()
		g.serve(far, p)
	})
	return p
}

// close ends all connections, and waits for those who used them.
func (g *gateway) close() {
	g.quit()
	g.live.Wait()
	g.transport.CloseIdleConnections()
}

// serve tells the requests of one pipe again.
func (g *gateway) serve(far net.Conn, p *gatePipe) {
	r := bufio.NewReaderSize(far, bodyBuffer)
	for {
		q, err := http.ReadRequest(r)
		if err != nil || !g.tell(far, r, q, p) {
			return
		}
	}
}

// tell tells one request, and reports whether another may follow.
func (g *gateway) tell(far net.Conn, r *bufio.Reader, q *http.Request, p *gatePipe) bool {
	w := bufio.NewWriterSize(far, bodyBuffer)
	var mu sync.Mutex // of w, until the final answer
	connected := false
	trace := &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { connected = true },
		Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
			if code == http.StatusContinue {
				return nil // the body is asked for where it is read
			}
			mu.Lock()
			defer mu.Unlock()
			return writeHead(w, code, http.Header(h), nil)
		},
	}
	ctx, cancel := context.WithCancel(httptrace.WithClientTrace(g.ctx, trace))
	defer cancel()
	out, body := g.request(ctx, q, func() {
		mu.Lock()
		defer mu.Unlock()
		_ = writeHead(w, http.StatusContinue, nil, nil)
	})
	if n := q.ContentLength; n > 0 && n <= int64(r.Buffered()) {
		// All of it is here: the transport may tell it again where a server that
		// ends has not taken it.
		text := make([]byte, n)
		if _, err := io.ReadFull(body, text); err != nil {
			return false
		}
		body.ended.Store(true)
		out.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(text)), nil }
		out.Body, _ = out.GetBody() // it cannot fail
	}
	look := gateLook{in: r, left: cancel}
	if body.over = look.begin; body.whole() {
		look.begin()
	}
	a, err := g.transport.RoundTrip(out)
	if err != nil {
		p.short.Store(descriptor.IsShort(err))
		p.unreached.Store(!connected)
		_ = far.Close()
		look.end()
		return false
	}
	defer func() { _ = a.Body.Close() }()
	mu.Lock()
	err = g.answer(w, a, q.Method)
	mu.Unlock()
	if err != nil {
		_ = far.Close()
	} else {
		_ = far.SetReadDeadline(time.Unix(1, 0))
	}
	look.end()
	_ = far.SetReadDeadline(time.Time{})
	return err == nil && body.whole()
}

// request makes the request for the transport.
func (g *gateway) request(ctx context.Context, q *http.Request, ask func()) (*http.Request, *gateBody) {
	body := &gateBody{Reader: q.Body, none: q.ContentLength == 0 && len(q.TransferEncoding) == 0}
	if strings.EqualFold(q.Header.Get("Expect"), "100-continue") {
		body.ask = ask
	}
	u := g.base
	path, query, asks := strings.Cut(q.RequestURI, "?")
	u.Opaque, u.RawQuery, u.ForceQuery = path, query, asks
	if q.RequestURI == "*" || strings.HasPrefix(q.RequestURI, "//") {
		u.Opaque, u.Path, u.RawPath = "", q.URL.Path, q.URL.RawPath
		if strings.HasPrefix(q.RequestURI, "//") {
			u.Path, u.RawPath = path, ""
			if plain, err := url.PathUnescape(path); err == nil {
				u.Path, u.RawPath = plain, path
			}
		}
	}
	h := q.Header
	h.Del("Connection")
	if _, ok := h["User-Agent"]; !ok {
		h["User-Agent"] = []string{""} // else the transport names itself
	}
	out := &http.Request{
		Method: q.Method, URL: &u, Host: q.Host, Header: h, ContentLength: q.ContentLength, Trailer: q.Trailer, Body: body,
	}
	if body.none {
		out.Body = http.NoBody
	}
	return out.WithContext(ctx), body
}

// answer writes an answer of the transport in HTTP/1.
func (g *gateway) answer(w *bufio.Writer, a *http.Response, method string) error {
	chunked := a.ContentLength < 0 && method != http.MethodHead && a.StatusCode != http.StatusNoContent && a.StatusCode != http.StatusNotModified
	err := writeHead(w, a.StatusCode, a.Header, func() {
		switch {
		case chunked:
			_, _ = w.WriteString("Transfer-Encoding: chunked\r\n")
		case a.ContentLength == 0 && a.Header.Get("Content-Length") == "" && method != http.MethodHead && a.StatusCode >= 200 &&
			a.StatusCode != http.StatusNoContent && a.StatusCode != http.StatusNotModified:
			_, _ = w.WriteString("Content-Length: 0\r\n")
		}
		if chunked && len(a.Trailer) > 0 {
			_, _ = w.WriteString("Trailer: " + strings.Join(slices.Sorted(maps.Keys(a.Trailer)), ", ") + "\r\n")
		}
	})
	if err != nil || method == http.MethodHead {
		return err
	}
	if chunked {
		return writeChunks(w, a.Body, func() http.Header { return a.Trailer })
	}
	n, err := io.Copy(w, a.Body)
	if err == nil && a.ContentLength > 0 && n < a.ContentLength {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		_ = w.Flush() // what came goes on
		return err
	}
	return w.Flush()
}

// writeHead writes the head of an answer.
func writeHead(w *bufio.Writer, status int, h http.Header, framing func()) error {
	_, _ = w.WriteString("HTTP/1.1 " + strconv.Itoa(status) + " " + http.StatusText(status) + "\r\n")
	for name, values := range h {
		if name == "Connection" || name == "Transfer-Encoding" || name == "Trailer" {
			continue
		}
		for _, value := range values {
			_, _ = w.WriteString(name + ": " + value + "\r\n")
		}
	}
	if framing != nil {
		framing()
	}
	_, _ = w.WriteString("\r\n")
	return w.Flush()
}

// gateLook looks, from the end of a request to that of its answer, whether who
// asks is still there: nothing comes from him meanwhile but his leaving.
type gateLook struct {
	in   *bufio.Reader
	left func() // called where he is not
	live sync.WaitGroup

	mu           sync.Mutex
	begun, ended bool
}

// begin begins to look, once, unless it is over.
func (l *gateLook) begin() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.begun || l.ended {
		return
	}
	l.begun = true
	l.live.Go(func() {
		if _, err := l.in.Peek(1); err != nil && !isTimeout(err) {
			l.left()
		}
	})
}

// end waits until nobody looks any more, which a deadline in the past or the end
// of the pipe brings about.
func (l *gateLook) end() {
	l.mu.Lock()
	l.ended = true
	l.mu.Unlock()
	l.live.Wait()
}

// gateBody is a request's body on its way to the transport.
type gateBody struct {
	io.Reader
	ask   func() // says 100 before the first Read; nil where nobody waits for it
	over  func() // called at its end; nil: nobody waits for that
	none  bool
	ended atomic.Bool
}

// Read implements io.Reader.
func (b *gateBody) Read(p []byte) (int, error) {
	if b.ask != nil {
		b.ask()
		b.ask = nil
	}
	n, err := b.Reader.Read(p)
	if err == io.EOF {
		b.ended.Store(true)
		if b.over != nil {
			b.over()
		}
	}
	return n, err
}

// Close implements io.Closer.
func (*gateBody) Close() error { return nil }

// whole reports whether all of it was read.
func (b *gateBody) whole() bool { return b.none || b.ended.Load() }
