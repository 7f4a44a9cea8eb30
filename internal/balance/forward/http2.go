package forward

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/polymath-run/polymath/internal/balance/http1"
)

// http2Streams is how many requests a client may have under way on one
// connection.
const http2Streams = 250

// http2Front is the standard library's server of HTTP/2. Each stream becomes an
// HTTP/1 exchange on a pipe, whose other end is a conn: what a request may be,
// and what becomes of it, is the same for all clients.
type http2Front struct {
	f      *Front
	server *http.Server
	queue  chan net.Conn
	quit   chan struct{}
	once   sync.Once
	serves sync.WaitGroup

	mu    sync.Mutex
	conns map[net.Conn]*http2Conn
}

// http2Conn is a connection that the server has.
type http2Conn struct {
	owner *conn
	ended chan struct{}
}

func newHTTP2Front(f *Front) *http2Front {
	h := &http2Front{f: f, queue: make(chan net.Conn), quit: make(chan struct{}), conns: map[net.Conn]*http2Conn{}}
	h.server = &http.Server{
		Handler: h, IdleTimeout: f.o.Timeouts.KeepAlive, ReadHeaderTimeout: f.o.Timeouts.Head, MaxHeaderBytes: http1.MaxHead,
		ErrorLog: slog.NewLogLogger(f.o.Log.Handler(), slog.LevelDebug), // what clients do wrong
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams: http2Streams, WriteByteTimeout: f.o.Timeouts.Write,
		},
		Protocols: new(http.Protocols), DisableGeneralOptionsHandler: true,
		ConnState: h.state,
		ConnContext: func(ctx context.Context, nc net.Conn) context.Context {
			h.mu.Lock()
			defer h.mu.Unlock()
			return context.WithValue(ctx, ownerKey{}, h.conns[nc].owner)
		},
	}
	h.server.Protocols.SetHTTP2(true)
	h.server.Protocols.SetUnencryptedHTTP2(f.o.CleartextHTTP2)
	h.serves.Go(func() { _ = h.server.Serve(h) })
	return h
}

// ownerKey finds the conn of a request.
type ownerKey struct{}

// take serves a connection as HTTP/2 until it ends, and reports true.
func (h *http2Front) take(c *conn) bool {
	nc := c.nc
	if _, secure := nc.(*tls.Conn); !secure {
		nc = &earlyConn{Conn: nc, early: c.in}
	}
	_ = nc.SetDeadline(time.Time{})
	entry := &http2Conn{owner: c, ended: make(chan struct{})}
	h.mu.Lock()
	h.conns[nc] = entry
	h.mu.Unlock()
	select {
	case h.queue <- nc:
		<-entry.ended
	case <-h.quit:
		h.forget(nc)
	}
	return true
}

// state hears of connections that have ended.
func (h *http2Front) state(nc net.Conn, s http.ConnState) {
	if s == http.StateClosed {
		h.forget(nc)
	}
}

func (h *http2Front) forget(nc net.Conn) {
	h.mu.Lock()
	entry := h.conns[nc]
	delete(h.conns, nc)
	h.mu.Unlock()
	if entry != nil {
		close(entry.ended)
	}
}

// Accept implements net.Listener: it gives the server what take was given.
func (h *http2Front) Accept() (net.Conn, error) {
	select {
	case nc := <-h.queue:
		return nc, nil
	case <-h.quit:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (h *http2Front) Close() error {
	h.once.Do(func() { close(h.quit) })
	return nil
}

// Addr implements net.Listener; nobody listens here.
func (*http2Front) Addr() net.Addr { return &net.TCPAddr{} }

// drain tells clients to open no further streams, and waits for those there are.
func (h *http2Front) drain(ctx context.Context) { _ = h.server.Shutdown(ctx) }

// close ends every connection.
func (h *http2Front) close() {
	_ = h.server.Close()
	_ = h.Close()
	h.serves.Wait()
}

// ServeHTTP makes an HTTP/1 exchange of a stream.
func (h *http2Front) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	owner, _ := q.Context().Value(ownerKey{}).(*conn)
	head, why := streamHead(q)
	if owner == nil || why != http1.Fine {
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(h.f.o.Timeouts.Write))
		refuseStream(w, h.f.o.refusals.malformed[why])
		return
	}
	near, far := net.Pipe()
	c := newConn(h.f, &streamConn{Conn: far}, nil)
	c.peer, c.local, c.scheme, c.version, c.stream = owner.peer, owner.local, owner.scheme, 20, true
	var live sync.WaitGroup
	live.Go(c.serve)
	live.Go(func() {
		// Where the pipe has ended, what came through it is still to be read.
		if err := sendStream(near, q, head); err != nil && !errors.Is(err, io.ErrClosedPipe) {
			_ = near.Close()
		}
	})
	stop := context.AfterFunc(q.Context(), func() { _ = near.Close() })
	whole := h.receive(near, w, q)
	stop()
	_ = near.Close()
	_ = q.Body.Close() // lets go who reads it
	live.Wait()
	if !whole || c.nc.(*streamConn).severed.Load() {
		panic(http.ErrAbortHandler) // a reset, in place of an end
	}
}

// streamConn is the inner end of a pipe that a stream comes through.
type streamConn struct {
	net.Conn
	severed atomic.Bool // its answer was cut, where only its end could say so
}

// streamHead is the head of a stream's request in HTTP/1. What could not be
// told apart from other bytes there is refused here; the rest is the parser's
// affair.
func streamHead(q *http.Request) ([]byte, http1.Reason) {
	for _, word := range []string{q.Method, q.RequestURI, q.Host} {
		if strings.ContainsFunc(word, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
			return nil, http1.BadTarget
		}
	}
	if host, ok := q.Header["Host"]; ok && (len(host) > 1 || host[0] != q.Host) {
		return nil, http1.OtherHost
	}
	if length, ok := q.Header["Content-Length"]; ok && (len(length) > 1 || length[0] != strconv.FormatInt(q.ContentLength, 10)) {
		return nil, http1.BadLength
	}
	b := append(append(append([]byte(nil), q.Method...), ' '), q.RequestURI...)
	b = append(b, " HTTP/1.1\r\n"...)
	if q.Host != "" {
		b = append(append(append(b, "Host: "...), q.Host...), "\r\n"...)
	}
	for name, values := range q.Header {
		switch name {
		case "Host", "Connection", "Transfer-Encoding", "Content-Length", "Trailer", "Upgrade", "Expect":
			continue // HTTP/2 says these otherwise, or not at all
		}
		for _, value := range values {
			if strings.ContainsAny(name, "\r\n\x00: ") || strings.ContainsAny(value, "\r\n\x00") {
				return nil, http1.Control
			}
			b = append(append(append(append(b, name...), ": "...), value...), "\r\n"...)
		}
	}
	return append(appendFraming(b, q), "\r\n"...), http1.Fine
}

// appendFraming appends the fields that say how the end of a stream's body is
// known.
func appendFraming(b []byte, q *http.Request) []byte {
	if q.ContentLength >= 0 {
		if q.ContentLength == 0 && q.Header.Get("Content-Length") == "" {
			return b
		}
		b = strconv.AppendInt(append(b, "Content-Length: "...), q.ContentLength, 10)
		return append(b, "\r\n"...)
	}
	b = append(b, "Transfer-Encoding: chunked\r\n"...)
	if len(q.Trailer) == 0 {
		return b
	}
	names := slices.Sorted(maps.Keys(q.Trailer))
	return append(append(append(b, "Trailer: "...), strings.Join(names, ", ")...), "\r\n"...)
}

// sendStream writes a stream's request to a pipe.
func sendStream(to io.Writer, q *http.Request, head []byte) error {
	if q.ContentLength >= 0 {
		if _, err := to.Write(head); err != nil {
			return err
		}
		_, err := io.CopyBuffer(onlyWriter{to}, q.Body, make([]byte, min(q.ContentLength+1, bodyBuffer)))
		return err
	}
	w := bufio.NewWriterSize(to, bodyBuffer)
	_, _ = w.Write(head) // the first Flush tells
	if err := w.Flush(); err != nil {
		return err
	}
	return writeChunks(w, q.Body, func() http.Header { return q.Trailer })
}

// onlyWriter hides what else a writer can do.
type onlyWriter struct{ io.Writer }

// writeChunks writes a body in chunks as it comes, and the trailer it has then.
func writeChunks(w *bufio.Writer, body io.Reader, trailer func() http.Header) error {
	buffer := make([]byte, bodyBuffer)
	for {
		n, err := body.Read(buffer)
		if n > 0 {
			_, _ = w.WriteString(strconv.FormatInt(int64(n), 16) + "\r\n")
			_, _ = w.Write(buffer[:n])
			_, _ = w.WriteString("\r\n")
			if err := w.Flush(); err != nil {
				return err
			}
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
	}
	_, _ = w.WriteString("0\r\n")
	for name, values := range trailer() {
		for _, value := range values {
			if !strings.ContainsAny(name+value, "\r\n\x00") {
				_, _ = w.WriteString(name + ": " + value + "\r\n")
			}
		}
	}
	_, _ = w.WriteString("\r\n")
	return w.Flush()
}

// receive writes what comes from a pipe as the stream's answer, and
// reports whether it came whole.
func (h *http2Front) receive(from net.Conn, w http.ResponseWriter, q *http.Request) bool {
	r := bufio.NewReaderSize(from, bodyBuffer)
	for {
		a, err := http.ReadResponse(r, q) //nolint:bodyclose // answer closes it; an interim answer has none
		if err != nil {
			return false
		}
		if a.StatusCode < http.StatusOK {
			if a.StatusCode != http.StatusContinue { // the server's own affair
				copyHeader(w.Header(), a.Header)
				w.WriteHeader(a.StatusCode)
				clear(w.Header())
			}
			continue
		}
		return h.answer(w, a, r)
	}
}

// answer writes the final answer. With one of a front that is retired the client
// is told to open no further streams; those there are go on.
func (h *http2Front) answer(w http.ResponseWriter, a *http.Response, r *bufio.Reader) bool {
	defer func() { _ = a.Body.Close() }()
	head := w.Header()
	head["Date"], head["Content-Type"] = nil, nil // the upstream's, or none
	copyHeader(head, a.Header)
	for name := range a.Trailer {
		head.Add("Trailer", name)
	}
	if h.f.retired.Load() {
		head.Set("Connection", "close")
	}
	w.WriteHeader(a.StatusCode)
	out := http.NewResponseController(w)
	var until time.Time // of who gives no room on his stream, and takes all else
	if a.ContentLength < 0 {
		_ = out.Flush() // else a short body gets a length
	}
	buffer := make([]byte, bodyBuffer)
	for {
		n, err := a.Body.Read(buffer)
		if n > 0 {
			lazily(&until, h.f.o.Timeouts.Write, out.SetWriteDeadline)
			if _, err := w.Write(buffer[:n]); err != nil {
				return false
			}
			if r.Buffered() == 0 && err == nil {
				_ = out.Flush() // nothing more waits here
			}
		}
		if err == io.EOF {
			maps.Copy(head, a.Trailer)
			return true
		}
		if err != nil {
			_ = out.Flush() // what came is the client's; the end is not
			return false
		}
	}
}

// copyHeader adds the fields of an answer, less those of a connection.
func copyHeader(to, from http.Header) {
	for name, values := range from {
		switch name {
		case "Connection", "Keep-Alive", "Transfer-Encoding", "Upgrade", "Proxy-Connection":
		default:
			to[name] = append([]string(nil), values...)
		}
	}
}

// refuseStream writes a refusal that no exchange has.
func refuseStream(w http.ResponseWriter, r *Refusal) {
	h := w.Header()
	h.Set("Content-Type", "application/problem+json")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(r.Status)
	_, _ = w.Write(r.Body()) // nobody is there to hear of a failure
}
