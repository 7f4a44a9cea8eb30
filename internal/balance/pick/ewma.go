package pick

import (
	"math"
	"time"
)

const (
	// DefaultDecay is the mean lifetime of a latency that was seen, Finagle's.
	DefaultDecay = 10 * time.Second

	// FailureLatency is the least that a failure counts as: a backend that
	// fails at once looks like the fastest of all.
	FailureLatency = time.Second

	// answerShare is the least that an answer counts for, however shortly it
	// follows another one: a moment in which everything stood still would make
	// the fastest backends look slow for a whole decay else, and with thousands
	// of good answers since. It takes time alone to forget how slow one was who
	// is not asked.
	answerShare = 1.0 / 32

	// unknown is the cost, in nanoseconds, of a backend with requests in flight
	// and no answer yet (Finagle's Penalty): one probe at a time.
	unknown = float64(math.MaxInt64 >> 16)
)

// PeakEWMA looks at two backends, drawn in proportion to weight, and picks the
// one with less load: a moving average of latency that rises to a peak at once
// and falls slowly, times the requests in flight, by the weight:
//
//	w    = exp(-(now - stamp) / decay)    but for an answer at most 31/32
//	cost = latency                        where latency > cost
//	     = cost * w + latency * (1 - w)   else
//	load = cost * (in flight + 1) / weight
//
// The formula is that of Finagle's PeakEwma (Twitter's RPC library), but for
// the weight, FailureLatency and the least that an answer counts for. That two choices suffice is due to Mitzenmacher
// (The Power of Two Choices in Randomized Load Balancing, 2001).
type PeakEWMA struct {
	list
	roster
	lottery

	decay time.Duration
}

// peak is the average of one backend.
type peak struct {
	cost  float64       // nanoseconds; 0 is never seen
	stamp time.Duration // when cost was brought up to date
}

// NewPeakEWMA makes a policy without backends. Zero or less for the decay is
// DefaultDecay.
func NewPeakEWMA(decay time.Duration) *PeakEWMA {
	if decay <= 0 {
		decay = DefaultDecay
	}
	return &PeakEWMA{decay: decay}
}

// Update implements Policy.
func (p *PeakEWMA) Update(backends []Backend) error {
	if err := p.list.Update(backends); err != nil {
		return err
	}
	p.roster.update(backends)
	p.lottery.update(backends)
	return nil
}

// Mark implements Policy.
func (p *PeakEWMA) Mark(i int, available bool) {
	p.list.Mark(i, available)
	p.lottery.update(p.backends)
}

// Pick implements Policy. Where one of the two is to be avoided the other takes
// the request; where both are, the next in the list that may.
func (p *PeakEWMA) Pick(r Request) int {
	if p.total() == 0 {
		return None
	}
	a, b := p.two(r.Random)
	mayA, mayB := p.eligible(a, r.Avoid), p.eligible(b, r.Avoid)
	best := a
	switch {
	case !mayA && !mayB:
		best = p.next(b, r.Avoid)
	case !mayA || mayB && p.load(b, r.Now) < p.load(a, r.Now):
		best = b
	}
	if best != None {
		p.loads[best].inFlight++
	}
	return best
}

// load is what one more request would make of backend i.
func (p *PeakEWMA) load(i int, now time.Duration) float64 {
	l := p.loads[i]
	cost := l.peak.cost * l.peak.weight(now, p.decay)
	weight := float64(p.backends[i].Weight)
	if cost == 0 && l.inFlight > 0 {
		return (unknown + float64(l.inFlight)) / weight
	}
	return cost * float64(l.inFlight+1) / weight
}

// Done implements Policy.
func (p *PeakEWMA) Done(o Outcome) {
	l := p.roster.done(&o)
	if l == nil {
		return
	}
	latency := max(o.Latency, 0)
	switch {
	case o.Abandoned && float64(latency) <= l.peak.cost:
		return // it would have taken longer; nobody knows how long
	case o.Failed && !o.Abandoned:
		latency = max(latency, FailureLatency)
	}
	l.peak.observe(latency, o.Now, p.decay)
}

// fade is exp(-x). Times between requests are so short beside the decay that a
// parabola does: what that is off by, summed up over a decay, is below 2e-7.
func fade(x float64) float64 {
	if x < 1.0/1024 {
		return 1 - x + x*x/2
	}
	return math.Exp(-x)
}

// weight is what the cost counts for at a time, beside what is seen then. A time
// before the last one counts as the last one.
func (k *peak) weight(now, decay time.Duration) float64 {
	if now <= k.stamp {
		return 1
	}
	return fade(float64(now-k.stamp) / float64(decay))
}

// observe brings the cost up to date with the latency of an answer.
func (k *peak) observe(latency, now, decay time.Duration) {
	seen := float64(latency)
	if seen > k.cost {
		k.cost = seen
	} else {
		w := min(k.weight(now, decay), 1-answerShare)
		k.cost = k.cost*w + seen*(1-w)
	}
	k.stamp = max(k.stamp, now)
}
