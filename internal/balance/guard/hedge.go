package guard

import (
	"time"

	"github.com/polymath-run/polymath/internal/balance/recent"
)

const (
	// HedgeSamples is how many latencies have to be known before a hedge: a
	// percentile of fewer is chance.
	HedgeSamples = 100

	// HedgeEvery is how old a delay may be that is not worked out anew.
	HedgeEvery = 100 * time.Millisecond

	// DefaultHedgePercentile is that of The Tail at Scale (Dean and Barroso,
	// 2013): a second request after the 95th percentile adds about 5 %.
	DefaultHedgePercentile = 95

	// DefaultHedgeLeast is the shortest wait: what is answered faster is not
	// worth another request.
	DefaultHedgeLeast = 2 * time.Millisecond
)

// HedgeRule says when a second upstream is asked as well.
type HedgeRule struct {
	Percentile int           // of recent latencies, 1 to 99; 0 is never
	Least      time.Duration // the shortest delay
	Share      Share         // of requests that may be hedged
}

// Hedge works out how long to wait for an answer before somebody else is asked
// as well: "tied requests" of the tail, within a budget.
type Hedge struct {
	rule      HedgeRule
	budget    Budget
	latencies recent.Histogram
	delay     time.Duration
	until     time.Duration // the delay is good
}

// NewHedge makes one that knows no latency.
func NewHedge(r HedgeRule) Hedge { return Hedge{rule: r, budget: NewBudget(r.Share)} }

// Set changes the rule from now on.
func (h *Hedge) Set(r HedgeRule) {
	h.rule, h.until = r, 0
	h.budget.Set(r.Share)
}

// On reports whether there are hedges at all.
func (h *Hedge) On() bool { return h.rule.Percentile > 0 }

// Request counts one that somebody asked for.
func (h *Hedge) Request(now time.Duration) { h.budget.Request(now) }

// Observe counts the latency of an answer.
func (h *Hedge) Observe(now, latency time.Duration) { h.latencies.Add(now, latency) }

// Delay is how long to wait; 0 is for ever.
func (h *Hedge) Delay(now time.Duration) time.Duration {
	if !h.On() {
		return 0
	}
	if now >= h.until {
		h.until = now + HedgeEvery
		h.delay = 0
		if h.latencies.Count(now) >= HedgeSamples {
			const percent = 100
			h.delay = max(h.latencies.Quantile(now, float64(h.rule.Percentile)/percent), h.rule.Least, 1)
		}
	}
	return h.delay
}

// Spend asks for one hedge, and counts it if there may be one.
func (h *Hedge) Spend(now time.Duration) bool { return h.budget.Spend(now) }
