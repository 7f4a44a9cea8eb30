// Package recent remembers what happened lately, in a fixed number of bytes:
// how often (Window), and how long it took (Histogram). Time comes in with each
// call; a time before the last one counts as the last one.
package recent

import "time"

const (
	// Parts is how many parts a window has: what it gives is of the last
	// nine to ten of them.
	Parts = 10

	// Length is how long a Window made of nothing is.
	Length = 10 * time.Second
)

// Window counts what happened in the last stretch of time. Its zero value is
// Length long.
type Window struct {
	counts [Parts]int64
	sum    int64
	part   time.Duration // length of one; 0 is Length / Parts
	end    time.Duration // of the current part
	at     int           // index of the current part
}

// NewWindow makes a window of a length; Length where that is 0 or less.
func NewWindow(length time.Duration) Window {
	return Window{part: max(length, 0) / Parts}
}

// Add counts n more at a time.
func (w *Window) Add(now time.Duration, n int64) {
	if now >= w.end {
		w.turn(now)
	}
	w.counts[w.at] += n
	w.sum += n
}

// Sum is how many there were in the window that ends at a time.
func (w *Window) Sum(now time.Duration) int64 {
	if now >= w.end {
		w.turn(now)
	}
	return w.sum
}

// Rate is Sum in a second.
func (w *Window) Rate(now time.Duration) float64 {
	return float64(w.Sum(now)) / (Parts * w.each()).Seconds()
}

// Clear forgets everything.
func (w *Window) Clear() {
	w.counts, w.sum = [Parts]int64{}, 0
}

func (w *Window) each() time.Duration {
	if w.part > 0 {
		return w.part
	}
	return Length / Parts
}

// turn begins the part that a time is in. Parts begin at multiples of their
// length, so that the division is done once a part.
func (w *Window) turn(now time.Duration) {
	part := w.each()
	passed := int64((now-w.end)/part) + 1
	w.end += time.Duration(passed) * part
	for range min(passed, Parts) {
		w.at = (w.at + 1) % Parts
		w.sum -= w.counts[w.at]
		w.counts[w.at] = 0
	}
}
