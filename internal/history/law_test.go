package history

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/polymath-run/polymath/internal/ledger"
)

// TestSeriesAgainstModel: while time goes on, with pauses of any length, a
// series is what a table of all that ever happened says about the time the
// ring reaches back. A pause is a gap in it.
func TestSeriesAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := rapid.SampledFrom([]Resolution{Second, TenSeconds}).Draw(t, "resolution")
		step, slots := r.millis(), int64(FineSlots)
		if r == TenSeconds {
			slots = CoarseSlots
		}
		h := New(start)
		model := map[int64]Point{}
		now := int64(start)
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			now += rapid.OneOf(rapid.Int64Range(0, 2*step), rapid.Int64Range(0, 2*slots*step)).Draw(t, "pause")
			begin := now / step * step
			p := model[begin]
			p.At = begin
			if rapid.Bool().Draw(t, "sample") {
				p.Gauges, p.Sampled = Gauges{Jobs: uint64(now)}, true
				h.Sample(now, ledger.Stats{Jobs: uint64(now)})
			} else {
				n := rapid.IntRange(1, 3).Draw(t, "events")
				p.Counts.Submitted += uint64(n)
				h.Observe(now, &ledger.Effects{Events: slices.Repeat([]ledger.Event{{Kind: ledger.JobQueued}}, n)})
			}
			model[begin] = p
		}
		from := now - rapid.Int64Range(0, (slots-1)*step).Draw(t, "back")
		to := from + rapid.Int64Range(0, slots*step).Draw(t, "width")
		var want []Point
		for at := (from + step - 1) / step * step; at < to; at += step {
			if p, ok := model[at]; ok {
				want = append(want, p)
			}
		}
		if got := h.Series(r, from, to); !slices.Equal(got, want) {
			t.Fatalf("[%d, %d): got %+v, want %+v", from, to, got, want)
		}
	})
}

// TestClockJumps: whichever way the clock jumps, each point is found at the
// time it was told for, in order, and what is told later is not lost.
func TestClockJumps(t *testing.T) {
	h := New(start)
	one := &ledger.Effects{Events: []ledger.Event{{Kind: ledger.JobQueued}}}
	const hour = 3_600_000
	for _, now := range []int64{start, start + 30*24*hour, start - hour, start - hour + 1000, 1, -5} {
		h.Observe(now, one)
	}
	var at []int64
	for _, p := range h.Series(Second, -1<<63, 1<<63-1) {
		if p.Counts.Submitted == 0 {
			t.Errorf("empty point at %d", p.At)
		}
		at = append(at, p.At)
	}
	if !slices.IsSorted(at) || !slices.Contains(at, start-hour+1000) || !slices.Contains(at, start-hour) {
		t.Errorf("points at %d", at)
	}
	if got := h.Totals().Submitted; got != 6 {
		t.Errorf("%d submitted, want 6", got)
	}
	if got := h.Series(Second, start, start); len(got) != 0 {
		t.Errorf("nothing has the points %+v", got)
	}
}

// TestEndedAgainstModel: pages put together are all spans, each once, in the
// order of their ends; what was forgotten in between is a gap and nothing else
// is.
func TestEndedAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := New(start)
		f := newFeed(0)
		f.grant(h, start, 1)
		var seen, cursor uint64
		now := int64(start)
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			for range rapid.IntRange(0, 3*chunkSpans).Draw(t, "spans") {
				f.turn(h, now)
			}
			p := h.Ended(now, cursor, rapid.IntRange(0, 2*MaxPage).Draw(t, "limit"))
			ended, older := f.end-1, uint64(0)
			if ended > maxEnded {
				older = ended - maxEnded // at least these are kept
			}
			if len(p.Spans) > 0 {
				first := p.Spans[0].Token.Ref.Index.Position - 1 // spans that ended before it
				if p.Gap != (first != seen && cursor != 0) || first < seen || first > max(seen, older+chunkSpans) {
					t.Fatalf("after %d a page begins at %d, gap %v, %d ended", seen, first, p.Gap, ended)
				}
				seen = first
			}
			for i := range p.Spans {
				if got := p.Spans[i].Token.Ref.Index.Position; got != seen+1 {
					t.Fatalf("span %d follows %d", got, seen)
				}
				seen++
			}
			if p.More != (seen < ended) && len(p.Spans) > 0 {
				t.Fatalf("more is %v at %d of %d", p.More, seen, ended)
			}
			cursor = p.Next
		}
	})
}

// TestCursors: a cursor that leads nowhere any more is a gap, not a silence.
func TestCursors(t *testing.T) {
	h := New(start)
	f := newFeed(0)
	f.grant(h, start, 1)
	for range 10 {
		f.turn(h, start)
	}
	p := h.Ended(start, 0, 4)
	if len(p.Spans) != 4 || !p.More || p.Gap {
		t.Errorf("the first page: %+v", p)
	}
	if p = h.Ended(start, p.Next, 100); len(p.Spans) != 6 || p.More || p.Gap {
		t.Errorf("the rest: %+v", p)
	}
	if again := h.Ended(start, p.Next, 100); len(again.Spans) != 0 || again.Gap || again.Next != p.Next {
		t.Errorf("after the last: %+v", again)
	}

	later := start + SpanRetention.Milliseconds() + 1
	f.turn(h, later)
	old := h.Ended(later, 0, 100)
	if len(old.Spans) != 1 || old.Gap {
		t.Errorf("of spans past retention were shown: %+v", old)
	}
	if missed := h.Ended(later, p.Next-1, 100); len(missed.Spans) != 1 || !missed.Gap {
		t.Errorf("a span past retention was not seen: %+v", missed)
	}
	if exact := h.Ended(later, p.Next, 100); len(exact.Spans) != 1 || exact.Gap {
		t.Errorf("nothing was missed: %+v", exact)
	}

	next := New(start + 1000) // the process began again a second later
	if q := next.Ended(start+1000, p.Next, 100); !q.Gap || len(q.Spans) != 0 {
		t.Errorf("a cursor of the process before: %+v", q)
	}
}
