package node

import (
	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/ledger"
)

// Batch is the node in the hands of one caller, who has many things to ask for
// at once: what is asked for in one Batch travels in one entry where it fits.
// It is valid until the function that was given it returns.
//
// Nothing in it blocks. What is told later (done, tell, post) is told with the
// node in hand, so it must not block and must not call the Node.
type Batch struct {
	node *Node
	core *Core
}

// Do calls f with the node in hand.
func (n *Node) Do(f func(*Batch)) {
	n.do(func(c *Core) { c.Gather(func() { f(&Batch{n, c}) }) })
}

// Submit asks for a job; done hears the answer, whose Ref is that of the job:
// see Node.JobID. The spec is the caller's again when Submit returns.
func (b *Batch) Submit(tenant string, spec *polymath.Spec, done func(ledger.Answer)) {
	if err := checkSpec(tenant, spec); err != nil {
		done(ledger.Answer{Err: err})
		return
	}
	s := &b.node.submit
	s.Tenant, s.Spec = tenant, *spec
	b.core.Submit(s, done)
	*s = ledger.Submit{}
}

// JobID is the ID of a job of this node by its ref.
func (n *Node) JobID(r polymath.Ref) polymath.JobID {
	return polymath.JobID{Shard: n.options.Shard, Ref: r}
}

// Keyed finds the job that a submission with an idempotency key led to.
func (b *Batch) Keyed(key [16]byte) (polymath.JobID, bool) { return b.core.ledger.Keyed(key) }

// Propose has a command applied; done hears the answer. The command is the
// caller's again when Propose returns.
func (b *Batch) Propose(cmd ledger.Command, done func(ledger.Answer)) { b.core.Propose(cmd, done) }

// Job reads a job, and how many of its units are done within leases that are
// still out.
func (b *Batch) Job(id polymath.JobID) (job polymath.Job, working uint64, err error) {
	if job, err = b.core.Job(id); err == nil && !job.State.Final() {
		working = b.core.InFlight(&job)
	}
	return job, working, err
}

// Wait tells the job once it is finished. stop ends the waiting; it must be
// called with the node in hand, and may be called at any time.
func (b *Batch) Wait(id polymath.JobID, tell func(polymath.Job)) (stop func(), err error) {
	return b.core.Wait(id, tell)
}

// Route is a way to the workers of another process: one for each stream.
type Route struct {
	// Post hears what there is to tell the worker of a session.
	Post func(session polymath.Ref, e SeatEvent)
	// Own: the sessions that were opened over this route stay with it: another
	// does not take them up.
	Own bool
}

// Join opens a session for a worker in another process, which is told
// everything over a route until the session is closed.
func (b *Batch) Join(name string, over *Route, done func(polymath.Ref, error)) {
	b.core.Join(name, false, func(s polymath.Ref, err error) {
		if err == nil {
			b.node.routes[s] = over
		}
		done(s, err)
	})
}

// Rejoin takes up the session of a worker again, over this route from now on;
// its leases are told again. NotFound when the session is over.
func (b *Batch) Rejoin(session polymath.Ref, over *Route) error {
	old := b.node.routes[session]
	if old != nil && old != over && old.Own {
		return overAlready(session)
	}
	b.node.routes[session] = over
	err := b.core.Rejoin(session)
	switch {
	case err == nil && old != nil && old != over:
		old.Post(session, Closed{}) // whoever is there has lost it
	case err == nil:
	case old == nil:
		delete(b.node.routes, session)
	default:
		b.node.routes[session] = old
	}
	return err
}

// Detach says that a route broke: unless the worker comes back over another
// one within a second, its session is over and its leases go to others. A
// session that has another route already stays as it is.
func (b *Batch) Detach(session polymath.Ref, route *Route) {
	if b.node.routes[session] == route {
		delete(b.node.routes, session)
		b.core.Detach(session)
	}
}

// Beat says that a worker lives. NotFound when its session is over.
func (b *Batch) Beat(session polymath.Ref) error { return b.core.Beat(session) }

// Progress says how many units of a lease are done.
func (b *Batch) Progress(token polymath.Token, done uint64) { b.core.Progress(token, done) }

// Out is a lease that is out, as far as this node watches it. It is good while
// the node is in hand.
type Out struct {
	token polymath.Token
	watch *watch // nil: it does not
}

// Out finds a lease.
func (b *Batch) Out(token polymath.Token) Out { return Out{token, b.core.keep.of(token)} }

// Watched reports whether the node knows the lease. What it does not know is the
// ledger's to refuse.
func (o Out) Watched() bool { return o.watch != nil }

// Holder is the session that holds the lease, which is watched.
func (o Out) Holder() polymath.Ref { return o.watch.session }

// Lease is what the lease is for, which is watched: its Function, the canonical
// Input of its job and the Interval of its units.
func (o Out) Lease() polymath.Lease {
	w := o.watch
	return polymath.Lease{Token: o.token, Job: w.job, Function: w.name, Input: w.input, Interval: w.units}
}

// BeginReport notes that a report of the lease came over a route and is under
// way; false when another one of the same route is. Node.EndReport notes that it
// is over.
func (o Out) BeginReport(over *Route) bool {
	if o.watch == nil {
		return true
	}
	if o.watch.reported == over {
		return false
	}
	o.watch.reported = over
	return true
}

// EndReport is for Out.BeginReport, and must be called with the node in hand.
func (n *Node) EndReport(token polymath.Token, over *Route) {
	if w := n.core.keep.of(token); w != nil && w.reported == over {
		w.reported = nil
	}
}
