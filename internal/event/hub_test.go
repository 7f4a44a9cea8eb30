package event

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"

	"go.uber.org/goleak"

	"github.com/polymath-run/polymath"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// store is a Source that keeps the newest events of all, and forgets the rest.
type store struct {
	mu     sync.Mutex
	keep   int
	events []Event
	lost   ID
	err    error
}

func (s *store) put(events ...Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events = append(s.events, events...)
	for len(s.events) > s.keep {
		s.lost, s.events = s.events[0].ID, s.events[1:]
	}
}

func (s *store) Events(after ID, limit int) (out []Event, gap bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.events {
		if e.ID.Compare(after) > 0 && len(out) < limit {
			out = append(out, e)
		}
	}
	return out, after.Compare(s.lost) < 0, s.err
}

// stream publishes events as entries do: one to five at a time.
type stream struct {
	rng      *rand.Rand
	position uint64
}

func (s *stream) next() []Event {
	s.position++
	events := make([]Event, 1+s.rng.IntN(5))
	for n := range events {
		events[n] = Event{ID: id(s.position, uint32(n)), Kind: JobQueued}
	}
	return events
}

// TestEveryListenerHearsAll has fast and slow listeners, which begin in the
// past, now and in the middle of an entry: each hears every event after its
// own, once and in order, and an event is missing only after a gap is told.
func TestEveryListenerHearsAll(t *testing.T) {
	const seed, rounds = 1, 9000
	for _, keep := range []int{1 << 30, 50, 5000} {
		rng := rand.New(rand.NewPCG(seed, uint64(keep)))
		s, out := &store{keep: keep}, &stream{rng: rng}
		for range 300 {
			s.put(out.next()...)
		}
		last := s.events[len(s.events)-1].ID
		h := NewHub(s, last)
		number := map[ID]int{} // place in the whole stream
		for _, e := range s.events {
			number[e.ID] = len(number)
		}
		listeners := []ID{{Shard: 3}, id(7, 1), last, id(290, 0)}
		gaps := make([]int, len(listeners))
		for range rounds {
			events := out.next()
			for _, e := range events {
				number[e.ID] = len(number)
			}
			s.put(events...)
			h.Publish(events)
			h.Publish(events) // replayed
			i := rng.IntN(len(listeners) * 400)
			if i >= len(listeners) {
				continue
			}
			for listeners[i] != h.Last() && rng.IntN(20) > 0 {
				listeners[i] = hear(t, h, listeners[i], number, &gaps[i])
			}
		}
		for i := range listeners {
			for listeners[i] != h.Last() {
				listeners[i] = hear(t, h, listeners[i], number, &gaps[i])
			}
		}
		if total := gaps[0] + gaps[1] + gaps[2] + gaps[3]; (keep == 1<<30) != (total == 0) {
			t.Errorf("seed %d, keeping %d: gaps %v", seed, keep, gaps)
		}
	}
}

// hear takes the next batch and checks that it continues the last one.
func hear(t *testing.T, h *Hub, after ID, number map[ID]int, gaps *int) ID {
	t.Helper()
	b, err := h.Next(t.Context(), after)
	if err != nil {
		t.Fatal(err)
	}
	if b.Gap {
		*gaps++
	} else if len(b.Events) == 0 {
		t.Fatalf("nothing after %v", after)
	}
	expect, known := number[after]
	for _, e := range b.Events {
		at := number[e.ID]
		if !b.Gap && known && at != expect+1 || known && at <= expect {
			t.Fatalf("after number %d came %d, gap %v", expect, at, b.Gap)
		}
		expect, known, b.Gap = at, true, false
	}
	if len(b.Events) > 0 && b.Last != b.Events[len(b.Events)-1].ID || b.Last.Compare(after) <= 0 {
		t.Fatalf("after %v the last is %v", after, b.Last)
	}
	return b.Last
}

// TestWaits has listeners wait before anything happens, and one that is slow
// hold up nobody.
func TestWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &store{keep: 1 << 30}
		h := NewHub(s, id(5, 0))
		heard := make(chan ID, 100)
		for range 3 {
			go func() {
				for b, err := range h.Subscribe(t.Context(), id(5, 0)) {
					if err != nil {
						return
					}
					for _, e := range b.Events {
						heard <- e.ID
					}
				}
			}()
		}
		synctest.Wait()
		slow := h.Last() // never asks while 10,000 events pass
		out := &stream{rng: rand.New(rand.NewPCG(1, 1)), position: 5}
		events := out.next()
		s.put(events...)
		h.Publish(events)
		synctest.Wait()
		if len(heard) != 3*len(events) {
			t.Errorf("%d heard, want %d", len(heard), 3*len(events))
		}
		h.Close()
		synctest.Wait()
		if _, err := h.Next(t.Context(), slow); polymath.CodeOf(err) != polymath.Unavailable {
			t.Errorf("after Close: %v", err)
		}
		h.Close()
		h.Publish(out.next())
	})
}

func TestNextErrors(t *testing.T) {
	broken := errors.New("broken")
	h := NewHub(&store{err: broken}, id(5, 0))
	if _, err := h.Next(t.Context(), id(4, 0)); !errors.Is(err, broken) {
		t.Errorf("the source failed: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := h.Next(ctx, id(5, 0)); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// TestMemoryIsBounded publishes without a listener.
func TestMemoryIsBounded(t *testing.T) {
	h := NewHub(&store{}, ID{})
	for position := uint64(1); position <= 3*ringSize; position++ {
		h.Publish([]Event{{ID: id(position, 0)}})
	}
	if len(h.ring) != ringSize || h.before != id(2*ringSize, 0) {
		t.Errorf("%d events are kept, those after %v", len(h.ring), h.before)
	}
	b, err := h.Next(t.Context(), id(3*ringSize-1, 0))
	if err != nil || len(b.Events) != 1 || b.Gap {
		t.Errorf("the newest: %+v, %v", b, err)
	}
}
