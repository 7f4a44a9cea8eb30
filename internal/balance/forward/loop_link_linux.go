package forward

import (
	"syscall"
	"time"

	"github.com/polymath-run/polymath/internal/balance/descriptor"
	"github.com/polymath-run/polymath/internal/balance/http1"
)

// link is a connection to an upstream, and the attempt it is used for.
type link struct {
	sock
	pool    *upstreamPool
	of      *client // who is served; nil while it is idle
	dialing bool
	reused  bool

	// Of the attempt.
	begun   time.Duration
	latency time.Duration // until the head; 0: it has not come
	status  int
	interim int    // 1xx that came
	heard   bool   // a byte of the answer has come
	passing bool   // the head was passed on, the body follows
	last    bool   // the connection ends with this answer
	full    bool   // the last read filled the scratch: more may be there
	held    []byte // of a head that has not come whole
	body    http1.Body
	left    int64
	chunks  http1.Chunks
}

// upstreamPool is the connections of a thread to one upstream. It is there as long as
// there is one.
type upstreamPool struct {
	upstream *Upstream
	idle     []*link // the one used last is at the end, and used first
	links    int
}

// poolOf is the pool of an upstream.
func (t *thread) poolOf(up *Upstream) *upstreamPool {
	p := t.pools[up]
	if p == nil {
		p = &upstreamPool{upstream: up}
		t.pools[up] = p
	}
	return p
}

// take gives a connection to an upstream, one that is there or a new one; nil
// where none comes about.
func (t *thread) take(c *client, up *Upstream) *link {
	p := t.poolOf(up)
	for n := len(p.idle); n > 0; n = len(p.idle) {
		u := p.idle[n-1]
		p.idle[n-1] = nil
		p.idle = p.idle[:n-1]
		// What may not be asked twice is not asked on a connection that has ended.
		if !u.ended && (c.x.Again || t.quiet(u)) {
			u.reused = true
			t.stats.Reused++
			return u
		}
		t.closeLink(u)
		p = t.poolOf(up)
	}
	return t.dial(p)
}

// quiet reports whether a connection is open, as far as is known, with nothing
// to read.
func (t *thread) quiet(u *link) bool {
	_, e := peek(u.fd, t.out[:1])
	return e == again
}

// dial begins a connection.
func (t *thread) dial(p *upstreamPool) *link {
	fd, err := socket(p.upstream.Address.Addr())
	if descriptor.IsShort(err) && t.spare() {
		fd, err = socket(p.upstream.Address.Addr())
	}
	t.bare = descriptor.IsShort(err)
	if err == nil {
		err = syscall.Connect(int(fd), sockaddr(p.upstream.Address))
		if err == syscall.EINPROGRESS { //nolint:errorlint // what Connect gives is the number itself
			err = nil
		}
		u := &link{sock: sock{fd: fd, blocked: true}, pool: p, dialing: true}
		u.sock.link = u
		if err == nil && t.add(&u.sock) {
			t.stats.Dialed++
			t.stats.Upstreams++
			t.upstreams++
			p.links++
			return u
		}
		closeSocket(fd)
	}
	t.release(p)
	return nil
}

// spare closes a connection to an upstream that nobody uses, if there is one.
func (t *thread) spare() bool {
	for _, p := range t.pools {
		if len(p.idle) > 0 {
			t.closeLink(p.idle[0])
			return true
		}
	}
	return false
}

// unreached is how an attempt ends for which no connection came about.
func (t *thread) unreached(now time.Duration) Result {
	if t.bare { // nobody's fault but ours
		return Result{Kind: Abandoned, Now: now}
	}
	return Result{Kind: Unreached, Now: now}
}

// release forgets a pool without connections.
func (t *thread) release(p *upstreamPool) {
	if p.links == 0 && t.pools[p.upstream] == p {
		delete(t.pools, p.upstream)
	}
}

// closeLink closes a connection; an attempt on it that runs has failed.
func (t *thread) closeLink(u *link) {
	if u.closed {
		return
	}
	if u.of != nil {
		t.fail(u, Broken)
		return
	}
	for i, other := range u.pool.idle {
		if other == u {
			u.pool.idle = append(u.pool.idle[:i], u.pool.idle[i+1:]...)
			break
		}
	}
	t.forget(&u.sock)
	t.buffers.put(u.held)
	u.held = nil
	closeSocket(u.fd)
	t.upstreams--
	t.stats.Upstreams--
	u.pool.links--
	t.release(u.pool)
}

// writeLink goes on with what waited for room, or for the connection.
func (t *thread) writeLink(u *link) {
	if u.dialing {
		code, err := syscall.GetsockoptInt(int(u.fd), syscall.SOL_SOCKET, syscall.SO_ERROR)
		if err != nil || code != 0 || itself(u.fd, u.pool.upstream.Address) {
			t.fail(u, Unreached)
			return
		}
		u.dialing = false
	}
	if !t.flush(&u.sock) {
		t.refused(u)
		return
	}
	if u.of == nil {
		return
	}
	t.paceLink(u)
	if c := u.of; !u.blocked {
		t.paceClient(c)
		if c.waiting {
			t.later(&c.sock)
		}
	}
}

// refused sees to an upstream that takes nothing more. What it said before it
// ended its connection may still be there to read.
func (t *thread) refused(u *link) {
	u.ended, u.gone = true, true
	t.later(&u.sock)
}

// paceLink sets the timer of a connection in use after it has got on.
func (t *thread) paceLink(u *link) {
	c, wait := u.of, &t.options.Timeouts
	switch {
	case u.dialing:
		t.wheel.set(&u.timer, t.now+wait.Connect)
	case u.blocked && !u.gathered:
		t.wheel.set(&u.timer, t.now+wait.Write)
	case u.passing && c.unsent() > 0, !u.passing && c.partial:
		u.timer.never() // the client's turn
	case u.passing:
		t.wheel.set(&u.timer, t.now+wait.Answer)
	default:
		t.wheel.set(&u.timer, t.now+wait.FirstByte)
	}
}

// expireLink sees to a connection whose time is up.
func (t *thread) expireLink(u *link) {
	switch {
	case u.of == nil:
		t.closeLink(u)
	case u.dialing:
		t.fail(u, Unreached)
	case u.passing:
		t.fail(u, Cut)
	default:
		t.fail(u, Late)
	}
}

// silence sees to an upstream that has ended its connection.
func (t *thread) silence(u *link, e syscall.Errno) {
	switch {
	case !u.passing:
		t.fail(u, Broken)
	case u.body == http1.UntilClose && e == fine:
		t.answered(u)
	default:
		t.fail(u, Cut)
	}
}

// retire keeps a connection for the next request, or closes it.
func (t *thread) retire(u *link) {
	p := u.pool
	if u.last || u.ended || u.blocked || t.draining || len(p.idle) >= t.idleLimit || u.full && !t.quiet(u) {
		t.closeLink(u)
		return
	}
	t.buffers.put(u.held)
	u.held = nil
	p.idle = append(p.idle, u)
	t.wheel.set(&u.timer, t.now+t.options.Timeouts.Idle)
}
