package ledger

import (
	"container/heap"
	"slices"

	"github.com/polymath-run/polymath"
)

// function is one name of a calculation and where demand for it meets supply:
// the idle sessions that want it, and the queues that have jobs of it.
type function struct {
	name   string
	jobs   uint64 // unfinished
	wanted uint32 // sessions whose demand names it
	slots  uint64 // of those sessions together
	idle   line
	open   offers
}

// function is the number of a function's name. A new name gets the next
// number, or that of a name that no job and no demand has a use for.
func (l *Ledger) function(name string) (uint16, error) {
	if n, ok := l.names[name]; ok {
		return n, nil
	}
	n := len(l.functions)
	if n >= maxFunctions {
		n = slices.IndexFunc(l.functions, func(f *function) bool { return f.jobs == 0 && f.wanted == 0 })
		if n < 0 {
			return 0, polymath.Errorf(polymath.Overloaded, "jobs and workers name %d functions, the most this server takes", maxFunctions)
		}
		l.forgetFunction(uint16(n))
		l.functions[n] = &function{name: name}
	} else {
		l.functions = append(l.functions, &function{name: name})
	}
	l.names[name] = uint16(n)
	return uint16(n), nil
}

// forgetFunction makes room for another name under a number.
func (l *Ledger) forgetFunction(n uint16) {
	delete(l.names, l.functions[n].name)
	for _, s := range l.sessions {
		s.rates = slices.DeleteFunc(s.rates, func(r rate) bool { return r.function == n })
	}
}

// line is the idle sessions that want one function, longest waiting first.
// The spot of a session that is idle no longer stays until it comes to the
// front, or until such spots outnumber the others.
type line struct {
	spots []spot
	idle  int // spots that are current
}

// spot is a session's place in a line.
type spot struct {
	session *session
	since   uint64 // session.since when it was taken
}

func (p spot) current() bool { return p.session.since == p.since }

func (n *line) join(s *session) {
	const slack = 16 // spots; a short line is not worth sweeping
	if len(n.spots) > 2*n.idle+slack {
		n.spots = slices.DeleteFunc(n.spots, func(p spot) bool { return !p.current() })
	}
	n.spots = append(n.spots, spot{s, s.since})
	n.idle++
}

// first is the session that waited longest, but for one; or nil.
func (n *line) first(except *session) *session {
	for len(n.spots) > 0 && !n.spots[0].current() {
		n.spots = cut(n.spots, 0)
	}
	if n.idle == 0 {
		return nil
	}
	for _, p := range n.spots {
		if p.current() && p.session != except {
			return p.session
		}
	}
	return nil
}

// offers is a heap of what open queues have of one function, by how due the
// queue is.
type offers []*offer

func (h offers) Len() int           { return len(h) }
func (h offers) Less(i, k int) bool { return h[i].queue.before(h[k].queue) }
func (h offers) Swap(i, k int) {
	h[i], h[k] = h[k], h[i]
	h[i].place, h[k].place = i, k
}

// Push is for container/heap.
func (h *offers) Push(x any) {
	o := x.(*offer)
	o.place = len(*h)
	*h = append(*h, o)
}

// Pop is for container/heap.
func (h *offers) Pop() any {
	last := len(*h) - 1
	o := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	o.place = -1
	return o
}

// list puts an offer where its queue's state wants it: in its function's
// heap when it can be served, else out of it.
func (l *Ledger) list(o *offer, open bool) {
	h := &l.functions[o.function].open
	switch want := open && o.jobs.len() > 0; {
	case want && o.place < 0:
		heap.Push(h, o)
	case want:
		heap.Fix(h, o.place)
	case o.place >= 0:
		heap.Remove(h, o.place)
	}
}

// relist does so for a queue that opened, closed or moved.
func (l *Ledger) relist(q *queue) {
	open := q.open()
	for _, o := range q.offers {
		l.list(o, open)
	}
}
