package link

import (
	"maps"
	"slices"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/api/polymathv1"
	"github.com/polymath-run/polymath/internal/wire"
)

// question is what a call asks.
type question interface {
	// put adds it to a message, under its call's number, and says about how
	// many bytes it takes. It may be put into several streams' messages.
	put(m *polymathv1.Calls, number uint64) int
	// done hears the reply, which is valid until it returns but for its picture,
	// or why there will be none; again: it was asked in an earlier stream, too.
	done(r *polymathv1.Reply, err error, again bool)
}

// call is something asked for.
type call struct {
	number   uint64
	question question
	// once: when the stream breaks the call fails instead of being sent again.
	once  bool
	sent  bool // in some stream; guarded as again is
	again bool // in a later stream, too; guarded by Link.mu while it is pending
}

// put adds the call to a message.
func (c *call) put(m *polymathv1.Calls) int { return c.question.put(m, c.number) }

// end gives the call its reply, or says why there is none.
func (c *call) end(r *polymathv1.Reply, err error) { c.question.done(r, err, c.again) }

// asked is a question made of two functions: one that is not asked so often
// that it must cost nothing.
type asked struct {
	write func(m *polymathv1.Calls, number uint64) int
	hear  func(r *polymathv1.Reply, err error)
}

func (a *asked) put(m *polymathv1.Calls, number uint64) int      { return a.write(m, number) }
func (a *asked) done(r *polymathv1.Reply, err error, again bool) { a.hear(r, err) }

// next is the next message to send, or nil.
func (l *Link) next() *polymathv1.Calls {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.outgoing) == 0 {
		return nil
	}
	m := l.outgoing[0]
	if l.outgoing = l.outgoing[1:]; len(l.outgoing) == 0 {
		l.outgoing = nil
	}
	return m
}

// begin makes of what is not answered the first messages of a new stream.
func (l *Link) begin() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.standing = true
	l.outgoing = nil
	numbers := slices.Sorted(maps.Keys(l.pending))
	for _, s := range l.seats { // first: what workers ask for comes after
		l.rejoin(s)
	}
	for _, n := range numbers {
		c := l.pending[n]
		c.again = c.sent
		c.sent = true
		l.put(c)
	}
}

// newest is the message to add something to: a new one when the last is large
// enough. l.mu is held, and l.bytes is to be raised.
func (l *Link) newest() *polymathv1.Calls {
	if len(l.outgoing) == 0 || l.bytes > messageBytes {
		l.outgoing = append(l.outgoing, &polymathv1.Calls{})
		l.bytes = 0
	}
	select {
	case l.wake <- struct{}{}:
	default:
	}
	return l.outgoing[len(l.outgoing)-1]
}

// put adds a call to the newest message. l.mu is held.
func (l *Link) put(c *call) {
	m := l.newest()
	l.bytes += c.put(m)
}

// say sends something that needs no answer, unless the stream is away.
func (l *Link) say(put func(*polymathv1.Calls) int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.standing {
		m := l.newest()
		l.bytes += put(m)
	}
}

// ask sends calls. It returns when they are on their way, or are refused.
func (l *Link) ask(calls ...*call) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.closed:
		return polymath.Errorf(polymath.Unavailable, "the client is closed")
	case len(calls) > MaxPending:
		return polymath.Errorf(polymath.TooLarge, "%d calls at once are more than %d: ask for less at a time", len(calls), MaxPending)
	case len(l.pending)+len(calls) > MaxPending:
		return polymath.Errorf(polymath.Overloaded, "%d calls wait for their answers, the most there may be: ask for less at a time", len(l.pending))
	case !l.standing && slices.ContainsFunc(calls, func(c *call) bool { return c.once }):
		return errAway()
	}
	for _, c := range calls {
		l.number++
		c.number = l.number
		l.pending[c.number] = c
		if c.sent = l.standing; l.standing {
			l.put(c)
		}
	}
	return nil
}

// errAway is what calls that are not repeated get without a stream.
func errAway() error {
	return polymath.Errorf(polymath.Unavailable, "the connection to the server broke: it is opened again")
}

// take hands out what a message says.
func (l *Link) take(m *polymathv1.Replies) {
	l.granted(m.GetGrants())
	replies := m.GetReplies()
	calls := make([]*call, len(replies))
	l.mu.Lock()
	for i, r := range replies {
		calls[i] = l.pending[r.GetCall()]
		delete(l.pending, r.GetCall())
	}
	l.mu.Unlock()
	for i, c := range calls {
		if c != nil {
			c.end(replies[i], wire.ParseError(replies[i].GetError()))
		}
	}
	l.ended(m)
}

// broke ends the calls that are not repeated.
func (l *Link) broke() {
	l.mu.Lock()
	l.standing = false
	l.outgoing = nil
	var failed []*call
	for n, c := range l.pending {
		if c.once {
			failed = append(failed, c)
			delete(l.pending, n)
		}
	}
	l.mu.Unlock()
	for _, c := range failed {
		c.end(nil, errAway())
	}
}

// fail ends all calls.
func (l *Link) fail(err error) {
	l.mu.Lock()
	l.closed = true
	pending := l.pending
	l.pending = make(map[uint64]*call)
	l.mu.Unlock()
	for _, c := range pending {
		c.end(nil, err)
	}
}

// forget drops calls whose answers interest nobody any more.
func (l *Link) forget(calls ...*call) {
	l.mu.Lock()
	for _, c := range calls {
		delete(l.pending, c.number)
	}
	l.mu.Unlock()
}
