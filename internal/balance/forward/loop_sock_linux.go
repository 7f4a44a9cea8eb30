package forward

// sock is what both ends of a thread have: a descriptor, what could not be
// written to it yet, and what the system has told of it.
type sock struct {
	fd    int32
	round int32 // of the thread; an event with another is of a predecessor

	closed  bool
	blocked bool // a write found no room, or a connection is not there yet: an event follows; or it was gathered
	waiting bool // there may be something to read, which was left for later
	ended   bool // the other side sends nothing behind what is there
	gone    bool // the other side takes nothing either
	queued  bool // among the unfinished

	timer timer
	rest  []byte // what is still to be written: unsent is its end
	sent  int    // of rest

	client *client // one of these has the sock
	link   *link
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
	}
	s.blocked = true
	if s.rest == nil {
		s.rest = t.buffers.get(len(b))
	}
	s.rest = t.buffers.add(s.rest, b)
	return true
}

// sendGathered goes on with those whose writes were gathered.
func (t *thread) sendGathered() {
	for i := 0; i < len(t.gathered); i++ {
		if s := t.gathered[i]; s.blocked && !s.closed {
			t.writable(s)
		}
	}
	clear(t.gathered)
	t.gathered = t.gathered[:0]
}

// flush sends what is left. It reports false where the connection is gone.
func (t *thread) flush(s *sock) bool {
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
	s.blocked = false
	t.buffers.put(s.rest)
	s.rest, s.sent = nil, 0
	return true
}

// writable goes on writing, and with what waited for it.
func (t *thread) writable(s *sock) {
	if s.client != nil {
		t.writeClient(s.client)
	} else {
		t.writeLink(s.link)
	}
}
