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
	if err := checkQueue(tenant, queue); err != nil {
		return err
	}
	_, err := n.Propose(ctx, &ledger.Configure{
		Tenant: tenant, Queue: queue, Weight: s.Weight, Concurrency: s.Concurrency, Paused: s.Paused,
	})
	return err
}

// checkQueue refuses names that no queue and no tenant may have. An empty one
// stands for the default.
func checkQueue(tenant, queue string) error {
	if tenant != "" {
		if err := polymath.CheckName("tenant", tenant); err != nil {
			return err
		}
	}
	if queue != "" {
		return polymath.CheckName("queue", queue)
	}
	return nil
}
