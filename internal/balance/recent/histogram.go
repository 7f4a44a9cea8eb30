package recent

import (
	"math/bits"
	"time"
)

const (
	// Generation is how long a Histogram gathers before it begins a new
	// generation; it gives what the last one to two of them have.
	Generation = 10 * time.Second

	// Shortest is below which a Histogram tells nothing apart: 1.024 µs.
	Shortest = time.Duration(1) << minExponent

	// Longest is from which on it does not: 137 s.
	Longest = time.Duration(1) << maxExponent

	minExponent = 10 // 2^10 ns
	maxExponent = 37 // 2^37 ns
	subBits     = 3  // 8 buckets an octave: each an eighth to a sixteenth wide
	buckets     = (maxExponent-minExponent)<<subBits + 1
)

// Histogram is the distribution of latencies, in buckets whose bounds are at
// most an eighth apart. Its zero value is empty.
type Histogram struct {
	counts [2][buckets]uint32
	totals [2]uint64
	at     int           // the generation that gathers
	end    time.Duration // of it
}

// Add counts a latency at a time.
func (h *Histogram) Add(now, latency time.Duration) {
	if now >= h.end {
		h.turn(now)
	}
	h.counts[h.at][bucket(latency)]++
	h.totals[h.at]++
}

// Count is how many latencies the quantiles are of.
func (h *Histogram) Count(now time.Duration) uint64 {
	if now >= h.end {
		h.turn(now)
	}
	return h.totals[0] + h.totals[1]
}

// Quantile is the latency that a share q of all, 0 to 1, did not exceed: the
// upper bound of its bucket, so at most an eighth too much. 0 is none seen.
func (h *Histogram) Quantile(now time.Duration, q float64) time.Duration {
	total := h.Count(now)
	if total == 0 {
		return 0
	}
	rank := max(uint64(q*float64(total)+0.999999), 1)
	for i := range buckets {
		n := uint64(h.counts[0][i]) + uint64(h.counts[1][i])
		if n >= rank {
			return bound(i)
		}
		rank -= n
	}
	return Longest
}

// Clear forgets everything.
func (h *Histogram) Clear() { *h = Histogram{} }

func (h *Histogram) turn(now time.Duration) {
	if now >= h.end+Generation {
		h.Clear() // nothing is recent
		h.end = now - now%Generation + Generation
		return
	}
	h.at = 1 - h.at
	h.counts[h.at] = [buckets]uint32{}
	h.totals[h.at] = 0
	h.end += Generation
}

// bucket is where a latency counts: each octave from Shortest on in eight equal
// parts, and one for all below.
func bucket(latency time.Duration) int {
	v := uint64(max(latency, 0))
	if v < uint64(Shortest) {
		return 0
	}
	exponent := bits.Len64(v) - 1
	if exponent >= maxExponent {
		return buckets - 1
	}
	sub := v >> (exponent - subBits) & (1<<subBits - 1)
	return (exponent-minExponent)<<subBits + int(sub) + 1
}

// bound is where a bucket ends.
func bound(i int) time.Duration {
	if i == 0 {
		return Shortest
	}
	i--
	exponent, sub := minExponent+i>>subBits, i&(1<<subBits-1)
	return time.Duration(1<<subBits+sub+1) << (exponent - subBits)
}
