package node

import (
	"context"
	"fmt"

	"github.com/polymath-run/polymath"
)

// Barrier returns when the node has applied all that was acknowledged, by
// whatever node, before the call: what is read after it is linearizable.
func (n *Node) Barrier(ctx context.Context) error {
	tail, err := n.options.Journal.Tail(ctx)
	if err != nil {
		return fmt.Errorf("read the end of the journal: %w", err)
	}
	return n.until(ctx, tail)
}

// Index is the place in the journal up to which the node has applied it.
func (n *Node) Index() (at polymath.Index) {
	n.do(func(c *Core) { at = c.ledger.Index() })
	return at
}

// Name is what the node calls itself.
func (n *Node) Name() string { return n.options.Name }
