package forward

import (
	"errors"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/polymath-run/polymath/internal/balance/http1"
)

// relay tells the client what an upstream answered, and reports whether the
// client's connection can go on.
func (c *conn) relay(a *attempt) bool {
	b, x := a.back, &c.x
	for n := 0; b.answer.Status < 200 && b.answer.Status != http.StatusSwitchingProtocols; n++ {
		kind := Unusable
		if n < MaxInformational {
			if !c.interim(b) {
				return c.part(a, Abandoned)
			}
			c.pump.came.Store(true) // the client's turn, if it waited for this
			c.expectHead(a)
			kind = c.hear(a, true)
		}
		if kind != Answered {
			return c.fail(a, kind)
		}
	}
	x.Answered = c.f.o.Now()
	if b.answer.Status == http.StatusSwitchingProtocols {
		if !c.request.Upgrade || c.stream || a.u.HTTP2 {
			return c.fail(a, Unusable)
		}
		return c.tunnel(a)
	}
	x.Status = b.answer.Status
	kind := c.pass(a)
	if kind != Answered {
		return c.part(a, kind)
	}
	whole := c.body.ended.Load()
	if c.pumping() {
		c.stopPump()
		whole = false
	}
	c.stopWatch()
	c.settle(a, Answered) // while b is still ours
	if whole && !b.answer.Close && len(b.in) == 0 && !c.pump.cut.Load() && !a.over.Load() {
		b.pool.put(b)
	} else {
		a.drop()
	}
	// Of who has said that this request is the last nothing follows.
	c.parting = c.closing && (!whole || !c.request.Close || len(c.in) > c.request.Size+c.body.early || len(c.after) > 0)
	return true
}

// instead looks for another upstream where the answer that has come is not to
// be passed on if there is one. It lets go of the answer then; nil leaves it.
func (c *conn) instead(a *attempt) *Upstream {
	x, status := &c.x, a.back.answer.Status
	if !x.doubts(status) || x.Attempts >= MaxAttempts || c.gone.Load() || a.over.Load() || c.expired() || !c.kept() {
		return nil
	}
	now := c.f.o.Now()
	if !c.f.o.Director.Retry(x, Result{Kind: Answered, Status: status, Latency: now - a.begun, Now: now}) {
		return nil
	}
	u := c.f.o.Director.Pick(x)
	if u == nil {
		x.Refusal = nil
		return nil
	}
	c.stopWatch()
	b := a.back
	c.settle(a, Answered) // while b is still ours
	r := relayer{kind: b.answer.Body, left: b.answer.Length}
	rest := b.in[b.answer.Size:]
	n, verdict := r.next(rest)
	if verdict == http1.OK && n == len(rest) && !b.answer.Close && !c.pump.cut.Load() && !a.over.Load() {
		b.pool.put(b)
	} else {
		a.drop()
	}
	return u
}

// kept reports whether all of the request has come, and can be told again. Of
// what has come the last may still be on its way to the upstream.
func (c *conn) kept() bool {
	if !c.body.ended.Load() {
		return false
	}
	if c.pump.done != nil {
		select {
		case <-c.pump.done:
			c.pump.done = nil
		case <-time.After(LingerTime):
			return false
		}
	}
	return c.repeatable()
}

// interim passes on a 1xx; a client of HTTP/1.0 knows none.
func (c *conn) interim(b *backend) bool {
	if c.request.Version > 10 {
		c.out = b.answer.Append(c.out[:0], b.in, &http1.Answer{})
		if c.write(c.out) != nil {
			return false
		}
	}
	b.in = b.in[:copy(b.in, b.in[b.answer.Size:])]
	return true
}

// fail ends an exchange whose upstream failed behind an interim answer: nobody
// is asked again, and the client is told.
func (c *conn) fail(a *attempt, k Kind) bool {
	c.stopWatch()
	c.stopPump()
	a.kind = k
	k = c.blame(a)
	a.drop()
	c.settle(a, k)
	if c.gone.Load() {
		return false
	}
	return c.refuse(c.failure(k))
}

// part ends an exchange in the middle of its answer: the client's connection
// ends, and so that it cannot be taken for the answer's end.
func (c *conn) part(a *attempt, k Kind) bool {
	c.stopWatch()
	c.stopPump()
	if k == Cut && (c.gone.Load() || a.over.Load()) {
		k = Abandoned
	}
	framed := a.back.answer.Body != http1.UntilClose && (a.back.answer.Body != http1.Chunked || c.request.Version > 10)
	a.drop()
	c.settle(a, k)
	if k == Cut && !framed {
		c.sever()
	}
	c.parting = k == Cut && framed
	return false
}

// sever ends the client's connection with a reset.
func (c *conn) sever() {
	if p, ok := c.nc.(*streamConn); ok {
		p.severed.Store(true)
		return
	}
	if t, ok := bare(c.nc).(*net.TCPConn); ok {
		_ = t.SetLinger(0)
		_ = t.Close() // before TLS can say a last word
	}
}

// pass passes the final answer on: its head with what has come of its body
// in one piece, then the rest as it comes.
func (c *conn) pass(a *attempt) Kind {
	b, x := a.back, &c.x
	old := c.request.Version == 10
	plain := old && b.answer.Body == http1.Chunked // whose end is the connection's then
	c.closing = c.closing || c.ending() || plain || b.answer.Body == http1.UntilClose || !c.body.ended.Load()
	c.out = b.answer.Append(c.out[:0], b.in, &http1.Answer{
		Close: c.closing, Keep: old && !c.closing, Plain: old, Extra: x.Fields,
		Upgrade: b.answer.Status == http.StatusUpgradeRequired && !c.closing,
	})
	r := relayer{kind: b.answer.Body, left: b.answer.Length, plain: plain}
	text := b.in[b.answer.Size:]
	var buffer *[]byte
	for {
		n, verdict := r.next(text)
		piece := r.content(text[:n])
		if len(c.out) > 0 { // the head, and what came with it
			c.out = append(c.out, piece...)
			piece = c.out
		}
		if len(piece) > 0 && c.write(piece) != nil {
			return Abandoned
		}
		c.out = c.out[:0]
		x.Sent = r.sent()
		if verdict == http1.Bad {
			return Cut
		}
		if verdict == http1.OK {
			b.in = b.in[:copy(b.in, text[n:])] // nothing, where the upstream is right
			return Answered
		}
		if buffer == nil {
			buffer = c.f.takeBuffer()
			defer c.f.putBuffer(buffer)
		}
		a.expect(c.limited(c.f.o.Timeouts.Answer))
		n, err := b.nc.Read(*buffer)
		if text = (*buffer)[:n]; n == 0 && err != nil {
			if r.kind == http1.UntilClose && errors.Is(err, io.EOF) {
				return Answered
			}
			return Cut
		}
	}
}

// relayer follows the body of an answer.
type relayer struct {
	kind    http1.Body
	left    int64
	total   int64
	plain   bool // chunks are taken off
	chunks  http1.Chunks
	scratch []byte
}

// next says how much of text is the body's, and whether it ends there. Where
// chunks are taken off, content gives what is to be passed on.
func (r *relayer) next(text []byte) (int, http1.Verdict) {
	switch r.kind {
	case http1.Length:
		n := min(int64(len(text)), r.left)
		r.left -= n
		r.total += n
		if r.left == 0 {
			return int(n), http1.OK
		}
		return int(n), http1.More
	case http1.Chunked:
		if !r.plain {
			return r.chunks.Scan(text)
		}
		r.scratch = r.scratch[:0]
		for n := 0; ; {
			data, m, v := r.chunks.Next(text[n:])
			r.scratch = append(r.scratch, data...)
			if n += m; v != http1.More || n == len(text) {
				return n, v
			}
		}
	case http1.UntilClose:
		r.total += int64(len(text))
		return len(text), http1.More
	default:
		return 0, http1.OK
	}
}

// content is what is passed on of the bytes next has counted.
func (r *relayer) content(text []byte) []byte {
	if r.plain {
		return r.scratch
	}
	return text
}

// sent counts the body's own bytes.
func (r *relayer) sent() int64 {
	if r.kind == http1.Chunked {
		return r.chunks.Content
	}
	return r.total
}
