package node

import (
	"github.com/polymath-run/polymath/internal/archive"
	"github.com/polymath-run/polymath/internal/event"
	"github.com/polymath-run/polymath/internal/ledger"
)

// Events is where to listen to what happens on the shard. The hub is closed
// with the node. An event is published when the archive has it, so that its ID
// leads back to it for as long as retention lets it stay, and before anybody
// has an answer from its entry, so that who has one finds the event told.
func (n *Node) Events() *event.Hub { return n.events }

// applied passes on what an entry gave out. Of the events of a replay, those
// the archive had are no news to the hub: it leaves them out.
func (n *Node) applied(fx *ledger.Effects) {
	if len(fx.Events) > 0 {
		n.news = archive.AppendEvents(n.news[:0], n.options.Shard, fx)
		n.events.Publish(n.news)
	}
	if n.options.Observe != nil && n.core.ready {
		n.options.Observe(n.Now(), fx)
	}
}
