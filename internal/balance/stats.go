package balance

import (
	"math/bits"
	"net/netip"
	"time"

	"github.com/polymath-run/polymath/internal/balance/forward"
	"github.com/polymath-run/polymath/internal/balance/guard"
)

const (
	// LatencyBuckets is how many buckets a latency histogram for metrics has;
	// the last one has no bound.
	LatencyBuckets = 20

	firstBound = 64 * time.Microsecond
)

// LatencyBound is where bucket i ends: 64 µs, 128 µs, ... to 16.8 s.
func LatencyBound(i int) time.Duration { return firstBound << i }

// latencyBucket is the first whose bound a latency does not exceed.
func latencyBucket(latency time.Duration) int {
	if latency <= firstBound {
		return 0
	}
	return min(bits.Len64(uint64(latency-1)/uint64(firstBound)), LatencyBuckets-1)
}

// Totals counts since the Pool was made.
type Totals struct {
	Requests       uint64 // exchanges that began
	RateLimited    uint64 // refused by Options.Admit
	Overloaded     uint64 // refused by the limit of the balancer itself
	Nobody         uint64 // times Pick had nobody
	Retries        uint64
	RetriesRefused uint64 // by the budget
	Hedges         uint64
	HedgesRefused  uint64                // by the budget
	Answers        [statusClasses]uint64 // to clients, by status / 100; 0: none
}

// Stats is a look at a Pool.
type Stats struct {
	Totals
	Rate      float64 // exchanges a second, of the last ten seconds
	InFlight  int     // exchanges
	Limit     int     // most exchanges in flight now; 0: no limit
	Available int     // upstreams that may be picked
	Panicking bool    // so few are healthy that health is not asked
	Upstreams []UpstreamStats
}

// UpstreamStats is a look at one upstream. Rates and quantiles are of the last
// ten to twenty seconds, counts since it came.
type UpstreamStats struct {
	Name     string
	Address  netip.AddrPort
	Weight   int
	Number   uint64
	State    string        // up, warming, trial, ejected, down, draining; leaving: removed, with requests under way
	Why      string        // it is not up, in words
	Back     time.Duration // until an ejection ends
	Breaker  string        // closed, open, half-open
	InFlight int           // attempts
	Rate     float64       // attempts a second
	Errors   float64       // of these, failed ones
	P50, P99 time.Duration // latency to the head of an answer

	Picked    uint64
	Trials    uint64 // of these, past the policy
	Answers   [statusClasses]uint64
	Failures  [kinds]uint64 // by forward.Kind; Answered is no failure
	Ejections uint64
	Opened    uint64 // times the breaker has opened
	Received  uint64 // bytes of body from clients
	Sent      uint64 // bytes of body to clients

	LatencySum time.Duration
	Latencies  [LatencyBuckets]uint64 // not summed up
}

// Stats looks at the pool.
func (p *Pool) Stats() Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	if now >= p.tickAt {
		p.tick(now)
	}
	out := Stats{
		Totals: p.totals, Rate: p.rate.Rate(now), InFlight: p.limit.InFlight(), Limit: p.limit.Now(),
		Available: p.available, Panicking: p.fleet.Panicking(),
		Upstreams: make([]UpstreamStats, 0, len(p.members)+len(p.leaving)),
	}
	for _, m := range p.members {
		out.Upstreams = append(out.Upstreams, m.stats(now))
	}
	for _, m := range p.leaving {
		s := m.stats(now)
		s.State, s.Why = "leaving", "removed; what it is answering is answered"
		out.Upstreams = append(out.Upstreams, s)
	}
	return out
}

func (m *member) stats(now time.Duration) UpstreamStats {
	s := UpstreamStats{
		Name: m.server.Name, Address: m.server.Address, Weight: m.weight, Number: m.number,
		State: m.health.State().String(), Why: m.health.Why(), Back: m.health.Back(now),
		Breaker: m.breaker.State(now).String(), InFlight: m.inFlight,
		Rate: m.rate.Rate(now), Errors: m.errors.Rate(now),
		P50: m.health.Quantile(now, 0.5), P99: m.health.Quantile(now, 0.99),
		Picked: m.picked, Trials: m.trials, Answers: m.answers, Failures: m.failures,
		Ejections: m.health.Ejections(), Opened: m.breaker.Opened(),
		Received: m.received, Sent: m.sent, LatencySum: m.sum, Latencies: m.buckets,
	}
	if s.Why == "" && m.breaker.State(now) != guard.Closed {
		s.Why = "its breaker is " + s.Breaker + " after failures in a row"
	}
	return s
}

var _ forward.Director = (*Pool)(nil)
