package event

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"sync"

	"github.com/polymath-run/polymath"
)

// Bounds of a hub.
const (
	ringSize  = 4096 // events: half a second of a busy shard, half a megabyte
	batchSize = 1024 // events in one batch: what one write to a stream takes
)

// Source is where events older than the ring are read, oldest first: those
// after an ID, at most limit. gap says that retention removed some between
// that ID and the first one returned. It holds an event before it is published.
type Source interface {
	Events(after ID, limit int) (events []Event, gap bool, err error)
}

// Batch is what Next returns: the events that follow the ID it was given.
type Batch struct {
	// Gap: before these events others were lost to retention.
	Gap    bool
	Events []Event // may be empty after a gap
	// Last is the ID to go on after.
	Last ID
}

// Hub hands the events of one shard to any number of listeners. Its methods
// are safe for concurrent use.
type Hub struct {
	source Source

	mu     sync.Mutex
	ring   []Event       // the newest, in order
	start  int           // place of the oldest in ring once it is full
	before ID            // of the event before the oldest in ring
	last   ID            // of the newest event
	wake   chan struct{} // closed by the next Publish or Close
	closed bool
}

// NewHub makes a hub over what the source holds, up to the event last.
func NewHub(source Source, last ID) *Hub {
	return &Hub{source: source, before: last, last: last, wake: make(chan struct{})}
}

// Publish hands out events in the order of their IDs. It never waits for a
// listener. Events that were published before, as in a replay, are left out.
// It keeps no slice of the caller's.
func (h *Hub) Publish(events []Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	old := h.last
	for _, e := range events {
		if e.ID.Compare(h.last) > 0 {
			h.push(e)
		}
	}
	if h.last != old && !h.closed {
		close(h.wake)
		h.wake = make(chan struct{})
	}
}

func (h *Hub) push(e Event) {
	h.last = e.ID
	if len(h.ring) < ringSize {
		h.ring = append(h.ring, e)
		return
	}
	h.before = h.ring[h.start].ID
	h.ring[h.start] = e
	h.start = (h.start + 1) % ringSize
}

// Last is the ID of the newest event: who begins after it hears only what
// happens from now on.
func (h *Hub) Last() ID {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.last
}

// Next waits until there are events after an ID and returns the first of
// them. Its error is ctx's, the source's, or Unavailable once the hub is closed.
func (h *Hub) Next(ctx context.Context, after ID) (Batch, error) {
	for {
		h.mu.Lock()
		events, behind, before, wake, closed := h.after(after), after.Compare(h.before) < 0, h.before, h.wake, h.closed
		h.mu.Unlock()
		switch {
		case closed:
			return Batch{}, polymath.Errorf(polymath.Unavailable, "the event stream is closed: the server is stopping")
		case behind:
			return h.catchUp(after, before)
		case len(events) > 0:
			return Batch{Events: events, Last: events[len(events)-1].ID}, nil
		}
		select {
		case <-ctx.Done():
			return Batch{}, ctx.Err()
		case <-wake:
		}
	}
}

// after copies the events of the ring that follow an ID. h.mu is held.
func (h *Hub) after(id ID) []Event {
	at := func(i int) *Event { return &h.ring[(h.start+i)%len(h.ring)] }
	low, high := 0, len(h.ring)
	for low < high {
		if middle := (low + high) / 2; at(middle).ID.Compare(id) > 0 {
			high = middle
		} else {
			low = middle + 1
		}
	}
	events := make([]Event, 0, min(len(h.ring)-low, batchSize))
	for i := low; i < len(h.ring) && len(events) < batchSize; i++ {
		events = append(events, *at(i))
	}
	return events
}

// catchUp reads from the source what the ring no longer has: the events after
// an ID, at least one of which was the event before.
func (h *Hub) catchUp(after, before ID) (Batch, error) {
	events, gap, err := h.source.Events(after, batchSize)
	if err != nil {
		return Batch{}, fmt.Errorf("event: catch up after %v: %w", after, err)
	}
	if len(events) == 0 { // retention took even that one
		return Batch{Gap: true, Last: before}, nil
	}
	return Batch{Gap: gap, Events: slices.Clip(events), Last: events[len(events)-1].ID}, nil
}

// Subscribe yields batches from an ID on until ctx ends, the hub is closed or
// the source fails; the error says which.
func (h *Hub) Subscribe(ctx context.Context, after ID) iter.Seq2[Batch, error] {
	return func(yield func(Batch, error) bool) {
		for {
			b, err := h.Next(ctx, after)
			if !yield(b, err) || err != nil {
				return
			}
			after = b.Last
		}
	}
}

// Close ends all waiting calls; it may be called twice.
func (h *Hub) Close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.closed {
		h.closed = true
		close(h.wake)
	}
}
