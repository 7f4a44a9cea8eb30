package history

import (
	"cmp"
	"slices"
	"time"
)

// Resolution is how long a slot of a series is.
type Resolution time.Duration

// The resolutions there are, and how far back they reach.
const (
	Second     = Resolution(time.Second)      // for FineSlots
	TenSeconds = Resolution(10 * time.Second) // for CoarseSlots

	FineSlots   = 15 * 60     // of a second: 15 minutes
	CoarseSlots = 24 * 60 * 6 // of ten seconds: 24 hours

	// readSlots is how many slots a reader copies at a time under the lock.
	readSlots = 512
)

func (r Resolution) millis() int64 { return time.Duration(r).Milliseconds() }

// ring is the points of one resolution. A slot is where its time says, and
// belongs to the time that wrote to it last: so the ring needs no newest
// point, and a clock that jumps does no harm beyond its jump.
type ring struct {
	step   int64 // milliseconds
	points []Point
}

func newRing(r Resolution) ring {
	slots := FineSlots
	if r == TenSeconds {
		slots = CoarseSlots
	}
	return ring{step: r.millis(), points: make([]Point, slots)}
}

// at is the point of a time, to be written to.
func (r *ring) at(now int64) *Point {
	slot := max(now/r.step, 1) // 0 is what an empty slot has
	p := &r.points[slot%int64(len(r.points))]
	if begin := slot * r.step; p.At != begin {
		*p = Point{At: begin}
	}
	return p
}

// Series copies the points that begin in [from, to), in the order of time.
// Slots in which the process was down are not among them, and neither are
// those that lie further back than the resolution reaches. A resolution that
// is not TenSeconds is Second.
func (h *History) Series(r Resolution, from, to int64) []Point {
	source := &h.fine
	if r == TenSeconds {
		source = &h.coarse
	}
	all := source.points                 // the array is never replaced
	if from = max(from, 1); to <= from { // an empty slot begins at 0
		return nil
	}
	out := make([]Point, 0, min(int64(len(all)), (to-from)/source.step+1))
	for len(all) > 0 {
		n := min(readSlots, len(all))
		h.mu.Lock()
		for i := range all[:n] {
			if p := &all[i]; p.At >= from && p.At < to {
				out = append(out, *p)
			}
		}
		h.mu.Unlock()
		all = all[n:]
	}
	slices.SortFunc(out, func(a, b Point) int { return cmp.Compare(a.At, b.At) })
	return out
}
