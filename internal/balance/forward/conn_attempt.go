package forward

import (
	"context"
	"errors"
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/polymath-run/polymath/internal/balance/descriptor"
	"github.com/polymath-run/polymath/internal/balance/http1"
)

// watchAfter is how long an answer may take before the client is watched for
// whether it is still there: most answers come earlier, and cost no watching.
const watchAfter = 100 * time.Millisecond

// attempt is one upstream asked.
type attempt struct {
	u     *Upstream
	begun time.Duration
	back  *backend // nil: not reached
	kind  Kind     // Answered once a head, perhaps an interim one, is there
	short bool     // there was nothing here to make a connection of: nobody is to blame

	over atomic.Bool             // cancel was called
	at   atomic.Pointer[backend] // back, for cancel

	busy bool               // it is under way; behind conn.mu
	quit context.CancelFunc // ends the dialing, where it dials; behind conn.mu
}

// cancel ends an attempt from outside, at once and for good. The caller holds
// conn.mu.
func (a *attempt) cancel() {
	a.over.Store(true)
	if a.quit != nil {
		a.quit()
	}
	if b := a.at.Load(); b != nil {
		_ = b.nc.SetDeadline(time.Unix(1, 0))
	}
}

// maxAtOnce is how many attempts of an exchange are under way at most: the first
// and its hedge.
const maxAtOnce = 2

// unreached ends an attempt for which no connection came about.
func (a *attempt) unreached(short bool) {
	a.kind = Unreached
	if a.short = short; short {
		a.kind = Abandoned
	}
}

// newAttempt makes an attempt that abandon and leave find.
func (c *conn) newAttempt(u *Upstream) *attempt {
	c.mu.Lock()
	defer c.mu.Unlock()
	a := &c.attempts[0]
	if a.busy {
		a = &c.attempts[1]
	}
	a.u, a.begun, a.back, a.kind, a.quit, a.busy, a.short = u, c.f.o.Now(), nil, Unreached, nil, true, false
	a.at.Store(nil)
	c.pump.cut.Store(false) // what an earlier upstream did not take says nothing of this one
	a.over.Store(c.ended || c.gone.Load())
	return a
}

// stop cancels an attempt.
func (c *conn) stop(a *attempt) {
	c.mu.Lock()
	defer c.mu.Unlock()
	a.cancel()
}

// cancelAll cancels what is under way. The caller holds mu.
func (c *conn) cancelAll() {
	for i := range c.attempts {
		if c.attempts[i].busy {
			c.attempts[i].cancel()
		}
	}
}

// dial makes a connection for an attempt; cancel ends that too.
func (c *conn) dial(a *attempt, p *pool) (*backend, error) {
	ctx, quit := context.WithCancel(c.f.dials)
	defer quit()
	c.mu.Lock()
	a.quit = quit
	if a.over.Load() {
		quit()
	}
	c.mu.Unlock()
	return p.dial(ctx, c.peer, c.local)
}

// settle tells the Director how an attempt ended, once.
func (c *conn) settle(a *attempt, k Kind) {
	c.mu.Lock()
	a.busy, a.quit = false, nil
	c.mu.Unlock()
	now := c.f.o.Now()
	r := Result{Kind: k, Latency: now - a.begun, Now: now}
	if a.back != nil && k == Answered {
		r.Status = a.back.answer.Status
	}
	if c.x.Answered != 0 && (k == Answered || k == Cut) {
		r.Latency = c.x.Answered - a.begun
	}
	c.f.o.Director.Done(&c.x, a.u, r)
}

// forward tries upstreams until one answers, and reports whether the client's
// connection can go on.
func (c *conn) forward() bool {
	d := c.f.o.Director
	last := Kind(0)
	failed := false
	hedge := time.Duration(0)
	if c.x.Again && c.body.ended.Load() {
		hedge = d.Hedge(&c.x)
	}
	for u := d.Pick(&c.x); ; {
		if u == nil {
			switch {
			case failed:
				return c.refuse(c.failure(last))
			case c.x.Refusal != nil:
				return c.refuse(c.x.Refusal)
			}
			return c.refuse(c.f.o.refusals.nobody)
		}
		a := c.try(u, hedge)
		hedge = 0
		if a.kind == Answered {
			if u = c.instead(a); u == nil {
				return c.relay(a)
			}
			continue
		}
		c.stopWatch()
		c.stopPump()
		last, failed = c.blame(a), true
		r := Result{Kind: last, Latency: c.f.o.Now() - a.begun, Now: c.f.o.Now()}
		a.drop()
		c.settle(a, last)
		switch {
		case c.gone.Load():
			return false
		case a.short:
			return c.refuse(c.f.o.refusals.short)
		}
		if last == Abandoned || c.expired() || !c.repeatable() || c.x.Attempts >= MaxAttempts || !d.Retry(&c.x, r) {
			return c.refuse(c.failure(last))
		}
		u = d.Pick(&c.x)
	}
}

// blame is how an attempt ended, for those who keep the score: what the client
// did is nobody's fault.
func (c *conn) blame(a *attempt) Kind {
	if c.gone.Load() || c.pump.err != nil || a.over.Load() {
		return Abandoned
	}
	return a.kind
}

// drop closes the upstream's connection.
func (a *attempt) drop() {
	if a.back != nil {
		_ = a.back.nc.Close()
	}
}

// try asks an upstream, and where hedge is not 0 perhaps a second one.
func (c *conn) try(u *Upstream, hedge time.Duration) *attempt {
	a := c.newAttempt(u)
	if hedge > 0 {
		return c.race(a, hedge)
	}
	c.ask(a, true)
	return a
}

// race asks a second upstream when the first takes longer than hedge.
func (c *conn) race(a *attempt, hedge time.Duration) *attempt {
	ends := make(chan *attempt, 2)
	ask := func(a *attempt) {
		c.ask(a, false)
		ends <- a
	}
	go ask(a)
	timer := time.NewTimer(hedge)
	defer timer.Stop()
	select {
	case <-ends:
		return a
	case <-timer.C:
	}
	c.startWatch()
	defer c.stopWatch()
	u := c.f.o.Director.Pick(&c.x)
	if u == nil {
		return <-ends
	}
	b := c.newAttempt(u)
	go ask(b)
	first := <-ends
	second := a
	if first == a {
		second = b
	}
	if first.kind == Answered && !c.x.doubts(first.back.answer.Status) {
		c.stop(second)
		<-ends
		second.drop()
		c.settle(second, Abandoned)
		return first
	}
	first.drop()
	c.settle(first, c.blame(first))
	return <-ends
}

// ask sends the request to an upstream and reads the first head it answers
// with. Inline it carries on a body that has not ended, and looks after the
// client; beside another attempt it does neither.
func (c *conn) ask(a *attempt, inline bool) {
	p := c.f.pools.of(a.u)
	buffer := c.f.takeBuffer()
	defer c.f.putBuffer(buffer)
	text := c.tell((*buffer)[:0], a.u)
	for fresh := false; ; fresh = true {
		a.back = nil
		if !fresh {
			a.back = p.take(c.peer)
		}
		if a.back != nil && !c.x.Again && isStale(a.back.nc) {
			_ = a.back.nc.Close()
			continue
		}
		if a.back == nil {
			b, err := c.dial(a, p)
			if descriptor.IsShort(err) && c.f.pools.spare() {
				b, err = c.dial(a, p)
			}
			if err != nil {
				a.unreached(descriptor.IsShort(err))
				return
			}
			a.back = b
		}
		a.at.Store(a.back)
		if a.over.Load() {
			a.kind = Abandoned
			return
		}
		a.kind = c.talk(a, text, inline)
		if g, ok := a.back.nc.(*gatePipe); ok && a.kind == Broken && g.unreached.Load() {
			a.unreached(g.short.Load())
		}
		if !c.unseen(a, inline) {
			return
		}
		_ = a.back.nc.Close()
		text = c.tell(text[:0], a.u)
	}
}

// unseen reports whether an attempt failed only because its connection, idle
// before, had ended when the request came: then a new connection is no further
// attempt.
func (c *conn) unseen(a *attempt, inline bool) bool {
	if a.kind != Broken || !a.back.used || len(a.back.in) > 0 || !c.x.Again || a.over.Load() {
		return false
	}
	if inline {
		c.stopPump()
	}
	return c.repeatable() && !c.gone.Load()
}

// tell is the request as an upstream gets it, as far as it has come with its
// head.
func (c *conn) tell(dst []byte, u *Upstream) []byte {
	out := http1.Outgoing{
		Peer: c.peer.Addr(), Client: c.x.Client, Scheme: c.scheme, Trusted: c.f.trust.Believes(c.peer.Addr()),
		Fields: http1.AllForwarding, Host: u.Host, Upgrade: !u.HTTP2 && !c.stream,
	}
	if u.HTTP2 && c.request.Trailers {
		out.Extra = []byte("TE: trailers\r\n")
	}
	if c.x.TimeoutField != "" {
		c.x.tellTimeout(&out, make([]byte, 0, len(out.Extra)+len(c.x.TimeoutField)+timeoutRoom), c.f.o.Now())
	}
	dst = c.request.Append(dst, c.in, &out)
	dst = append(dst, c.in[c.request.Size:c.request.Size+c.body.early]...)
	return append(dst, c.pump.kept...)
}

// talk sends and reads on one connection.
func (c *conn) talk(a *attempt, text []byte, inline bool) Kind {
	b, t := a.back, &c.f.o.Timeouts
	if err := b.write(text, c.limited(t.Write)); err != nil && b.used {
		return Broken
	} // else it may have answered before it read everything
	switch {
	case c.body.ended.Load():
		a.expect(c.patience(inline))
	case c.request.Continue: // it may wait for a word of the upstream
		a.expect(c.limited(t.FirstByte))
		c.startPump(a)
	default:
		a.expect(c.limited(endless))
		c.startPump(a)
	}
	return c.hear(a, inline)
}

// awaited reports whether the client still waits to be told to go on.
func (c *conn) awaited() bool { return c.request.Continue && c.pump.done != nil && !c.pump.came.Load() }

// endless is the wait for an answer while another wait counts, that for the
// rest of the request.
const endless = 24 * time.Hour

// patience is how long to wait for a head before a look at the client; the
// whole time where nobody looks.
func (c *conn) patience(inline bool) time.Duration {
	whole := c.limited(c.f.o.Timeouts.FirstByte)
	if inline && whole > 2*watchAfter && !c.watch.started {
		return watchAfter
	}
	return whole
}

// hear reads the next head of an answer.
func (c *conn) hear(a *attempt, inline bool) Kind {
	b := a.back
	for {
		switch b.answer.Parse(b.in, 0, c.request.Verb) {
		case http1.OK:
			return Answered
		case http1.Bad:
			return Unusable
		}
		err := b.more()
		switch {
		case err == nil:
			continue
		case !isTimeout(err) || c.pump.cut.Load():
			return Broken
		case !inline || c.watch.started || c.limited(c.f.o.Timeouts.FirstByte) <= 2*watchAfter || a.over.Load() || c.expired():
			return Late
		case c.awaited():
			return Late
		}
		if c.pump.done != nil {
			// While it runs the wait is endless: it has just set a shorter one, as
			// the last thing it does.
			<-c.pump.done
			c.pump.done = nil
		}
		c.startWatch()
		a.expect(c.limited(c.f.o.Timeouts.FirstByte - watchAfter))
	}
}

// expect sets how long the next bytes of an upstream may take. A cancelled
// attempt waits no more.
func (a *attempt) expect(timeout time.Duration) {
	_ = a.back.nc.SetReadDeadline(time.Now().Add(timeout))
	if a.over.Load() {
		_ = a.back.nc.SetReadDeadline(time.Unix(1, 0))
	}
}

// expectHead sets how long the head behind an interim one may take. While a body
// is carried there is no such time; where that ends, its end sets one, which may
// be right now.
func (c *conn) expectHead(a *attempt) {
	a.expect(c.limited(endless))
	switch {
	case c.pump.cut.Load():
		a.expect(c.limited(LingerTime))
	case c.body.ended.Load():
		a.expect(c.patience(true))
	}
}

// isStale reports whether an idle connection has ended, or has something to
// say that nobody asked for. It takes a system call, and no time.
func isStale(nc net.Conn) bool {
	stale := true
	has, err := control(nc, func(fd int) {
		var one [1]byte
		_, _, err := syscall.Recvfrom(fd, one[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		stale = !errors.Is(err, syscall.EAGAIN) && !errors.Is(err, os.ErrDeadlineExceeded)
	})
	return has && (err != nil || stale)
}
