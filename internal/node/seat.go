package node

import (
	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/ledger"
)

// SeatEvent is what a worker hears from its node: one of Granted, Retired
// and Closed.
type SeatEvent interface{ seatEvent() }

// Granted gives the worker a lease to work on.
type Granted struct{ Lease polymath.Lease }

// Retired says that a lease is over: stop the work, forget the token.
type Retired struct{ Token polymath.Token }

// Closed says that the session is over, and all its leases with it.
type Closed struct{}

func (Granted) seatEvent() {}
func (Retired) seatEvent() {}
func (Closed) seatEvent()  {}

// Join opens a session for a worker and tells done its ref. From then on the
// worker must call Beat once a second and hears through Config.Deliver.
// A local worker lives in the node's process and ends with it.
func (c *Core) Join(name string, local bool, done func(polymath.Ref, error)) {
	if err := polymath.CheckName("worker", name); err != nil {
		done(polymath.Ref{}, err)
		return
	}
	open := &ledger.Open{Nonce: c.cfg.Nonce(), Node: c.cfg.Name, Name: name, Local: local}
	c.Propose(open, func(a ledger.Answer) {
		if a.Err == nil {
			c.seats[a.Ref] = true
		}
		done(a.Ref, a.Err)
	})
}

// Rejoin takes up a worker's session again after its connection, or this
// node, was away. NotFound when the session was closed meanwhile: Join anew.
// The leases the session still holds are delivered again.
func (c *Core) Rejoin(session polymath.Ref) error {
	held, open := c.ledger.Remote(session) // a local one is its process's alone
	if !open {
		return overAlready(session)
	}
	c.seats[session] = true
	c.keep.beat(session)
	for i := range held {
		c.cfg.Deliver(session, Granted{held[i].Lease})
	}
	return nil
}

func overAlready(session polymath.Ref) error {
	return polymath.Errorf(polymath.NotFound, "session %v is over: join again", session)
}

// Leave closes a worker's session; its leases go back at once.
func (c *Core) Leave(session polymath.Ref, done func(error)) {
	c.Propose(&ledger.Close{Session: session}, func(a ledger.Answer) { done(a.Err) })
}

// Beat says that the worker of a session is alive. A session this node does
// not know of yet, because the node or the connection was away, is taken up
// again; the error is that of Rejoin.
func (c *Core) Beat(session polymath.Ref) error {
	if !c.seats[session] {
		return c.Rejoin(session)
	}
	c.keep.beat(session)
	return nil
}

// Detach says that the way to a worker broke: unless it is heard of again
// within brokenLimit, it is gone.
func (c *Core) Detach(session polymath.Ref) {
	delete(c.seats, session)
	c.keep.hurry(session, beatLimit-brokenLimit)
}

// Progress says that work on a lease has begun and done of its units are
// behind us. It is not journaled: only the timekeeper and readers of progress
// care.
func (c *Core) Progress(token polymath.Token, done uint64) { c.keep.progress(token, done) }

// InFlight is how many units of a job are done within leases that are out. Most
// jobs that somebody asks for have none: the leases are not looked through then.
func (c *Core) InFlight(job *polymath.Job) uint64 {
	if job.Leased == 0 {
		return 0
	}
	return c.keep.inFlight(job.ID)
}

// deliver hands the last entry's grants and ends to the seats here.
func (c *Core) deliver() {
	var last polymath.Ref // most grants of an entry are for one session
	here := false
	for i := range c.fx.Grants {
		g := &c.fx.Grants[i]
		if g.Session != last {
			last, here = g.Session, c.seats[g.Session]
		}
		if here {
			c.cfg.Deliver(g.Session, Granted{g.Lease})
		}
	}
	for _, r := range c.fx.Retired {
		if c.seats[r.Session] {
			c.cfg.Deliver(r.Session, Retired{r.Token})
		}
	}
	for _, s := range c.fx.Closed {
		if c.seats[s] {
			delete(c.seats, s)
			c.cfg.Deliver(s, Closed{})
		}
	}
}
