package node

import (
	"context"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/ledger"
)

// Queues lists the queues that are in use or have settings.
func (n *Node) Queues() (all []ledger.QueueInfo) {
	n.do(func(c *Core) { all = c.ledger.Queues() })
	return all
}

// QueueSettings are what can be chosen for a queue; the zero value is what one
// has that nobody chose for.
type QueueSettings struct {
	Weight      uint32 // share of the workers beside other queues; 0 is 1
	Concurrency uint32 // leases at a time; 0: no bound
	Paused      bool   // no new leases; those that are out go on
}

// SetQueue replaces the settings of a queue, which need not exist yet. An
// empty name is the default queue.
func (n *Node) SetQueue(ctx context.Context, tenant, queue string, s QueueSettings) error {
	if queue == "" {
		queue = polymath.DefaultQueue
	}
	if len(tenant) > polymath.MaxNameBytes || len(queue) > polymath.MaxNameBytes {
		return polymath.Errorf(polymath.InvalidArgument, "a name is longer than %d bytes", polymath.MaxNameBytes)
	}
	_, err := n.Propose(ctx, &ledger.Configure{
		Tenant: tenant, Queue: queue, Weight: s.Weight, Concurrency: s.Concurrency, Paused: s.Paused,
	})
	return err
}
