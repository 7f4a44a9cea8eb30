package forward

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestWheelKeepsTime: whatever is set, put off, moved up and unset, a timer is
// due once, not before its time and at most a tick behind the first look after
// it; and the loop is never told to sleep longer than until then.
func TestWheelKeepsTime(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var w wheel
		now := time.Duration(rapid.Int64Range(0, int64(time.Hour)).Draw(t, "begin"))
		w.tick = int64(now / wheelTick)
		socks := make([]*sock, 8)
		want := make(map[*sock]time.Duration)
		for i := range socks {
			socks[i] = &sock{}
			socks[i].timer.owner = socks[i]
		}
		duration := rapid.OneOf(rapid.Int64Range(1, int64(50*time.Millisecond)), rapid.Int64Range(1, int64(40*time.Second)))
		fired := make(map[*sock]bool)
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			s := rapid.SampledFrom(socks).Draw(t, "timer")
			switch rapid.IntRange(0, 3).Draw(t, "what") {
			case 0:
				want[s] = now + time.Duration(duration.Draw(t, "after"))
				w.set(&s.timer, want[s])
			case 1:
				s.timer.never()
				delete(want, s)
			case 2:
				w.remove(&s.timer)
				s.timer.never()
				delete(want, s)
			default:
				now += time.Duration(duration.Draw(t, "passes"))
				clear(fired)
				w.advance(now, func(s *sock) {
					if due, set := want[s]; !set || due > now || fired[s] {
						t.Fatalf("at %v a timer fires that is due at %v, set %v", now, due, set)
					}
					fired[s] = true
					delete(want, s)
				})
				for _, due := range want {
					if due+wheelTick < now {
						t.Fatalf("at %v a timer due at %v has not fired", now, due)
					}
				}
			}
			sleep := w.next(now)
			for _, due := range want {
				if sleep < 0 || now+sleep > max(now, due)+2*wheelTick {
					t.Fatalf("at %v the loop sleeps %v over %v", now, sleep, due)
				}
			}
		}
	})
}

// TestWheelFiresInsideItself: what fires may set, put off and unset others, and
// itself.
func TestWheelFiresInsideItself(t *testing.T) {
	var w wheel
	a, b := &sock{}, &sock{}
	a.timer.owner, b.timer.owner = a, b
	w.set(&a.timer, wheelTick)
	w.set(&b.timer, wheelTick)
	var order []*sock
	expire := func(s *sock) {
		order = append(order, s)
		w.set(&s.timer, 5*wheelTick)
		if s == a {
			w.remove(&b.timer)
		} else {
			w.remove(&a.timer)
		}
	}
	w.advance(wheelTick, expire)
	w.advance(4*wheelTick, expire)
	w.advance(5*wheelTick, expire)
	if len(order) != 2 || order[0] != order[1] {
		t.Errorf("fired %d times", len(order))
	}
}

// TestSpares: a buffer has room for what was asked, is empty, and is nobody
// else's; what is kept is bounded.
func TestSpares(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var p spares
		var held [][]byte
		for range rapid.IntRange(1, 100).Draw(t, "steps") {
			n := rapid.IntRange(0, 200<<10).Draw(t, "bytes")
			b := p.get(n)
			if len(b) != 0 || cap(b) < n {
				t.Fatalf("asked for %d bytes: %d of %d", n, len(b), cap(b))
			}
			b = p.add(b, make([]byte, rapid.IntRange(0, 2*n).Draw(t, "more")))
			mark := byte(len(held))
			b = p.add(b, []byte{mark})
			held = append(held, b)
			for i, h := range held {
				if h[len(h)-1] != byte(i) {
					t.Fatalf("buffer %d has been given twice", i)
				}
			}
			if rapid.Bool().Draw(t, "put") {
				p.put(held[len(held)-1])
				held = held[:len(held)-1]
			}
		}
		p.put(nil)
		for range 5_000 {
			p.put(make([]byte, 0, 1<<smallest))
		}
		for c, free := range p.free {
			if len(free)<<(smallest+c) > spareBytes {
				t.Fatalf("%d buffers of size class %d are kept", len(free), c)
			}
		}
	})
}
