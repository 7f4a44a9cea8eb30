package forward

// sock is what both ends of a thread have: a descriptor, what could not be
// written to it yet, and what the system has told of it.
type sock struct {
	fd    int32
	round int32 // of the thread; an event with another is of a predecessor

	closed   bool
	blocked  bool // a write found no room, or a connection is not there yet: an event follows; or it was gathered
	gathered bool // what is to be written goes at the end of the round
	waiting  bool // there may be something to read, which was left for later
	ended    bool // the other side sends nothing behind what is there
	gone     bool // the other side takes nothing either
	queued   bool // among the unfinished

	client *client // one of these has the sock
	link   *link

	rest  []byte // what is still to be written: unsent is its end
	sent  int    // of rest
	timer timer
}

// unsent is how many bytes wait to be written.
func (s *sock) unsent() int { return len(s.rest) - s.sent }

// add makes a socket known to the thread.
func (t *thread) add(s *sock) bool {
	for int(s.fd) >= len(t.table) {
		t.table = append(t.table, make([]*sock, len(t.table)+64)...)
	}
	t.round++
	s.round = t.round
	s.timer.owner = s
	if register(t.epoll, s.fd, eventIn|eventOut|eventEnd|eventEdge, s.round) != nil {
		return false
	}
	t.table[s.fd] = s
	return true
}

// forget takes a socket out of the thread, without closing it.
func (t *thread) forget(s *sock) {
	s.closed = true
	t.table[s.fd] = nil
	t.wheel.remove(&s.timer)
	t.buffers.put(s.rest)
	s.rest, s.sent = nil, 0
}

// What is not sent at once, but at the end of a round: whoever gets much of what
// is sent one right after the other is woken once for all of it.
const (
	gatherBytes = 1 << 10 // of one write at most
	gatherMost  = 32      // writes, for which nobody waits any longer
)

// write sends b, or keeps it: what does not fit, and what is gathered. It
// reports false where the connection is gone.
func (t *thread) write(s *sock, b []byte) bool {
	if !s.blocked && len(b) > gatherBytes {
		n, e := send(s.fd, b)
		switch {
		case e == fine && n == len(b):
			return true
		case e == fine:
			b = b[n:] // the socket's buffer is full: an event follows
		case e != again:
			return false
		}
	} else if !s.blocked {
		t.gathered = append(t.gathered, s)
		s.gathered = true
	}
	s.blocked = true
	if s.rest == nil {
		s.rest = t.buffers.get(len(b))
	}
	s.rest = t.buffers.add(s.rest, b)
	return true
}

// hand is write, of a buffer of the pool, which it takes over.
func (t *thread) hand(s *sock, b []byte) bool {
	if s.blocked || len(b) > gatherBytes {
		taken := t.write(s, b)
		t.buffers.put(b)
		return taken
	}
	t.gathered = append(t.gathered, s)
	s.gathered, s.blocked, s.rest = true, true, b
	return true
}

// sendGathered goes on with those whose writes were gathered.
func (t *thread) sendGathered() {
	for i := 0; i < len(t.gathered); i++ {
		s := t.gathered[i]
		if !s.gathered || s.closed {
			continue
		}
		n, why := send(s.fd, s.rest[s.sent:])
		if why == fine {
			s.sent += n
		}
		if s.unsent() > 0 || !s.plain() {
			t.writable(s)
			continue
		}
		t.clear(s)
	}
	clear(t.gathered)
	t.gathered = t.gathered[:0]
}

// flush sends what is left. It reports false where the connection is gone.
func (t *thread) flush(s *sock) bool {
	s.gathered = false
	for s.unsent() > 0 {
		n, e := send(s.fd, s.rest[s.sent:])
		switch {
		case e == again:
			return true
		case e != fine:
			return false
		}
		s.sent += n
	}
	t.clear(s)
	return true
}

// clear is for a socket whose writes have all been sent.
func (t *thread) clear(s *sock) {
	s.blocked, s.gathered = false, false
	t.buffers.put(s.rest)
	s.rest, s.sent = nil, 0
}

// plain reports whether nothing waits for what was gathered to be sent.
func (s *sock) plain() bool {
	if s.client != nil {
		return s.client.phase == idle
	}
	return !s.link.dialing && (s.link.of == nil || !s.link.of.partial)
}

// writable goes on writing, and with what waited for it.
func (t *thread) writable(s *sock) {
	if s.client != nil {
		t.writeClient(s.client)
	} else {
		t.writeLink(s.link)
	}
}
