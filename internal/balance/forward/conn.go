package forward

import (
	"errors"
	"io"
	"math"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/polymath-run/polymath/internal/balance/http1"
)

// conn is one client's connection, and the exchange on it. Its fields belong to
// the goroutine of serve, but for those behind mu and the atomic ones.
type conn struct {
	f       *Front
	nc      net.Conn
	peer    netip.AddrPort // the client's, or what its PROXY header said
	local   netip.AddrPort
	scheme  string
	version uint8 // 20: one stream of HTTP/2
	stream  bool  // nc is a pipe: its end is the client's leaving

	in      []byte // read: the head under way, then what follows
	after   []byte // read behind the request under way: the next ones
	request http1.Request
	body    body
	x       Exchange
	facts   facts
	out     []byte // what is written next
	closing bool   // the connection ends with this exchange
	parting bool   // and all is said, but the client may still be sending

	writeUntil time.Time // the write deadline as it is set

	pump  pump
	watch watch

	mu    sync.Mutex
	idle  bool        // waits for a request; drain may end it
	gone  atomic.Bool // the client has left without a word
	ended bool        // abandon was called

	attempts [maxAtOnce]attempt
}

// newConn makes one of a connection, some of whose bytes may have been read.
func newConn(f *Front, nc net.Conn, early []byte) *conn {
	c := &conn{f: f, nc: nc, in: early, scheme: "http", peer: addressOf(nc.RemoteAddr()), local: addressOf(nc.LocalAddr())}
	c.facts.c = c
	return c
}

// become goes on with another connection around the same one.
func (c *conn) become(nc net.Conn) {
	c.mu.Lock()
	c.nc = nc
	c.mu.Unlock()
	c.writeUntil = time.Time{}
}

// drain ends the connection where it waits for a request.
func (c *conn) drain() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.idle {
		_ = c.nc.SetReadDeadline(time.Unix(1, 0))
	}
}

// abandon lets go of every upstream: the front ends now.
func (c *conn) abandon() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended = true
	c.gone.Store(true)
	_ = c.nc.Close()
	c.cancelAll()
}

// serve serves the requests of the connection, one after the other.
func (c *conn) serve() {
	defer func() {
		_ = c.nc.Close()
		c.giveBack()
	}()
	if !c.stream && !c.greet() {
		return
	}
	for c.readHead() {
		if !c.exchange() {
			break
		}
		c.next()
	}
	if c.parting {
		c.linger()
	}
}

// next makes the connection ready for the next request.
func (c *conn) next() {
	rest := c.in[c.request.Size+c.body.early:]
	if len(c.after) > 0 {
		c.in = append(c.in[:copy(c.in, rest)], c.after...)
		c.after = c.after[:0]
		return
	}
	c.in = c.in[:copy(c.in, rest)]
	if len(c.in) == 0 && cap(c.in) > tinyBuffer {
		c.in = nil // a connection without a request keeps no large buffer
	}
}

// giveBack forgets the buffers.
func (c *conn) giveBack() { c.in, c.out, c.after = nil, nil, nil }

// fill reads what comes next behind c.in.
func (c *conn) fill() error {
	if len(c.in) == cap(c.in) {
		grown := make([]byte, len(c.in), max(tinyBuffer, min(4*cap(c.in), http1.MaxHead+bodyBuffer)))
		copy(grown, c.in)
		c.in = grown
	}
	n, err := c.nc.Read(c.in[len(c.in):cap(c.in)])
	c.in = c.in[:len(c.in)+n]
	if n > 0 {
		return nil
	}
	if err == nil {
		err = io.ErrNoProgress
	}
	return err
}

// readHead reads the head of the next request. What is none is refused here;
// false is the connection's end.
func (c *conn) readHead() bool {
	if len(c.in) == 0 && !c.waitForRequest() {
		return false
	}
	verdict := c.request.Parse(c.in, 0)
	if verdict == http1.More {
		_ = c.nc.SetReadDeadline(time.Now().Add(c.f.o.Timeouts.Head))
	}
	for verdict == http1.More {
		if err := c.fill(); err != nil {
			if isTimeout(err) {
				c.reject(c.f.o.refusals.slow)
			}
			return false
		}
		verdict = c.request.Parse(c.in, 0)
	}
	if verdict == http1.Bad {
		c.reject(c.f.o.refusals.malformed[c.request.Why])
		return false
	}
	if c.body.begin(&c.request, c.in[c.request.Size:]); c.body.bad != http1.Fine {
		c.reject(c.f.o.refusals.malformed[c.body.bad])
		return false
	}
	return true
}

// waitForRequest waits for the first byte of a request.
func (c *conn) waitForRequest() bool {
	c.mu.Lock()
	c.idle = true
	if !c.stream { // whose request has come already
		_ = c.nc.SetReadDeadline(time.Now().Add(c.f.o.Timeouts.KeepAlive))
	}
	if c.f.draining.Load() && !c.stream {
		c.idle = false
	}
	stop := !c.idle
	c.mu.Unlock()
	if stop {
		return false
	}
	err := c.fill()
	c.mu.Lock()
	c.idle = false
	c.mu.Unlock()
	return err == nil
}

// reject answers what is no request, and nobody hears of it: it names no
// exchange that a Director could judge.
func (c *conn) reject(r *Refusal) {
	c.out = r.Append(c.out[:0], false, true)
	c.parting = c.write(c.out) == nil
}

// linger lets answers arrive before the connection is closed: a client that still
// sends would get a reset in their place. It may have sent further requests ahead.
// One that is slow to take a long answer has as long as for any write.
func (c *conn) linger() {
	if c.stream || closeWrite(c.nc) != nil {
		return
	}
	left, since := math.MaxInt, time.Now()
	for {
		_ = c.nc.SetReadDeadline(time.Now().Add(LingerTime))
		_, err := io.CopyN(io.Discard, c.nc, LingerBytes) // whatever comes, nobody asks for it
		n := unarrived(c.nc)
		if err != nil && !isTimeout(err) || n == 0 || n >= left && time.Since(since) >= c.f.o.Timeouts.Write {
			return
		}
		if n < left {
			left, since = n, time.Now()
		}
	}
}

// unarrived is untaken of a connection of package net.
func unarrived(nc net.Conn) (n int) {
	_, _ = control(nc, func(fd int) { n = untaken(int32(fd)) }) // one that is closed has nothing
	return n
}

// write sends to the client.
func (c *conn) write(text []byte) error {
	lazily(&c.writeUntil, c.f.o.Timeouts.Write, c.nc.SetWriteDeadline)
	_, err := c.nc.Write(text)
	return err
}

// exchange answers one request, and reports whether the connection goes on.
func (c *conn) exchange() bool {
	x, o := &c.x, &c.f.o
	buffer := c.f.takeBuffer()
	c.out = (*buffer)[:0]
	defer func() {
		c.f.putBuffer(buffer)
		c.out = nil
	}()
	c.begin()
	refusal := o.Director.Begin(x)
	var ok bool
	if refusal != nil {
		ok = c.refuse(refusal)
	} else {
		ok = c.forward()
	}
	x.Received = c.body.received()
	o.Director.End(x)
	return ok && !c.closing
}

// begin fills the exchange in from the request.
func (c *conn) begin() {
	q, x := &c.request, &c.x
	fields, data := x.Fields[:0], x.Data
	*x = Exchange{
		Facts: &c.facts, Scheme: c.scheme, Version: q.Version, Begun: c.f.o.Now(),
		Safe: q.Verb.Safe(), Again: q.Verb.Idempotent() || q.Keyed, Fields: fields, Data: data,
	}
	if c.version != 0 {
		x.Version = c.version
	}
	if x.Method = q.Verb.String(); x.Method == "" {
		x.Method = string(q.Method.Of(c.in))
	}
	x.Client = c.peer.Addr()
	if c.f.trust.Believes(x.Client) {
		x.Client = q.Client(c.in, x.Client, c.f.trust.Believes)
	}
	c.closing = q.Close
	c.pump.err, c.pump.kept, c.pump.lost = nil, c.pump.kept[:0], false
	c.pump.cut.Store(false)
	c.watch.started = false
}

// ending reports whether the connection ends because the front does: its answers
// say so. A stream ends with its own connection.
func (c *conn) ending() bool { return c.f.retired.Load() && !c.stream }

// refuse gives an answer of the balancer's own, and reports whether the
// connection goes on.
func (c *conn) refuse(r *Refusal) bool {
	c.x.Status = r.Status
	// A body nobody has sent may still come or not: the connection cannot go on.
	fits := c.body.kind == http1.Length && c.body.left <= LingerBytes
	ok := c.body.ended.Load() || fits && !c.request.Continue && c.pump.err == nil
	c.closing = c.closing || c.ending() || !ok
	c.out = r.Append(c.out[:0], c.request.Verb == http1.HEAD, c.closing)
	if c.write(c.out) != nil {
		return false
	}
	if c.closing {
		c.parting = true
		return false
	}
	return c.body.ended.Load() || c.skip()
}

// skip reads the rest of a body that nobody wants.
func (c *conn) skip() bool {
	buffer := c.f.takeBuffer()
	defer c.f.putBuffer(buffer)
	for !c.body.ended.Load() {
		_ = c.nc.SetReadDeadline(time.Now().Add(c.f.o.Timeouts.Body))
		n, err := c.nc.Read(*buffer)
		if n == 0 && err != nil {
			return false
		}
		use, bad := c.body.advance((*buffer)[:n])
		if bad != http1.Fine {
			return false
		}
		c.after = append(c.after, (*buffer)[use:n]...)
	}
	return true
}

// facts answers the policies from the head of the request.
type facts struct {
	c       *conn
	scratch []byte
}

// Header implements pick.Facts.
func (f *facts) Header(name string) string {
	var value []byte
	value, f.scratch = f.c.request.Field(f.c.in, name, f.scratch[:0])
	return string(value)
}

// Target implements pick.Facts.
func (f *facts) Target() string {
	f.scratch = f.c.request.AppendPath(f.scratch[:0], f.c.in)
	return string(f.scratch)
}

// Client implements pick.Facts.
func (f *facts) Client() netip.Addr { return f.c.x.Client }

// isTimeout reports whether an error is a deadline that has passed.
func isTimeout(err error) bool {
	var t net.Error
	return errors.As(err, &t) && t.Timeout()
}

// limited is a deadline a stage from now, or that of the exchange where it is
// earlier.
func (c *conn) limited(stage time.Duration) time.Duration {
	if c.x.Deadline == 0 {
		return stage
	}
	return max(min(stage, c.x.Deadline-c.f.o.Now()), 0)
}

// expired reports whether the exchange's deadline has passed.
func (c *conn) expired() bool { return c.x.Deadline != 0 && c.f.o.Now() >= c.x.Deadline }

// failure is the answer after a last failed attempt.
func (c *conn) failure(k Kind) *Refusal {
	said := c.f.o.refusals
	atFault := c.pump.refusal(said)
	switch {
	case atFault != nil:
		return atFault
	case c.expired():
		return said.expired
	case k == Abandoned:
		return said.ending
	default:
		return said.failure(k)
	}
}
