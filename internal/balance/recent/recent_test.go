package recent

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestWindowIsASum: it gives what came in the last nine to ten parts, whatever
// the steps of time, and never less than nothing.
func TestWindowIsASum(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		length := time.Duration(rapid.SampledFrom([]int64{0, 1e9, 1e10, 3600e9}).Draw(t, "length"))
		w := NewWindow(length)
		if length == 0 {
			length = Length
		}
		part := length / Parts
		type event struct {
			at time.Duration
			n  int64
		}
		var all []event
		now := time.Duration(rapid.Int64Range(0, 1e12).Draw(t, "begin"))
		for range rapid.IntRange(1, 60).Draw(t, "events") {
			now += time.Duration(rapid.Int64Range(0, int64(3*part)).Draw(t, "step"))
			if rapid.IntRange(0, 15).Draw(t, "long") == 0 {
				now += 2 * length
			}
			e := event{now, rapid.Int64Range(0, 5).Draw(t, "n")}
			all = append(all, e)
			w.Add(e.at, e.n)
			want := int64(0)
			for _, e := range all {
				if e.at/part > now/part-Parts {
					want += e.n
				}
			}
			if got := w.Sum(now); got != want {
				t.Fatalf("at %v: %d, want %d of %v", now, got, want, all)
			}
			if got := w.Sum(now - time.Second); got != want {
				t.Fatalf("asked for a time before: %d, want %d", got, want)
			}
		}
		if got, want := w.Rate(now), float64(w.Sum(now))/length.Seconds(); got != want {
			t.Fatalf("rate %v, want %v", got, want)
		}
		w.Clear()
		if w.Sum(now) != 0 {
			t.Fatal("cleared, and not empty")
		}
	})
}

// TestQuantiles: a quantile is not below the true one, and at most an eighth
// above it.
func TestQuantiles(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var h Histogram
		random := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		latencies := make([]time.Duration, rapid.IntRange(1, 500).Draw(t, "latencies"))
		for i := range latencies {
			latencies[i] = Shortest + time.Duration(random.Int64N(1<<random.IntN(36)))
			h.Add(time.Second, latencies[i])
		}
		slices.Sort(latencies)
		for _, q := range []float64{0, 0.5, 0.9, 0.99, 1} {
			rank := max(int(q*float64(len(latencies))+0.999999), 1)
			exact, got := latencies[rank-1], h.Quantile(time.Second, q)
			if got < exact || got > exact+exact/8+1 {
				t.Fatalf("quantile %v is %v, exactly it is %v", q, got, exact)
			}
		}
	})
}

// TestHistogramForgets: what is older than two generations is gone, what is
// younger than one is there.
func TestHistogramForgets(t *testing.T) {
	var h Histogram
	if h.Quantile(0, 0.5) != 0 {
		t.Error("an empty histogram has a median")
	}
	for second := range 100 {
		h.Add(time.Duration(second)*time.Second, time.Duration(second+1)*time.Second)
		now := time.Duration(second) * time.Second
		n := h.Count(now)
		if n > 20 || int(n) < min(second+1, 10) {
			t.Fatalf("after %d s it has %d latencies", second, n)
		}
	}
	if got := h.Count(105 * time.Second); got != 10 {
		t.Errorf("%d latencies of the generation before, want 10", got)
	}
	if got := h.Count(300 * time.Second); got != 0 {
		t.Errorf("%d latencies after minutes", got)
	}
	h.Add(300*time.Second, 0)
	h.Add(300*time.Second, -1)
	h.Add(300*time.Second, 1<<62)
	if got := h.Quantile(300*time.Second, 0.5); got != Shortest {
		t.Errorf("the median of 0, -1 and for ever is %v, want %v", got, Shortest)
	}
	if got := h.Quantile(300*time.Second, 1); got < Longest {
		t.Errorf("the longest is %v, want at least %v", got, Longest)
	}
}

// TestBuckets: bounds rise, and each bucket begins where the one before ends.
func TestBuckets(t *testing.T) {
	for i := range buckets - 1 {
		if got := bucket(bound(i) - 1); got != i {
			t.Fatalf("the last of bucket %d is in %d", i, got)
		}
		if got := bucket(bound(i)); got != i+1 {
			t.Fatalf("the bound of bucket %d is in %d, want the next", i, got)
		}
	}
}
