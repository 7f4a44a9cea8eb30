package node

import (
	"context"
	"time"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/ledger"
	"github.com/polymath-run/polymath/internal/worker"
)

// post is the core's way to the workers.
func (n *Node) post(session polymath.Ref, e SeatEvent) {
	route := n.routes[session]
	if route == nil {
		return
	}
	if _, over := e.(Closed); over {
		delete(n.routes, session)
	}
	route.Post(session, e)
}

// Join gives a worker of this process a seat. It makes Node a worker.Host.
func (n *Node) Join(ctx context.Context, name string, post func(worker.Event)) (worker.Seat, error) {
	type joined struct {
		session polymath.Ref
		err     error
	}
	j, err := await(ctx, n, func(c *Core, tell func(joined)) {
		c.Join(name, true, func(s polymath.Ref, err error) {
			if err == nil {
				n.routes[s] = &Route{Post: func(_ polymath.Ref, e SeatEvent) { pass(e, post) }}
			}
			tell(joined{s, err})
		})
	})
	if err == nil {
		err = j.err
	}
	if err != nil {
		return nil, err
	}
	return &seat{node: n, session: j.session, post: post}, nil
}

// pass turns a seat's event into one of the worker's loop.
func pass(e SeatEvent, post func(worker.Event)) {
	switch e := e.(type) {
	case Granted:
		post(worker.EventFunc(func(l *worker.Loop) { l.Granted(&e.Lease) }))
	case Retired:
		post(worker.EventFunc(func(l *worker.Loop) { l.Retired(e.Token) }))
	case Closed:
		post(worker.EventFunc((*worker.Loop).Closed))
	}
}

// seat is a worker.Seat in this process. Outcomes go through the worker's
// mailbox, so that the loop is never called from within the core.
type seat struct {
	node    *Node
	session polymath.Ref
	post    func(worker.Event)
}

func (s *seat) propose(cmd ledger.Command, done func(error)) {
	s.node.do(func(c *Core) {
		c.Propose(cmd, func(a ledger.Answer) {
			s.post(worker.EventFunc(func(*worker.Loop) { done(a.Err) }))
		})
	})
}

func (s *seat) Demand(functions []string, slots uint32, each time.Duration, done func(error)) {
	cmd := &ledger.Demand{Session: s.session, Functions: functions, Slots: slots, Micros: uint64(each.Microseconds())}
	s.propose(cmd, done)
}

// Beat cannot fail for a seat in this process: its end would have been told.
func (s *seat) Beat() { s.node.do(func(c *Core) { _ = c.Beat(s.session) }) }

func (s *seat) Progress(token polymath.Token, units uint64) {
	s.node.do(func(c *Core) { c.Progress(token, units) })
}

func (s *seat) Complete(token polymath.Token, output []byte, took time.Duration, done func(error)) {
	s.propose(&ledger.Complete{Token: token, Output: output, Micros: uint64(took.Microseconds())}, done)
}

func (s *seat) Fail(token polymath.Token, text string, done func(error)) {
	s.propose(&ledger.Fail{Token: token, Error: text}, done)
}

func (s *seat) Release(token polymath.Token, done func(error)) {
	s.propose(&ledger.Release{Token: token}, done)
}

func (s *seat) Leave(done func(error)) {
	s.propose(&ledger.Close{Session: s.session}, done)
}
