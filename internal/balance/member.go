package balance

import (
	"time"

	"github.com/polymath-run/polymath/internal/balance/forward"
	"github.com/polymath-run/polymath/internal/balance/guard"
	"github.com/polymath-run/polymath/internal/balance/health"
	"github.com/polymath-run/polymath/internal/balance/recent"
)

// member is an upstream of a Pool, and all that is known of it. The Pool's lock
// owns everything but server, which never changes.
type member struct {
	server forward.Upstream // its Data is the member

	weight  int
	number  uint64
	index   int  // in the list of the policy; -1: removed
	offered bool // the policy was told that it may be picked

	health  health.Member
	breaker guard.Breaker
	state   guard.BreakerState // that the Pool has acted on

	inFlight int           // attempts picked and not done
	idle     chan struct{} // closed when none is any more; nil: nobody waits
	picked   uint64
	trials   uint64
	answers  [statusClasses]uint64
	failures [kinds]uint64
	received uint64 // bytes of body from clients, of exchanges that ended here
	sent     uint64 // and to them
	sum      time.Duration
	buckets  [LatencyBuckets]uint64
	rate     recent.Window // attempts
	errors   recent.Window // and those of them that failed
}

const (
	statusClasses = 6 // 0: none; 1xx to 5xx
	kinds         = int(forward.Abandoned) + 1
)

func newMember(u Upstream, s *Settings) *member {
	m := &member{server: u.Server, index: -1, breaker: guard.NewBreaker(s.Breaker)}
	m.server.Data = m
	m.health.Data = m
	return m
}

// same reports whether the member is the upstream that is configured so.
func (m *member) same(u *forward.Upstream) bool {
	s := &m.server
	return s.Name == u.Name && s.Address == u.Address && s.Host == u.Host &&
		s.TLS == u.TLS && s.HTTP2 == u.HTTP2 && s.Proxy == u.Proxy
}

// count books the end of an attempt.
func (m *member) count(r *forward.Result, v guard.Verdict) {
	m.failures[min(int(r.Kind), kinds-1)]++
	if v == guard.Bad {
		m.errors.Add(r.Now, 1)
	}
	if r.Status > 0 {
		m.answers[min(r.Status/100, statusClasses-1)]++
		m.sum += max(r.Latency, 0)
		m.buckets[latencyBucket(r.Latency)]++
	}
	if m.inFlight == 0 && m.idle != nil {
		close(m.idle)
		m.idle = nil
	}
}

// verdict judges the end of an attempt: what says that nobody could answer is
// no answer, whoever says it.
func verdict(r *forward.Result) guard.Verdict {
	switch {
	case r.Kind == forward.Abandoned:
		return guard.Neither
	case r.Kind == forward.Answered && r.Status != 502 && r.Status != 503 && r.Status != 504:
		return guard.Good
	default:
		return guard.Bad
	}
}
