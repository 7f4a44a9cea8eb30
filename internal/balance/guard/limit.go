package guard

import "time"

const (
	// LimitWindow is how often the limit is worked out anew, as long as there
	// are LimitSamples.
	LimitWindow = time.Second

	// LimitSamples is how many latencies a window needs.
	LimitSamples = 10

	// DefaultLimitLeast does no harm to the balancer whatever latencies say.
	DefaultLimitLeast = 512

	// DefaultLimitFirst is where the limit begins.
	DefaultLimitFirst = 4096

	// DefaultLimitMost is an address' worth of ports.
	DefaultLimitMost = 65_536

	smoothing     = 0.2  // how far the limit goes towards the new one
	steepest      = 0.5  // the least gradient: at most half is taken away
	longWindows   = 600  // of the long average
	warmupWindows = 10   // in which the long average is that of all so far
	drift         = 2    // the long average is this many times the short: it is out of date,
	driftBack     = 0.9  // and shrinks by this
	tolerance     = 1.5  // the short may be this many times the long: a mix of requests, no queue
	queuePart     = 0.01 // of the limit, what it may grow by in a window,
	queueLeast    = 4    // but at least this
)

// LimitRule bounds a Limit, in requests in flight.
type LimitRule struct {
	First int // to begin with
	Least int // never below
	Most  int // never above; 0 is no limit at all
}

// Limit is how many requests the balancer takes on at once, worked out from
// latencies: where they rise over their long average, requests wait in a queue
// somewhere, and a longer queue serves nobody. The formula is Gradient2 of
// Netflix' concurrency-limits, once a window, over the means of windows:
//
//	gradient = max(1/2, min(1, tolerance * long / short))
//	limit   += smoothing * (limit * gradient + queue - limit)
//
// and where less than half of the limit was used it stays as it is.
type Limit struct {
	rule     LimitRule
	limit    float64
	inFlight int

	sum     time.Duration // of this window's latencies
	count   int
	busiest int           // most requests in flight in it
	end     time.Duration // of it
	long    float64       // mean latency of many windows, ns
	windows int           // that long has seen, up to longWindows
}

// NewLimit makes a limit at its first value.
func NewLimit(r LimitRule) Limit {
	l := Limit{rule: r}
	l.limit = l.clamp(float64(r.First))
	return l
}

// Set changes the rule from now on.
func (l *Limit) Set(r LimitRule) {
	if l.rule.Most <= 0 {
		l.limit = float64(r.First) // there was none
	}
	l.rule = r
	l.limit = l.clamp(l.limit)
}

// Begin asks for one more request in flight, and counts it if there may be one.
func (l *Limit) Begin() bool {
	if l.rule.Most > 0 && float64(l.inFlight+1) > l.limit {
		return false
	}
	l.inFlight++
	l.busiest = max(l.busiest, l.inFlight)
	return true
}

// End ends one that Begin has counted.
func (l *Limit) End() { l.inFlight-- }

// InFlight is how many have begun and not ended.
func (l *Limit) InFlight() int { return l.inFlight }

// Now is the limit; 0 is none.
func (l *Limit) Now() int {
	if l.rule.Most <= 0 {
		return 0
	}
	return int(l.limit)
}

// Observe counts the latency of an answer.
func (l *Limit) Observe(now, latency time.Duration) {
	l.sum += max(latency, 0)
	l.count++
	if now >= l.end && l.count >= LimitSamples {
		l.turn()
		l.sum, l.count, l.busiest, l.end = 0, 0, l.inFlight, now+LimitWindow
	}
}

// turn works the limit out.
func (l *Limit) turn() {
	short := max(float64(l.sum)/float64(l.count), 1)
	l.average(short)
	if float64(l.busiest) < l.limit/2 {
		return
	}
	gradient := max(steepest, min(1, tolerance*l.long/short))
	queue := max(queueLeast, queuePart*l.limit)
	l.limit = l.clamp(l.limit + smoothing*(l.limit*gradient+queue-l.limit))
}

// average brings the long average up to date: a plain mean at first, then an
// exponential one of longWindows.
func (l *Limit) average(short float64) {
	l.windows = min(l.windows+1, longWindows)
	if l.windows <= warmupWindows {
		l.long += (short - l.long) / float64(l.windows)
	} else {
		l.long += (short - l.long) * 2 / (longWindows + 1)
	}
	if l.long/short > drift {
		l.long *= driftBack
	}
}

func (l *Limit) clamp(limit float64) float64 {
	return max(min(limit, float64(l.rule.Most)), float64(l.rule.Least), 1)
}
