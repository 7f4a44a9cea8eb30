package history

import (
	"testing"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/ledger"
)

// feed makes effects like those of a busy shard: each entry ends the oldest
// lease, finishes a job, and submits and starts the next.
type feed struct {
	fx   ledger.Effects
	next uint64
	end  uint64
}

func newFeed(out uint64) *feed {
	return &feed{end: 1, next: out, fx: ledger.Effects{
		Ended:  make([]ledger.Ended, 1),
		Grants: make([]ledger.Grant, 1),
		Events: []ledger.Event{
			{Kind: ledger.JobSucceeded, Name: "f"}, {Kind: ledger.JobQueued, Name: "f"}, {Kind: ledger.JobStarted, Name: "f"},
		},
	}}
}

func tokenOf(n uint64) polymath.Token {
	return polymath.Token{Ref: polymath.Ref{Index: polymath.Index{Epoch: 1, Position: n}}}
}

// turn observes one entry.
func (f *feed) turn(h *History, now int64) {
	f.next++
	f.fx.Ended[0] = ledger.Ended{Token: tokenOf(f.end), Outcome: ledger.Completed, Units: 10}
	f.fx.Grants[0].Lease = polymath.Lease{Token: tokenOf(f.next), Function: "f", Interval: polymath.Interval{To: 10}}
	f.end++
	h.Observe(now, &f.fx)
}

// grant lets out n leases that do not end.
func (f *feed) grant(h *History, now int64, n int) {
	for range n {
		f.next++
		g := ledger.Grant{Lease: polymath.Lease{Token: tokenOf(f.next)}}
		h.Observe(now, &ledger.Effects{Grants: []ledger.Grant{g}})
	}
}

// TestBounds fills everything several times over: memory is as large as the
// constants say, and the newest is what is kept.
func TestBounds(t *testing.T) {
	h := New(start)
	f := newFeed(0)
	f.grant(h, start, 3*maxOpen)
	if n := len(h.open.spans) - h.open.holes; n != maxOpen || h.Unspanned() != 2*maxOpen {
		t.Errorf("%d spans open, %d not; want %d and %d", n, h.Unspanned(), maxOpen, 2*maxOpen)
	}
	for range 3 * MaxSpans {
		f.turn(h, start)
		if n := int(h.ended.next() - h.ended.first); n > maxEnded {
			t.Fatalf("%d ended spans, more than %d", n, maxEnded)
		}
		if n := len(h.open.spans); n > 2*maxOpen+minHoles {
			t.Fatalf("%d places for open spans", n)
		}
	}
	if c := h.Totals(); c.Granted != 3*maxOpen+3*MaxSpans || c.Completed != 3*MaxSpans {
		t.Errorf("counted %+v", c)
	}
	if n := len(h.Ended(start, 0, 1<<30).Spans); n != MaxPage {
		t.Errorf("a page of %d spans", n)
	}
	if n := len(h.Open(polymath.Token{}, 1<<30)); n != MaxPage {
		t.Errorf("a page of %d open spans", n)
	}
	h.Sample(start+SpanRetention.Milliseconds()+1, ledger.Stats{})
	if h.ended.chunks != nil || h.ended.spare != nil {
		t.Error("expired spans still take memory")
	}
	for i := range int64(2 * CoarseSlots) {
		h.Sample(start+i*TenSeconds.millis(), ledger.Stats{})
	}
	if n := len(h.Series(TenSeconds, 0, 1<<62)); n != CoarseSlots {
		t.Errorf("%d coarse points, want %d", n, CoarseSlots)
	}
	if n := len(h.Series(Second, 0, 1<<62)); n > FineSlots {
		t.Errorf("%d fine points, more than %d", n, FineSlots)
	}
}

// TestObserveAllocatesNothing holds once the chunks are there.
func TestObserveAllocatesNothing(t *testing.T) {
	h := New(start)
	f := newFeed(0)
	f.grant(h, start, 50)
	now := int64(start)
	for range 2 * MaxSpans {
		f.turn(h, now)
	}
	if n := testing.AllocsPerRun(5*chunkSpans, func() {
		now += 3
		f.turn(h, now)
		h.Sample(now, ledger.Stats{Jobs: 1})
	}); n != 0 {
		t.Errorf("%v allocations an entry", n)
	}
}

func BenchmarkObserve(b *testing.B) {
	for _, out := range []int{8, 5000} {
		b.Run(map[int]string{8: "few leases", 5000: "many leases"}[out], func(b *testing.B) {
			h := New(start)
			f := newFeed(0)
			f.grant(h, start, out)
			now := int64(start)
			b.ReportAllocs()
			for b.Loop() {
				now++
				f.turn(h, now/16)
			}
		})
	}
}

func BenchmarkSeries(b *testing.B) {
	h := New(start)
	for i := range int64(CoarseSlots) {
		h.Sample(start+i*TenSeconds.millis(), ledger.Stats{})
	}
	for b.Loop() {
		h.Series(TenSeconds, start, 1<<62)
	}
}
