package forward

import (
	"errors"
	"io"
	"sync/atomic"
	"time"

	"github.com/polymath-run/polymath/internal/balance/http1"
)

// body is how much of a request's body has come. The pump owns it while it
// runs; ended may be read by all.
type body struct {
	kind   http1.Body
	left   int64 // of Length: still to come
	length int64
	chunks http1.Chunks
	early  int // its bytes that came with the head
	bad    http1.Reason
	ended  atomic.Bool // all of it was read
}

// begin looks at what has come with the head.
func (b *body) begin(q *http1.Request, early []byte) {
	b.kind, b.left, b.length, b.bad = q.Body, q.Length, q.Length, http1.Fine
	b.chunks.Reset()
	b.ended.Store(b.kind == http1.None)
	b.early, b.bad = b.advance(early)
}

// advance counts bytes that came, and says how many of them are the body's.
func (b *body) advance(text []byte) (int, http1.Reason) {
	switch b.kind {
	case http1.Length:
		n := min(int64(len(text)), b.left)
		if b.left -= n; b.left == 0 {
			b.ended.Store(true)
		}
		return int(n), http1.Fine
	case http1.Chunked:
		n, v := b.chunks.Scan(text)
		if v == http1.Bad {
			return n, b.chunks.Why
		}
		if v == http1.OK {
			b.ended.Store(true)
		}
		return n, http1.Fine
	default:
		return 0, http1.Fine
	}
}

// received counts the body's own bytes.
func (b *body) received() int64 {
	if b.kind == http1.Chunked {
		return b.chunks.Content
	}
	return b.length - b.left
}

// pump carries the rest of a request's body, that which did not come with the
// head, to the upstream of one attempt after the other. It runs beside the
// reading of the answer, which may come before the body's end.
type pump struct {
	kept []byte // what it has read, for another attempt
	lost bool   // more than may be kept
	err  error  // why no more will come of the body
	done chan struct{}
	stop atomic.Bool
	came atomic.Bool // something of the body, or the word to send it, since it was started
	back *backend    // that it carries to
	cut  atomic.Bool // that took no more
	bad  http1.Reason
}

var (
	errBadChunk  = errors.New("a chunk of the request is malformed")
	errNoRequest = errors.New("the request ended before its body did")
)

// refusal is the answer where the client's body is at fault; nil where it is
// not, or where no client is left to be told.
func (p *pump) refusal(said *refusals) *Refusal {
	switch {
	case p.err == nil:
		return nil
	case errors.Is(p.err, errBadChunk):
		return said.malformed[p.bad]
	case isTimeout(p.err):
		return said.slow
	default:
		return nil
	}
}

// startPump begins to carry the body to an upstream.
func (c *conn) startPump(a *attempt) {
	c.pump.done, c.pump.back = make(chan struct{}), a.back
	c.pump.stop.Store(false)
	c.pump.came.Store(false)
	c.pump.cut.Store(false)
	go func() {
		defer close(c.pump.done)
		c.carry(a)
	}()
}

// stopPump ends the carrying, wherever it is, and waits for that. Where it was
// not done, the upstream's connection is of no further use.
func (c *conn) stopPump() {
	if c.pump.done == nil {
		return
	}
	select {
	case <-c.pump.done:
	default:
		c.pump.stop.Store(true)
		_ = c.nc.SetReadDeadline(time.Unix(1, 0))
		_ = c.pump.back.nc.SetWriteDeadline(time.Unix(1, 0))
		<-c.pump.done
	}
	c.pump.done = nil
}

// carry reads from the client and writes to the upstream until the body ends.
func (c *conn) carry(a *attempt) {
	buffer := c.f.takeBuffer()
	defer c.f.putBuffer(buffer)
	for !c.body.ended.Load() {
		wait := c.f.o.Timeouts.Body
		if c.request.Continue && !c.pump.came.Load() {
			wait += c.f.o.Timeouts.FirstByte // first it is the upstream's turn
		}
		_ = c.nc.SetReadDeadline(time.Now().Add(c.limited(wait)))
		if c.pump.stop.Load() {
			return
		}
		n, err := c.nc.Read(*buffer)
		if n == 0 && err != nil {
			c.pumpFailed(a, err)
			return
		}
		if !c.pump.came.Swap(true) && c.request.Continue {
			a.expect(c.limited(endless))
		}
		text := (*buffer)[:n]
		use, bad := c.body.advance(text)
		if bad != http1.Fine {
			c.pump.bad = bad
			c.pumpFailed(a, errBadChunk)
			return
		}
		c.after = append(c.after, text[use:]...)
		c.keep(text[:use])
		if a.back.write(text[:use], c.f.o.Timeouts.Write) != nil {
			// Whoever does not read on may have answered already: the answer's
			// reader finds out.
			c.pump.cut.Store(true)
			a.expect(c.limited(LingerTime))
			return
		}
	}
	a.expect(c.patience(true))
}

// pumpFailed ends an attempt whose request will not become whole.
func (c *conn) pumpFailed(a *attempt, err error) {
	if c.pump.stop.Load() {
		return // the reader of the answer wants no more
	}
	if errors.Is(err, io.EOF) {
		err = errNoRequest
	}
	c.pump.err = err
	if !isTimeout(err) && !errors.Is(err, errBadChunk) {
		c.gone.Store(true)
	}
	c.stop(a)
}

// keep notes what was read of the body, for as long as it is little.
func (c *conn) keep(text []byte) {
	p := &c.pump
	if p.lost {
		return
	}
	if c.request.Size+c.body.early+len(p.kept)+len(text) > MaxReplay {
		p.lost, p.kept = true, nil
		return
	}
	p.kept = append(p.kept, text...)
}

// pumping reports whether the body is still carried.
func (c *conn) pumping() bool {
	if c.pump.done == nil {
		return false
	}
	select {
	case <-c.pump.done:
		c.pump.done = nil
		return false
	default:
		return true
	}
}

// repeatable reports whether the request can be told again whole.
func (c *conn) repeatable() bool { return !c.pump.lost && c.pump.err == nil }
