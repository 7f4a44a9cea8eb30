package guard

import (
	"testing"
	"time"
)

// BenchmarkGuards is what one request costs here: admission, budget, breaker,
// latency.
func BenchmarkGuards(b *testing.B) {
	limit := NewLimit(LimitRule{First: 100, Least: 10, Most: 1000})
	budget := NewBudget(Share{Percent: DefaultPercent})
	breaker := NewBreaker(BreakerRule{Failures: DefaultFailures, Open: DefaultOpen, Successes: 1})
	now := time.Duration(0)
	b.ReportAllocs()
	for b.Loop() {
		now += 10 * time.Microsecond
		if limit.Begin() && breaker.State(now) == Closed {
			budget.Request(now)
			breaker.Done(now, Good, false)
			limit.Observe(now, time.Millisecond)
			limit.End()
		}
	}
}
