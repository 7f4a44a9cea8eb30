package pick

import (
	"testing"

	"pgregory.net/rapid"
)

// loadOf is how many requests a test has in flight, and where.
type loadOf struct {
	backends []Backend
	on       map[string]int64
	flight   []string
}

// limit is ceil((1 + bound) * m * weight / W) for m requests in flight.
func (l *loadOf) limit(b Backend, bound int64) int64 {
	m, total := int64(0), int64(0)
	for _, b := range l.backends {
		if b.takes() {
			m += l.on[b.Name]
			total += int64(b.Weight)
		}
	}
	return ((100+bound)*m*int64(b.Weight) + 100*total - 1) / (100 * total)
}

// TestBoundedRingKeepsTheBound: no backend that is picked ever has more than
// (1 + bound) times its share of what is in flight, rounded up, however uneven
// keys are and whoever comes, leaves and returns (L5, D5).
func TestBoundedRingKeepsTheBound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		bound := rapid.SampledFrom([]int{1, 25, 100}).Draw(t, "bound")
		p, err := NewBoundedRing(20, bound)
		if err != nil {
			t.Fatal(err)
		}
		l := &loadOf{on: map[string]int64{}}
		t.Repeat(map[string]func(*rapid.T){
			"change": func(t *rapid.T) {
				all := weighted(1, 1, 1, 2, 3)
				for i := range all {
					all[i].Available = rapid.Bool().Draw(t, "available")
				}
				l.backends = all[:rapid.IntRange(0, 5).Draw(t, "backends")]
				update(t, p, l.backends)
			},
			"pick": func(t *rapid.T) {
				i := p.Pick(Request{Key: rapid.SampledFrom([]uint64{1, 2, 1 << 63}).Draw(t, "key")})
				if i == None {
					return
				}
				b := l.backends[i]
				l.on[b.Name]++
				l.flight = append(l.flight, b.Name)
				if got, most := l.on[b.Name], l.limit(b, int64(bound)); got > most {
					t.Fatalf("backend %d has %d requests in flight, at most %d are its own", i, got, most)
				}
			},
			"done": func(*rapid.T) {
				if len(l.flight) > 0 {
					name := l.flight[0]
					l.flight = l.flight[1:]
					l.on[name]--
					p.Done(Outcome{Name: name})
				}
			},
		})
	})
}

// TestBoundedRingKeepsKeys: while nobody is full, a bounded ring is a ring.
func TestBoundedRingKeepsKeys(t *testing.T) {
	ring, bounded := fresh(t, "ring"), fresh(t, "bounded-ring")
	backends := fleet(7)
	update(t, ring, backends)
	update(t, bounded, backends)
	for key := range uint64(1000) {
		r := Request{Key: mix(key)}
		want, got := ring.Pick(r), bounded.Pick(r)
		if got != want {
			t.Fatalf("key %d: bounded %d, ring %d", key, got, want)
		}
		bounded.Done(Outcome{Name: backends[got].Name})
	}
}
