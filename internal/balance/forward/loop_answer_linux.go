package forward

import (
	"github.com/polymath-run/polymath/internal/balance/http1"
)

// listenTo takes n bytes that were just read of an upstream.
func (t *thread) listenTo(u *link, c *client, n int) {
	data := t.in[headroom : headroom+n]
	u.full = n == scratchBytes
	if u.passing {
		t.pour(u, c, data, 0)
		return
	}
	u.heard = true
	inPlace := len(u.held) == 0
	if !inPlace {
		u.held = t.buffers.add(u.held, data)
		data = u.held
	}
	for {
		switch t.response.Parse(data, 0, c.verb) {
		case http1.More:
			t.holdHead(u, data)
			return
		case http1.Bad:
			t.fail(u, Unusable)
			return
		}
		r := &t.response
		if r.Status >= 200 {
			break
		}
		if u.interim++; u.interim > MaxInformational || r.Status == 101 {
			t.fail(u, Unusable)
			return
		}
		t.alone(u, c)
		t.out = r.Append(t.out[:0], data, &http1.Answer{})
		c.hinted = true
		if !t.write(&c.sock, t.out) {
			t.closeClient(c)
			return
		}
		inPlace = false
		if data = data[r.Size:]; len(data) == 0 {
			t.holdHead(u, nil)
			return
		}
	}
	if !c.x.doubts(t.response.Status) || !t.instead(u, c, data) {
		t.passHead(u, c, data, inPlace)
	}
}

// instead asks another upstream where the answer whose head was parsed is not to
// be passed on if there is one; it reports false where the answer is the
// client's after all. Nothing of data is used behind it.
func (t *thread) instead(u *link, c *client, data []byte) bool {
	if !c.whole || c.partial || c.hinted || c.gone {
		return false
	}
	now := t.options.Now()
	u.status, u.latency = t.response.Status, max(now-u.begun, 1)
	if other := c.other(u); other != nil {
		c.link, c.second = other, nil
		t.throw(u, c, data)
		return true
	}
	r := Result{Kind: Answered, Status: u.status, Latency: u.latency, Now: now}
	if c.x.Attempts >= MaxAttempts || !t.director.Retry(&c.x, r) {
		return false
	}
	up := t.pick(c)
	if up == nil {
		c.x.Refusal = nil
		return false
	}
	c.link, c.hedge = nil, 0
	t.throw(u, c, data)
	t.attempt(c, up)
	if !c.closed && c.phase == asking && !c.done {
		t.paceClient(c)
	}
	return true
}

// throw ends an attempt whose answer nobody gets. Its connection lasts where all
// of the answer is in data.
func (t *thread) throw(u *link, c *client, data []byte) {
	r := &t.response
	rest, whole := data[r.Size:], false
	switch r.Body {
	case http1.None:
		whole = len(rest) == 0
	case http1.Length:
		whole = int64(len(rest)) == r.Length
	case http1.Chunked:
		u.chunks.Reset()
		n, v := u.chunks.Scan(rest)
		whole = v == http1.OK && n == len(rest)
	case http1.UntilClose:
	}
	u.of, u.last = nil, r.Close || !whole
	t.joined = t.joined[:0]
	t.director.Done(&c.x, u.pool.upstream, Result{Kind: Answered, Status: u.status, Latency: u.latency, Now: t.options.Now()})
	t.retire(u)
}

// holdHead keeps the beginning of a head. data may lie in u.held.
func (t *thread) holdHead(u *link, data []byte) {
	switch {
	case len(u.held) > 0:
		u.held = u.held[:copy(u.held, data)]
	case len(data) > 0:
		u.held = append(t.buffers.get(len(data)), data...)
	}
}

// alone lets go of the attempt that was slower, or of the thought of one.
func (t *thread) alone(u *link, c *client) {
	other := c.other(u)
	c.link, c.second = u, nil
	if c.hedge != 0 {
		c.hedge = 0
		t.paceClient(c)
	}
	if other != nil {
		t.drop(other, Abandoned, false)
	}
}

// passHead passes on the head that was parsed, with what came of the body.
func (t *thread) passHead(u *link, c *client, data []byte, inPlace bool) {
	r := &t.response
	t.alone(u, c)
	now := t.now
	u.passing, u.status, u.latency = true, r.Status, max(now-u.begun, 1)
	u.body, u.left, u.last = r.Body, r.Length, r.Close
	if u.body == http1.Chunked {
		u.chunks.Reset()
	}
	c.x.Status, c.x.Answered, c.spoken = r.Status, now, true
	c.last = c.last || c.partial || u.body == http1.UntilClose || t.loop.retired.Load()
	extra := http1.Answer{Close: c.last, Extra: c.x.Fields}
	if len(data)+len(extra.Extra) <= gatherBytes/2 {
		b := r.Append(t.buffers.get(gatherBytes), data, &extra)
		t.pourAll(u, c, append(b, data[r.Size:]...), len(b))
		return
	}
	t.out = r.Append(t.out[:0], data, &extra)
	head := len(t.out)
	if begin := headroom + r.Size - head; inPlace && begin >= 0 {
		copy(t.in[begin:], t.out) // right before the body: both go with one call
		t.pour(u, c, t.in[begin:headroom+len(data)], head)
		return
	}
	t.out = append(t.out, data[r.Size:]...)
	t.buffers.put(u.held)
	u.held = nil
	t.pour(u, c, t.out, head)
}

// pour passes on what came of a body, behind as many bytes of a head.
func (t *thread) pour(u *link, c *client, data []byte, head int) {
	n, whole, ok := u.more(c, data[head:])
	switch {
	case !ok:
		t.fail(u, Cut)
	case !t.write(&c.sock, data[:head+n]):
		t.closeClient(c)
	default:
		t.poured(u, c, whole)
	}
}

// pourAll is pour, of a buffer of the pool, which it takes over.
func (t *thread) pourAll(u *link, c *client, data []byte, head int) {
	n, whole, ok := u.more(c, data[head:])
	if !ok {
		t.buffers.put(data)
		t.fail(u, Cut)
		return
	}
	t.buffers.put(u.held)
	u.held = nil
	if !t.hand(&c.sock, data[:head+n]) {
		t.closeClient(c)
		return
	}
	t.poured(u, c, whole)
}

// poured goes on after what came was passed on.
func (t *thread) poured(u *link, c *client, whole bool) {
	switch {
	case whole:
		t.answered(u)
	case c.unsent() > 0:
		t.paceClient(c)
	}
}

// more tells how much of what was read is of the answer's body, counts it off,
// and whether that is all. It reports false where chunks are malformed.
func (u *link) more(c *client, body []byte) (n int, whole, ok bool) {
	n = len(body)
	content := int64(n)
	switch u.body {
	case http1.None:
		n, content, whole = 0, 0, true
	case http1.Length:
		n = int(min(int64(n), u.left))
		u.left -= int64(n)
		content, whole = int64(n), u.left == 0
	case http1.Chunked:
		before := u.chunks.Content
		used, v := u.chunks.Scan(body)
		if v == http1.Bad {
			return 0, false, false
		}
		n, content, whole = used, u.chunks.Content-before, v == http1.OK
	case http1.UntilClose:
	}
	c.x.Sent += content
	u.last = u.last || n < len(body) // more than an answer: who knows what it is
	return n, whole, true
}

// answered ends an attempt with its answer.
func (t *thread) answered(u *link) {
	c := u.of
	u.of, c.link = nil, nil
	t.joined = t.joined[:0]
	t.director.Done(&c.x, u.pool.upstream, Result{Kind: Answered, Status: u.status, Latency: u.latency, Now: max(t.now, c.x.Answered)})
	if c.partial { // it has not been told the whole request
		u.last = true
	}
	t.retire(u)
	c.done = true
	t.settle(c)
}
