package forward

import (
	"bytes"
	"math"
	"net/netip"
	"syscall"
	"time"

	"github.com/polymath-run/polymath/internal/balance/http1"
)

// phase is where a client's connection is.
type phase uint8

const (
	idle    phase = iota // between requests, or in the head of one
	asking               // an exchange is under way
	leaving              // all is said; what still comes is thrown away until it ends
)

// client is a connection of a client, and its exchange.
type client struct {
	sock
	x      Exchange
	thread *thread
	peer   netip.Addr

	phase phase
	held  []byte // read and not taken up yet: a part of a head, or the next requests

	// Of the exchange. kept begins with the request's head.
	kept    []byte
	size    int        // of the head
	target  http1.Span // in it
	verb    http1.Verb
	whole   bool       // kept has all that came of the request: it can be told again
	body    http1.Body // of the request: how its end is known
	left    int64      // of a body whose length is known
	chunks  http1.Chunks
	partial bool  // more of the body is to come
	link    *link // asked; another may be, see hedge
	second  *link
	hinted  bool // a 1xx was sent to the client
	spoken  bool // the head of the answer was
	last    bool // the connection ends with this exchange
	bye     bool // so the client has said: nothing of it follows
	done    bool // the answer is complete but for its sending

	hedge  time.Duration // when a second upstream is asked; 0: not at all
	thrown int           // bytes, while leaving
}

// welcome takes a new client in.
func (t *thread) welcome(fd int32, from netip.Addr) {
	t.stats.Accepted++
	if t.loop.handOver.Load() {
		t.give(fd, nil)
		return
	}
	c := &client{sock: sock{fd: fd}, thread: t, peer: from}
	c.sock.client = c
	c.x.Facts, c.x.Scheme, c.x.Version = c, "http", 11
	if !t.add(&c.sock) {
		closeSocket(fd)
		return
	}
	t.clients++
	t.stats.Clients++
	t.wheel.set(&c.timer, t.now+t.options.Timeouts.KeepAlive)
}

// closeClient closes a client's connection, and ends its exchange.
func (t *thread) closeClient(c *client) {
	if c.closed {
		return
	}
	if c.phase == asking {
		t.abandon(c)
	}
	t.forgetClient(c)
	closeSocket(c.fd)
}

// forgetClient lets go of what a client has.
func (t *thread) forgetClient(c *client) {
	t.forget(&c.sock)
	t.buffers.put(c.held)
	t.buffers.put(c.kept)
	c.held, c.kept = nil, nil
	if t.parsed == c {
		t.parsed = nil
	}
	t.clients--
	t.stats.Clients--
	if t.accept.due == 0 {
		t.listen()
	}
}

// full reports whether the upstream has to take what there is before more of
// the request's body is read.
func (t *thread) full(c *client) bool {
	return c.link == nil || c.link.blocked || c.second != nil && c.second.blocked
}

// hear takes bytes of a client. They are valid during the call only.
func (t *thread) hear(c *client, data []byte) {
	switch c.phase {
	case leaving:
		if c.thrown += len(data); c.thrown > LingerBytes {
			t.part(c)
		}
	case asking:
		t.hearBody(c, data)
	case idle:
		if len(c.held) == 0 {
			t.parse(c, data)
			return
		}
		line := bytes.IndexByte(data, '\n') >= 0
		c.held = t.buffers.add(c.held, data)
		if line || len(c.held) >= http1.MaxHead { // nothing else makes a head whole
			t.parse(c, c.held)
		}
	}
}

// parse reads a request's head, and begins with it. data is c.held, or was just
// read.
func (t *thread) parse(c *client, data []byte) {
	t.parsed = nil
	switch t.request.Parse(data, 0) {
	case http1.More:
		if len(c.held) == 0 {
			c.held = append(t.buffers.get(len(data)), data...)
		}
		if c.hedge == 0 { // the wait began with the first byte
			c.hedge = t.now + t.options.Timeouts.Head
			t.wheel.set(&c.timer, c.hedge)
		}
		return
	case http1.Bad:
		if t.options.CleartextHTTP2 && bytes.HasPrefix(data, []byte("PRI * HTTP/2.0\r\n")) {
			t.handOver(c, data)
			return
		}
		t.turnAway(c, t.options.refusals.malformed[t.request.Why])
		return
	}
	if r := &t.request; r.Version == 10 || r.Absolute || r.Expects || r.Upgrade {
		t.handOver(c, data)
		return
	}
	taken, ok := t.measure(c, data)
	if !ok {
		t.turnAway(c, t.options.refusals.malformed[c.chunks.Why])
		return
	}
	t.begin(c, data, taken)
}

// measure tells how much of data is of the request that was parsed, and notes
// what is still to come. It reports false where chunks are malformed.
func (t *thread) measure(c *client, data []byte) (int, bool) {
	r := &t.request
	c.partial, c.left, c.x.Received = r.Body != http1.None, r.Length, 0
	if !c.partial {
		return r.Size, true
	}
	if c.body = r.Body; c.body == http1.Chunked {
		c.chunks.Reset()
	}
	n, ok := c.more(data[r.Size:])
	return r.Size + n, ok
}

// more tells how much of what was read is of the request's body, and counts it
// off. It reports false where chunks are malformed.
func (c *client) more(data []byte) (int, bool) {
	if c.body == http1.Length {
		n := min(int64(len(data)), c.left)
		c.left -= n
		c.x.Received += n
		c.partial = c.left > 0
		return int(n), true
	}
	n, v := c.chunks.Scan(data)
	c.x.Received, c.partial = c.chunks.Content, v != http1.OK
	return n, v != http1.Bad
}

// hearBody takes more of a request's body.
func (t *thread) hearBody(c *client, data []byte) {
	n, ok := c.more(data)
	if !ok {
		t.giveUp(c, Abandoned, t.options.refusals.malformed[c.chunks.Why])
		return
	}
	body := data[:n]
	if n < len(data) {
		c.held = t.buffers.add(c.held, data[n:])
	}
	if c.whole = c.whole && len(c.kept)+len(body) <= MaxReplay; c.whole {
		c.kept = t.buffers.add(c.kept, body)
	}
	u := c.link
	if !t.write(&u.sock, body) {
		t.refused(u)
		return
	}
	t.paceLink(u)
	t.paceClient(c) // whose turn it is not while the upstream takes nothing
}

// turnAway answers what is no request, and ends the connection. What follows
// means nothing, but has to be read.
func (t *thread) turnAway(c *client, r *Refusal) {
	t.stats.Refused++
	c.phase, c.last, c.partial, c.done, c.waiting = asking, true, false, true, true
	t.say(c, r.Append(t.out[:0], false, true))
}

// say sends the last of an exchange that no upstream has answered.
func (t *thread) say(c *client, answer []byte) {
	c.spoken = true
	if !t.write(&c.sock, answer) {
		t.closeClient(c)
		return
	}
	t.settle(c)
}

// settle ends an exchange whose answer is complete, once all of it is sent, or is
// as good as sent.
func (t *thread) settle(c *client) {
	if c.unsent() > 0 && !t.early(c) {
		t.wheel.set(&c.timer, t.now+t.options.Timeouts.Write)
		return
	}
	t.end(c)
	c.phase, c.done, c.spoken = idle, false, false
	switch {
	case c.last && c.bye && !c.partial && !c.waiting && len(c.held) == 0:
		t.closeClient(c)
	case c.last || t.ending && len(c.held) == 0:
		t.leave(c)
	default:
		t.wheel.set(&c.timer, t.now+t.options.Timeouts.KeepAlive)
		if len(c.held) > 0 || c.waiting {
			t.later(&c.sock)
		}
	}
}

// early reports whether an exchange ends although its answer is only sent with the
// round, as what is needed for that is in the cache now: where nothing is left to
// be done then. What does not fit after all is seen to by writeClient.
func (t *thread) early(c *client) bool {
	return c.gathered && !c.last && !t.ending && !c.waiting && len(c.held) == 0
}

// end tells the Director that the exchange is over.
func (t *thread) end(c *client) {
	if c.size > 0 {
		t.joined = t.joined[:0]
		t.director.End(&c.x)
	}
	t.buffers.put(c.kept)
	c.kept, c.size, c.hedge = nil, 0, 0
	if t.parsed == c {
		t.parsed = nil
	}
}

// leave ends our side of a connection whose client may still be sending, and
// reads on for a while: closing at once would destroy answers on their way. What
// a client has sent ahead may come at any time, so that none is there says nothing.
func (t *thread) leave(c *client) {
	c.phase, c.thrown = leaving, 0
	c.left, c.hedge = math.MaxInt64, 0
	t.buffers.put(c.held)
	c.held = nil
	if syscall.Shutdown(int(c.fd), syscall.SHUT_WR) != nil {
		t.closeClient(c)
		return
	}
	t.wheel.set(&c.timer, t.now+LingerTime)
	t.later(&c.sock)
}

// writeClient goes on writing, and with what waited for it.
func (t *thread) writeClient(c *client) {
	if !t.flush(&c.sock) {
		t.closeClient(c)
		return
	}
	switch {
	case c.phase == idle && c.blocked: // its exchange has ended early: nothing is read before the answer is sent
		c.phase, c.done = asking, true
		t.wheel.set(&c.timer, t.now+t.options.Timeouts.Write)
		return
	case c.phase == idle:
		return
	case c.blocked:
		t.paceClient(c)
		return
	}
	if c.done {
		t.settle(c)
		return
	}
	t.paceClient(c)
	if u := c.link; u != nil {
		t.paceLink(u) // whose turn it is again
		if u.waiting {
			t.readable(&u.sock)
		}
	}
}

// paceClient sets the timer of a client in an exchange after it has got on.
func (t *thread) paceClient(c *client) {
	due := time.Duration(0)
	switch {
	case c.unsent() > 0:
		due = t.now + t.options.Timeouts.Write
	case c.partial && !t.full(c):
		due = t.now + t.options.Timeouts.Body
	}
	if due = earlier(earlier(due, c.hedge), c.x.Deadline); due == 0 {
		c.timer.never()
		return
	}
	t.wheel.set(&c.timer, due)
}

// earlier is the earlier of two times, of which zero is none.
func earlier(a, b time.Duration) time.Duration {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

// expireClient sees to a client whose time is up.
func (t *thread) expireClient(c *client) {
	switch {
	case c.phase == idle && len(c.held) > 0:
		t.turnAway(c, t.options.refusals.slow)
	case c.phase == leaving:
		t.part(c)
	case c.phase != asking || c.done:
		t.closeClient(c)
	case c.x.Deadline != 0 && c.x.Deadline <= t.now:
		t.giveUp(c, Late, t.options.refusals.expired)
	case c.hedge != 0 && c.hedge <= t.now:
		c.hedge = 0
		t.askSecond(c)
		if !c.closed && c.phase == asking {
			t.paceClient(c)
		}
	case c.unsent() > 0:
		t.closeClient(c)
	default:
		t.giveUp(c, Abandoned, t.options.refusals.slow)
	}
}
