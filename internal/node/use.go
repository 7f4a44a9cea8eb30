package node

import (
	"context"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/ledger"
)

// errStopped is what callers get when the node ends before their answer came:
// whether the command counts is not known here.
func (n *Node) errStopped() error {
	if err := n.Err(); err != nil {
		return polymath.Errorf(polymath.Unavailable, "the node stopped: %w", err)
	}
	return polymath.Errorf(polymath.Unavailable, "the node is shutting down: what was asked for may or may not have happened")
}

// await starts something on the core and waits for what it tells. When ctx
// ends first, the outcome is unknown.
func await[T any](ctx context.Context, n *Node, begin func(c *Core, tell func(T))) (T, error) {
	told := make(chan T, 1)
	n.do(func(c *Core) { begin(c, func(v T) { told <- v }) })
	var zero T
	select {
	case v := <-told:
		return v, nil
	case <-ctx.Done():
		return zero, polymath.Errorf(polymath.Timeout, "gave up waiting; what was asked for may still happen: %w", ctx.Err())
	case <-n.failed:
		return zero, n.errStopped()
	}
}

// Propose has a command applied and returns its answer; the error is the
// answer's, or says that the outcome is unknown.
func (n *Node) Propose(ctx context.Context, cmd ledger.Command) (ledger.Answer, error) {
	a, err := await(ctx, n, func(c *Core, tell func(ledger.Answer)) { c.Propose(cmd, tell) })
	if err == nil {
		err = a.Err
	}
	return a, err
}

// Submit asks for a job. existing says that its idempotency key led to a job
// submitted before. When it returns nil the job is durable: it will finish,
// whatever dies.
func (n *Node) Submit(ctx context.Context, tenant string, spec polymath.Spec) (id polymath.JobID, existing bool, err error) {
	cmd := &ledger.Submit{Tenant: tenant, Spec: spec}
	if err := checkSpec(tenant, &spec); err != nil {
		return id, false, err
	}
	a, err := await(ctx, n, func(c *Core, tell func(ledger.Answer)) { c.Submit(cmd, tell) })
	if err == nil {
		err = a.Err
	}
	return polymath.JobID{Shard: n.options.Shard, Ref: a.Ref}, a.Existing, err
}

// checkSpec refuses what would not fit an entry, and names that cannot be
// shown.
func checkSpec(tenant string, s *polymath.Spec) error {
	switch {
	case len(s.Input) > polymath.MaxInlineBytes:
		return polymath.Errorf(polymath.TooLarge, "the input has %d bytes, more than %d", len(s.Input), polymath.MaxInlineBytes)
	case len(s.Plan.Costs) > polymath.MaxCostPoints:
		return polymath.Errorf(polymath.InvalidArgument, "the cost table has %d points, more than %d", len(s.Plan.Costs), polymath.MaxCostPoints)
	}
	if err := polymath.CheckName("function", s.Function); err != nil {
		return err
	}
	return checkQueue(tenant, s.Options.Queue)
}

// Cancel ends a job that is not finished.
func (n *Node) Cancel(ctx context.Context, id polymath.JobID) error {
	_, err := n.Propose(ctx, &ledger.Cancel{Job: id})
	return err
}

// Job reads a job as this node knows it. Done counts units merged; working
// are those done within leases that are still out.
func (n *Node) Job(id polymath.JobID) (job polymath.Job, working uint64, err error) {
	n.do(func(c *Core) {
		if job, err = c.Job(id); err == nil && !job.State.Final() {
			working = c.InFlight(&job)
		}
	})
	return job, working, err
}

// Find returns the oldest unfinished job that matches. It reads all of them.
func (n *Node) Find(match func(*polymath.Job) bool) (job polymath.Job, found bool) {
	n.do(func(c *Core) { job, found = c.ledger.Find(match) })
	return job, found
}

// Wait returns the job once it is finished.
func (n *Node) Wait(ctx context.Context, id polymath.JobID) (polymath.Job, error) {
	var stop func()
	var err error
	job, lost := await(ctx, n, func(c *Core, tell func(polymath.Job)) {
		if stop, err = c.Wait(id, tell); err != nil {
			tell(polymath.Job{})
		}
	})
	if err == nil && lost != nil {
		n.do(func(*Core) { stop() })
		err = lost
	}
	return job, err
}

// Stats reads the sizes of the shard.
func (n *Node) Stats() (s ledger.Stats) {
	n.do(func(c *Core) { s = c.ledger.Stats() })
	return s
}
