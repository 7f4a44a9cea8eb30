package forward

import (
	"math/bits"
	"time"
)

// wheel is the timers of a thread: a ring of slots, each the list of the timers
// that are looked at in its tick. Timers are lazy. Putting one off, which is
// what happens at every request, changes its time and not its slot; when the
// slot comes, the timer moves on to where it belongs by then. Those beyond the
// horizon are looked at once per turn.
type wheel struct {
	slots [wheelSlots]*timer
	busy  [wheelSlots / 64]uint64 // a bit per slot that is not empty
	tick  int64                   // the slot that was looked at last
}

const (
	wheelTick  = 10 * time.Millisecond
	wheelSlots = 1024
)

// timer is a point in time at which its owner is looked at. The zero timer is
// not set.
type timer struct {
	next, prev *timer
	owner      *sock
	due        time.Duration // 0: never
	slot       int64         // the tick of its slot, 0: in none
}

// set sets a timer, or puts it off.
func (w *wheel) set(t *timer, due time.Duration) {
	t.due = due
	if t.slot != 0 && time.Duration(t.slot)*wheelTick <= due {
		return
	}
	w.remove(t)
	w.insert(t)
}

// never unsets a timer. It leaves its slot when that comes.
func (t *timer) never() { t.due = 0 }

// insert puts a timer into the slot of its time, or as near to it as a turn
// goes.
func (w *wheel) insert(t *timer) {
	tick := int64((t.due + wheelTick - 1) / wheelTick)
	tick = min(max(tick, w.tick+1), w.tick+wheelSlots-1)
	i := tick % wheelSlots
	t.slot, t.prev, t.next = tick, nil, w.slots[i]
	if t.next != nil {
		t.next.prev = t
	}
	w.slots[i] = t
	w.busy[i/64] |= 1 << (i % 64)
}

// remove takes a timer out of its slot, if it is in one.
func (w *wheel) remove(t *timer) {
	if t.slot == 0 {
		return
	}
	i := t.slot % wheelSlots
	if t.prev != nil {
		t.prev.next = t.next
	} else {
		w.slots[i] = t.next
		if t.next == nil {
			w.busy[i/64] &^= 1 << (i % 64)
		}
	}
	if t.next != nil {
		t.next.prev = t.prev
	}
	t.slot, t.prev, t.next = 0, nil, nil
}

// advance calls expire for every timer that is due.
func (w *wheel) advance(now time.Duration, expire func(*sock)) {
	last := int64(now / wheelTick)
	if last-w.tick >= wheelSlots { // after a long stop one turn sees all
		w.tick = last - wheelSlots
	}
	for w.tick < last {
		w.tick++
		for t := w.slots[w.tick%wheelSlots]; t != nil; t = w.slots[w.tick%wheelSlots] {
			w.remove(t)
			switch {
			case t.due == 0:
			case t.due > now:
				w.insert(t)
			default:
				t.due = 0
				expire(t.owner)
			}
		}
	}
}

// next is how long until a slot has something in it; negative where none has.
func (w *wheel) next(now time.Duration) time.Duration {
	for ahead := int64(1); ahead < wheelSlots; {
		i := (w.tick + ahead) % wheelSlots
		word := w.busy[i/64] >> (i % 64)
		if word == 0 {
			ahead += 64 - i%64
			continue
		}
		ahead += int64(bits.TrailingZeros64(word))
		return max(0, time.Duration(w.tick+ahead)*wheelTick-now)
	}
	return -1
}
