package forward

import (
	"net/netip"
	"strings"
	"syscall"
	"time"

	"github.com/polymath-run/polymath/internal/balance/http1"
)

// begin begins the exchange of the head that was parsed. data has it, as far as
// taken, and what came behind it; it is c.held, or was just read.
func (t *thread) begin(c *client, data []byte, taken int) {
	r := &t.request
	t.stats.Requests++
	c.kept = append(t.buffers.get(taken), data[:taken]...)
	t.hold(c, data[taken:])
	t.parsed = c
	t.joined = t.joined[:0]

	c.phase, c.size, c.target, c.verb = asking, r.Size, r.Target, r.Verb
	c.last, c.bye, c.whole = r.Close, r.Close, taken <= MaxReplay
	c.hinted, c.spoken, c.done, c.hedge = false, false, false, 0
	method := r.Verb.String()
	if r.Verb == http1.Other {
		method = strings.Clone(textOf(r.Method.Of(c.kept)))
	}
	from := c.peer
	if len(t.options.Proxies) > 0 {
		from = r.Client(c.kept, c.peer, t.trust)
	}
	c.renew(method, from)
	c.x.Safe, c.x.Again, c.x.Begun = r.Verb.Safe(), r.Verb.Idempotent() || r.Keyed, t.now
	if refusal := t.director.Begin(&c.x); refusal != nil {
		t.refuse(c, refusal)
		return
	}
	if c.x.Again && c.whole && !c.partial {
		if after := t.director.Hedge(&c.x); after > 0 {
			c.hedge = c.x.Begun + after
		}
	}
	t.attempt(c, t.pick(c))
	if !c.closed && c.phase == asking && !c.done {
		t.paceClient(c)
	}
}

// renew makes the Exchange that of another request. What stays as it is from one
// to the next is not written again, and Received is known already.
func (c *client) renew(method string, from netip.Addr) {
	x := &c.x
	x.Method, x.Client = method, from
	x.Answered, x.Deadline, x.TimeoutField, x.Doubted = 0, 0, "", nil
	x.Fields, x.Refusal = x.Fields[:0], nil
	x.Status, x.Sent, x.Attempts = 0, 0, 0
}

// hold keeps what was read behind a request. rest may lie in c.held.
func (t *thread) hold(c *client, rest []byte) {
	switch {
	case len(c.held) == 0 && len(rest) > 0:
		c.held = append(t.buffers.get(len(rest)), rest...)
	case len(rest) > 0:
		c.held = c.held[:copy(c.held, rest)]
	default:
		t.buffers.put(c.held)
		c.held = nil
	}
}

// pick has the Director pick an upstream; nil is nobody.
func (t *thread) pick(c *client) *Upstream {
	t.joined = t.joined[:0]
	return t.director.Pick(&c.x)
}

// attempt asks the upstream that was picked; the next one at once where it
// cannot be asked.
func (t *thread) attempt(c *client, up *Upstream) {
	for range MaxAttempts {
		begun := c.x.Begun // the first attempt begins with the exchange
		if c.x.Attempts > 1 {
			begun = t.options.Now()
		}
		switch {
		case up == nil && c.x.Refusal != nil:
			t.refuse(c, c.x.Refusal)
			return
		case up == nil:
			t.refuse(c, t.options.refusals.nobody)
			return
		case !up.plain():
			t.pass(c, up)
			return
		}
		if u := t.take(c, up); u != nil {
			c.link = u
			t.ask(c, u, begun)
			return
		}
		r := t.unreached(t.options.Now())
		t.director.Done(&c.x, up, r)
		switch {
		case r.Kind == Abandoned:
			t.refuse(c, t.options.refusals.short)
			return
		case !t.director.Retry(&c.x, r):
			t.refuse(c, t.options.refusals.failure(Unreached))
			return
		}
		up = t.pick(c)
	}
	t.refuse(c, t.options.refusals.nobody)
}

// plain reports whether the loop speaks what the upstream does.
func (u *Upstream) plain() bool { return u.TLS == nil && !u.HTTP2 && u.Proxy == 0 }

// pass hands on a client for whose request somebody was picked whom the loop
// does not speak with. The exchange that has begun ends; the fallback begins it
// anew. From now on the loop hands over at once, until it is told otherwise.
func (t *thread) pass(c *client, up *Upstream) {
	t.director.Done(&c.x, up, Result{Kind: Abandoned, Now: t.options.Now()})
	t.loop.handOver.Store(true)
	data := append(append([]byte(nil), c.kept...), c.held...)
	t.end(c)
	c.phase = idle
	t.handOver(c, data)
}

// ask tells an upstream the request as far as it has come.
func (t *thread) ask(c *client, u *link, begun time.Duration) {
	u.of, u.begun = c, begun
	u.heard, u.passing, u.last, u.full, u.body = false, false, false, false, http1.None
	u.interim, u.status, u.latency = 0, 0, 0
	if t.parsed != c {
		t.request.Parse(c.kept, 0) // it was OK before
		t.parsed = c
	}
	o := http1.Outgoing{
		Peer: c.peer, Client: c.x.Client, Scheme: "http", Fields: http1.AllForwarding, Host: u.pool.upstream.Host,
		Trusted: len(t.options.Proxies) > 0 && t.trust(c.peer),
	}
	if c.x.TimeoutField != "" && c.x.Deadline != 0 {
		c.x.tellTimeout(&o, t.extra[:0], t.options.Now())
		t.extra = o.Extra
	}
	if !t.tell(c, u, &o) {
		t.refused(u)
		return
	}
	t.paceLink(u)
	if c.partial && c.waiting && !u.blocked { // for the upstream before this one
		t.later(&c.sock)
	}
}

// tell writes a request as far as it has come. It reports false where the
// connection is gone.
func (t *thread) tell(c *client, u *link, o *http1.Outgoing) bool {
	if len(c.kept) > gatherBytes/2 {
		t.out = t.request.Append(t.out[:0], c.kept, o)
		t.out = append(t.out, c.kept[c.size:]...)
		return t.write(&u.sock, t.out)
	}
	b := t.request.Append(t.buffers.get(3*len(c.kept)+gatherBytes/2), c.kept, o) // the host is told of twice
	return t.hand(&u.sock, append(b, c.kept[c.size:]...))
}

// refuse answers in the balancer's own name.
func (t *thread) refuse(c *client, r *Refusal) {
	t.stats.Refused++
	c.x.Status, c.done = r.Status, true
	c.last = c.last || c.partial || t.loop.retired.Load()
	answer := r.Append(t.out[:0], c.verb == http1.HEAD, c.last)
	if c.verb != http1.HEAD {
		c.x.Sent = int64(len(r.Body()))
	}
	t.say(c, answer)
}

// fail sees to an attempt that failed: another may still be running, or be
// made, or the client is told.
func (t *thread) fail(u *link, kind Kind) {
	c, up := u.of, u.pool.upstream
	stale := kind == Broken && u.reused && !u.heard && c.x.Again && c.whole && !c.hinted
	body := u.body
	other := c.other(u)
	r := t.drop(u, kind, stale)
	c.link, c.second = other, nil
	if stale {
		if t.again(c, up, u.begun) {
			return
		}
		r = t.unreached(t.now)
		t.director.Done(&c.x, up, r)
	}
	switch {
	case other != nil:
	case r.Kind == Abandoned:
		t.refuse(c, t.options.refusals.short)
	case c.spoken:
		t.cut(c, body)
	case c.whole && !c.hinted && c.x.Attempts < MaxAttempts && t.director.Retry(&c.x, r):
		c.hedge = 0
		t.attempt(c, t.pick(c))
		if !c.closed && c.phase == asking && !c.done {
			t.paceClient(c)
		}
	default:
		t.refuse(c, t.options.refusals.failure(r.Kind))
	}
}

// again asks the same upstream on a new connection: the one that was kept had
// ended by the time it was used, which is nobody's fault and no attempt.
func (t *thread) again(c *client, up *Upstream, begun time.Duration) bool {
	u := t.dial(t.poolOf(up))
	if u == nil {
		return false
	}
	if c.link == nil {
		c.link = u
	} else {
		c.second = u
	}
	t.ask(c, u, begun)
	t.paceClient(c) // whose turn it is not before there is a connection
	return true
}

// other is the attempt that runs beside this one; nil without.
func (c *client) other(u *link) *link {
	if c.link == u {
		return c.second
	}
	return c.link
}

// drop ends an attempt and closes its connection. Where it is silent the
// Director is not told.
func (t *thread) drop(u *link, kind Kind, silent bool) Result {
	c := u.of
	now := t.options.Now()
	r := Result{Kind: kind, Status: u.status, Latency: u.latency, Now: now}
	if u.latency == 0 {
		r.Latency = now - u.begun
	}
	u.of = nil
	if !silent {
		t.joined = t.joined[:0]
		t.director.Done(&c.x, u.pool.upstream, r)
	}
	t.closeLink(u)
	return r
}

// dropAll ends the attempts that run.
func (t *thread) dropAll(c *client, kind Kind) {
	first, second := c.link, c.second
	c.link, c.second = nil, nil
	for _, u := range [...]*link{first, second} {
		if u != nil {
			t.drop(u, kind, false)
		}
	}
}

// abandon ends the exchange of a client that is going away.
func (t *thread) abandon(c *client) {
	t.dropAll(c, Abandoned)
	c.x.Sent = max(0, c.x.Sent-int64(c.unsent()))
	t.end(c)
}

// cut ends the connection of a client whose answer cannot be completed, so that
// it can tell: what has come is sent, and then too little of it. Where the end
// of the connection would be the end of the body, a reset says that it is not.
func (t *thread) cut(c *client, body http1.Body) {
	c.last, c.done = true, true
	if body == http1.UntilClose {
		_ = syscall.SetsockoptLinger(int(c.fd), syscall.SOL_SOCKET, syscall.SO_LINGER, &syscall.Linger{Onoff: 1})
		t.closeClient(c)
		return
	}
	t.settle(c)
}

// giveUp ends an exchange whose time is up, in words where it is not too late
// for words.
func (t *thread) giveUp(c *client, kind Kind, r *Refusal) {
	if c.spoken {
		t.closeClient(c)
		return
	}
	t.dropAll(c, kind)
	t.refuse(c, r)
}

// askSecond asks a second upstream beside one that takes its time.
func (t *thread) askSecond(c *client) {
	if c.link == nil || c.second != nil || c.link.heard || !c.whole || c.x.Attempts >= MaxAttempts {
		return
	}
	up := t.pick(c)
	if up == nil {
		c.x.Refusal = nil
		return
	}
	now := t.options.Now()
	var u *link
	if up.plain() {
		u = t.take(c, up)
	}
	if u == nil {
		t.director.Done(&c.x, up, t.unreached(now))
		return
	}
	c.second = u
	t.ask(c, u, now)
}

// The facts of a request, for the Director. They lie in what is kept of it.

// Header implements pick.Facts.
func (c *client) Header(name string) string {
	t := c.thread
	if c.size == 0 {
		return ""
	}
	if t.parsed != c {
		t.request.Parse(c.kept, 0) // it was OK before
		t.parsed = c
	}
	var value []byte
	value, t.joined = t.request.Field(c.kept, name, t.joined)
	return textOf(value)
}

// Target implements pick.Facts.
func (c *client) Target() string {
	if c.size == 0 {
		return ""
	}
	return textOf(c.target.Of(c.kept))
}

// Client implements pick.Facts.
func (c *client) Client() netip.Addr { return c.x.Client }
