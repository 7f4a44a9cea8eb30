package forward

import (
	"slices"
	"syscall"
)

// Reading comes in three parts, so that the call into the kernel is made at the top
// of the loop: whether to read (wants), the call, and what came (got).

// look sees to one event but for reading, and gives the socket to read from; nil
// is none.
func (t *thread) look(e *syscall.EpollEvent) *sock {
	if e.Fd == t.wake {
		clearCount(t.wake)
		return nil
	}
	if slices.Contains(t.listeners, e.Fd) {
		t.acceptAll(e.Fd)
		return nil
	}
	if int(e.Fd) >= len(t.table) {
		return nil
	}
	s := t.table[e.Fd]
	if s == nil || s.round != e.Pad {
		return nil
	}
	if e.Events&(eventEnd|eventHangup|eventError) != 0 {
		s.ended = true
		s.gone = s.gone || e.Events&(eventHangup|eventError) != 0
	}
	if e.Events&eventOut != 0 && s.blocked {
		t.writable(s)
	}
	if e.Events&(eventIn|eventEnd|eventHangup|eventError) == 0 || s.closed {
		return nil
	}
	t.turnTo(s)
	return s
}

// readable reads, from whichever side.
func (t *thread) readable(s *sock) {
	t.turnTo(s)
	t.readOn(s)
}

// readOn reads as long as there is something that somebody takes.
func (t *thread) readOn(s *sock) {
	for t.wants(s) {
		n, why := receive(s.fd, t.in[headroom:])
		if !t.got(s, n, why) {
			return
		}
	}
}

// turnTo sees to what comes before reading.
func (t *thread) turnTo(s *sock) {
	s.waiting = false
	if s.client != nil {
		t.turnToClient(s.client)
	}
}

// wants reports whether a socket is read from now.
func (t *thread) wants(s *sock) bool {
	if s.client != nil {
		return t.wantsClient(s.client)
	}
	return t.wantsLink(s.link)
}

// got takes what was read, and reports whether there may be more.
func (t *thread) got(s *sock, n int, why syscall.Errno) bool {
	if s.client != nil {
		return t.gotClient(s.client, n, why)
	}
	return t.gotLink(s.link, n, why)
}

// turnToClient sees to what comes before anything is read of a client.
func (t *thread) turnToClient(c *client) {
	if c.phase == idle && c.gathered { // see wantsClient
		t.writeClient(c)
	}
	if c.phase == idle && len(c.held) > 0 && c.hedge == 0 { // else its head is known to be a part
		t.parse(c, c.held)
	}
}

// wantsClient reports whether what a client sends is read now: as far as
// somebody takes it.
func (t *thread) wantsClient(c *client) bool {
	switch {
	case c.closed:
		return false
	case c.queued: // what is held comes first, and others before that
		c.waiting = true
		return false
	case c.phase == idle && c.gathered: // what it says next, or its end, comes behind its answer
		t.later(&c.sock)
		return false
	case c.phase == asking && (!c.partial || c.done || t.full(c)):
		if c.gone {
			t.closeClient(c)
		}
		c.waiting = true
		return false
	}
	return true
}

// gotClient takes n bytes that were read of a client, or none for why. It
// reports whether there may be more.
func (t *thread) gotClient(c *client, n int, why syscall.Errno) bool {
	switch {
	case why == again:
		return false
	case why != fine, n == 0:
		t.closeClient(c)
		return false
	}
	t.hear(c, t.in[headroom:headroom+n])
	return n == scratchBytes || c.ended
}

// wantsLink reports whether what an upstream sends is read now: as far as the
// client takes it.
func (t *thread) wantsLink(u *link) bool {
	c := u.of
	switch {
	case u.closed:
		return false
	case c == nil: // it has nothing to say, and no reason to end
		if u.ended || !t.quiet(u) {
			t.closeLink(u)
		}
		return false
	case u.dialing:
		if u.gone {
			t.fail(u, Unreached)
		}
		return false
	case c.blocked:
		u.waiting = true
		return false
	}
	return true
}

// gotLink takes n bytes that were read of an upstream, or none for why. It
// reports whether there may be more.
func (t *thread) gotLink(u *link, n int, why syscall.Errno) bool {
	c := u.of
	switch {
	case why == again:
		if u.gone { // so a write was told, and nothing is there
			t.silence(u, syscall.ECONNRESET)
		}
		return false
	case why != fine || n == 0:
		t.silence(u, why)
		return false
	}
	t.listenTo(u, c, n)
	if u.closed || u.of != c {
		return false
	}
	t.paceLink(u)
	return n == scratchBytes || u.ended
}
