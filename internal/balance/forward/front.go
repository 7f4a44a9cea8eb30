package forward

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/polymath-run/polymath/internal/balance/descriptor"
)

// Front serves clients with a goroutine for each connection: HTTP/1 over TCP or
// TLS by code of our own, HTTP/2 by the standard library's server, whose every
// stream becomes an HTTP/1 exchange inside.
//
//	              ┌─► conn ──────────────┐
//	listener ─────┤                      ├─► pools ──► upstreams
//	event loop ───┘   HTTP/2 ─► conn ────┘      └─ gateway ─► HTTP/2 upstreams
type Front struct {
	o     Options
	trust Trust
	pools pools
	slots chan struct{} // one for each client's connection
	few   descriptor.Bound
	dials context.Context
	leave context.CancelFunc
	http2 *http2Front
	spare sync.Pool // of *[]byte, bodyBuffer bytes each

	retired  atomic.Bool    // connections end with their next answers
	retiring chan struct{}  // closed then
	draining atomic.Bool    // and those that are idle at once; nobody new is taken
	live     sync.WaitGroup // goroutines of connections, and the reaper
	left     chan struct{}  // has one when a connection, or Serve, has ended that was the last

	mu        sync.Mutex
	conns     map[*conn]struct{}
	listeners map[net.Listener]struct{}
	accepting int // calls of Serve, and clients of Take that wait: in conns only soon
	ended     bool
	empty     chan struct{} // closed when the front drains and has no connection
	vacated   bool          // empty is closed
}

// Accepting again after a passing failure, such as too few descriptors, waits
// this long at first, twice as long each further time, and this long at most.
const (
	minAcceptWait = 5 * time.Millisecond
	maxAcceptWait = time.Second
)

// NewFront makes a front; Shutdown ends it.
func NewFront(o Options) (*Front, error) {
	o, err := o.filled()
	if err != nil {
		return nil, err
	}
	f := &Front{
		o: o, trust: NewTrust(o.Proxies), slots: make(chan struct{}, o.MaxConnections), few: descriptor.NewBound(),
		conns: map[*conn]struct{}{}, listeners: map[net.Listener]struct{}{},
		empty: make(chan struct{}), retiring: make(chan struct{}), left: make(chan struct{}, 1),
	}
	f.pools = pools{o: &f.o, all: map[*Upstream]*pool{}}
	f.dials, f.leave = context.WithCancel(context.Background())
	f.http2 = newHTTP2Front(f)
	if f.o.TLS != nil {
		f.o.TLS = f.o.TLS.Clone()
		f.o.TLS.NextProtos = []string{"h2", "http/1.1"}
	}
	f.live.Go(f.reap)
	return f, nil
}

// Serve takes connections from a listener until Retire or Shutdown, and closes it.
func (f *Front) Serve(l net.Listener) error {
	f.mu.Lock()
	if f.retired.Load() {
		f.mu.Unlock()
		return l.Close()
	}
	f.listeners[l] = struct{}{}
	f.accepting++
	f.mu.Unlock()
	defer func() {
		_ = l.Close()
		f.mu.Lock()
		f.accepting--
		f.tellEmpty()
		f.mu.Unlock()
	}()
	wait := time.Duration(0)
	for {
		nc, err := l.Accept()
		if err == nil {
			wait = 0
			over := false
			_, _ = control(nc, func(fd int) { over = f.few.Exceeded(fd) }) // one that is closed is none
			f.begin(nc, nil, f.slot())
			if over {
				f.awaitRoom(l.Addr())
			}
			continue
		}
		if f.retired.Load() {
			return nil
		}
		if errors.Is(err, net.ErrClosed) {
			return err
		}
		wait = min(max(2*wait, minAcceptWait), maxAcceptWait)
		f.o.Log.Warn("no connection can be accepted", "error", err, "again", wait)
		select {
		case <-time.After(wait):
		case <-f.retiring:
			return nil
		}
	}
}

// tooFew is told when clients have all descriptors that they may have.
const tooFew = "no connection can be accepted until others end: the limit of open files (ulimit -n) is too low for them"

// awaitRoom waits until clients may have descriptors again, or the front retires.
func (f *Front) awaitRoom(at net.Addr) {
	for wait := minAcceptWait; !f.few.Room(); wait = min(2*wait, maxAcceptWait) {
		if wait == minAcceptWait {
			f.o.Log.Warn(tooFew, "address", at)
		}
		select {
		case <-time.After(wait):
		case <-f.retiring:
			return
		}
	}
}

// slot waits for a place among the clients. A front that retires has places
// enough for those it has accepted: one for each listener.
func (f *Front) slot() bool {
	select {
	case f.slots <- struct{}{}:
		return true
	case <-f.retiring:
		return false
	}
}

// Take serves a connection somebody else has accepted, with the bytes that were
// read of it. It does not block; where there are too many connections already,
// this one waits, as it would in the backlog.
func (f *Front) Take(nc net.Conn, early []byte) {
	early = append([]byte(nil), early...)
	select {
	case f.slots <- struct{}{}:
		f.begin(nc, early, true)
		return
	default:
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ended || f.draining.Load() {
		_ = nc.Close()
		return
	}
	f.accepting++
	f.live.Go(func() {
		f.begin(nc, early, f.slot())
		f.mu.Lock()
		f.accepting--
		f.tellEmpty()
		f.mu.Unlock()
	})
}

// begin serves a connection, which may have a slot.
func (f *Front) begin(nc net.Conn, early []byte, slot bool) {
	free := func() {
		if slot {
			<-f.slots
		}
	}
	c := newConn(f, nc, early)
	if !f.add(c) {
		_ = nc.Close()
		free()
		return
	}
	go func() {
		defer f.live.Done()
		defer free()
		c.serve()
		f.remove(c)
	}()
}

// add notes a connection, and reports false where it comes too late.
func (f *Front) add(c *conn) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ended || f.draining.Load() {
		return false
	}
	f.conns[c] = struct{}{}
	f.live.Add(1)
	return true
}

func (f *Front) remove(c *conn) {
	f.mu.Lock()
	delete(f.conns, c)
	f.vacate()
	f.tellEmpty()
	f.mu.Unlock()
}

// isEmpty reports whether there is nobody, nor about to be. The caller holds mu.
func (f *Front) isEmpty() bool { return len(f.conns)+f.accepting == 0 }

// tellEmpty tells who waits in Empty. The caller holds mu.
func (f *Front) tellEmpty() {
	if f.isEmpty() {
		select {
		case f.left <- struct{}{}:
		default: // it is told already
		}
	}
}

// vacate tells who waits for the last connection. The caller holds mu.
func (f *Front) vacate() {
	if f.draining.Load() && len(f.conns) == 0 && !f.vacated {
		f.vacated = true
		close(f.empty)
	}
}

// takeBuffer gives a buffer for a body on its way.
func (f *Front) takeBuffer() *[]byte {
	if b, ok := f.spare.Get().(*[]byte); ok {
		return b
	}
	b := make([]byte, bodyBuffer)
	return &b
}

func (f *Front) putBuffer(b *[]byte) { f.spare.Put(b) }

// greet does what stands before the first request of a connection: the PROXY
// protocol and TLS. It reports false where the connection ends with it, or
// belongs to HTTP/2 now.
func (c *conn) greet() bool {
	f := c.f
	_ = c.nc.SetReadDeadline(time.Now().Add(f.o.Timeouts.Head))
	if len(f.o.ProxyProtocol) > 0 && NewTrust(f.o.ProxyProtocol).Believes(c.peer.Addr()) {
		if !c.readProxyHeader() {
			return false
		}
	}
	if f.o.TLS == nil {
		return !f.o.CleartextHTTP2 || !c.preface() || !f.http2.take(c)
	}
	c.scheme = "https"
	inner := c.nc
	if len(c.in) > 0 {
		inner = &earlyConn{Conn: c.nc, early: append([]byte(nil), c.in...)}
		c.in = c.in[:0]
	}
	secure := tls.Server(inner, f.o.TLS)
	ctx, cancel := context.WithTimeout(f.dials, f.o.Timeouts.Head)
	defer cancel()
	if err := secure.HandshakeContext(ctx); err != nil {
		return false
	}
	c.become(secure)
	return secure.ConnectionState().NegotiatedProtocol != "h2" || !f.http2.take(c)
}

// readProxyHeader reads the PROXY protocol's header, and takes its word for who
// the client is.
func (c *conn) readProxyHeader() bool {
	for {
		client, size, err := ReadProxyHeader(c.in)
		if err != nil {
			return false
		}
		if size > 0 {
			if client.IsValid() {
				c.peer = client
			}
			c.in = c.in[:copy(c.in, c.in[size:])]
			return true
		}
		if err := c.fill(); err != nil {
			return false
		}
	}
}

// http2Preface begins every connection of HTTP/2 (RFC 9113, section 3.4).
const http2Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

// preface reports whether the connection begins as HTTP/2 does. It reads no
// more than it needs to know.
func (c *conn) preface() bool {
	for {
		n := min(len(c.in), len(http2Preface))
		if string(c.in[:n]) != http2Preface[:n] {
			return false
		}
		if n == len(http2Preface) {
			return true
		}
		if err := c.fill(); err != nil {
			return false
		}
	}
}

// earlyConn is a connection some of whose bytes were read already.
type earlyConn struct {
	net.Conn
	early []byte
}

// Read gives the early bytes first.
func (c *earlyConn) Read(p []byte) (int, error) {
	if len(c.early) > 0 {
		n := copy(p, c.early)
		c.early = c.early[n:]
		return n, nil
	}
	return c.Conn.Read(p)
}

// CloseWrite ends the writing side, where the connection can.
func (c *earlyConn) CloseWrite() error { return closeWrite(c.Conn) }

// closeWrite ends the writing side of a connection, or all of one that has no
// sides.
func closeWrite(nc net.Conn) error {
	if half, ok := nc.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nc.Close()
}

// addressOf is the address of a net.Addr; zero of one that is none of TCP.
func addressOf(a net.Addr) netip.AddrPort {
	if t, ok := a.(*net.TCPAddr); ok {
		p := t.AddrPort()
		return netip.AddrPortFrom(p.Addr().Unmap().WithZone(""), p.Port())
	}
	return netip.AddrPort{}
}
