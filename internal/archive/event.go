package archive

import (
	"github.com/polymath-run/polymath/internal/event"
	"github.com/polymath-run/polymath/internal/ledger"
)

// AppendEvents appends the events of one entry's effects as readers get them.
// Those who hear of an event when it happens and those who read it from the
// archive later must see the same one, so both come from here.
func AppendEvents(to []event.Event, shard uint8, fx *ledger.Effects) []event.Event {
	for i, e := range fx.Events {
		id := event.ID{Shard: shard, Index: fx.Index, N: uint32(i)}
		to = append(to, event.Event{ID: id, Kind: event.Kind(e.Kind), Job: e.Job, Name: e.Name, At: fx.At})
	}
	return to
}
