package health

import "time"

// Usable reports whether the member's own health lets it be asked.
func (m *Member) Usable() bool { return m.place == Up && !m.down && !m.draining }

// Draining reports whether it takes nothing new.
func (m *Member) Draining() bool { return m.draining }

// Ready reports whether it waits for a trial: one request at a time.
func (m *Member) Ready() bool { return m.place == Trial && !m.trying && !m.down && !m.draining }

// OnTrial reports whether its place is to be tried, waiting or not.
func (m *Member) OnTrial() bool { return m.place == Trial }

// Try counts a trial that begins; Ready has said that it may. Its Sample says
// Trial.
func (m *Member) Try() { m.trying = true }

// State is how the member is at present.
func (m *Member) State() State {
	switch {
	case m.draining:
		return Draining
	case m.down:
		return Down
	case m.place != Up:
		return m.place
	case !m.warm:
		return Warming
	default:
		return Up
	}
}

// Why says in words what is wrong with it; "" is nothing.
func (m *Member) Why() string {
	if m.down {
		return m.why
	}
	return m.reason.String()
}

// Ejections is how often it was ejected.
func (m *Member) Ejections() uint64 { return m.ejected }

// Back is how long it stays ejected yet; 0 where it is not.
func (m *Member) Back(now time.Duration) time.Duration {
	if m.place != Ejected {
		return 0
	}
	return max(m.until-now, 0)
}

// Quantile is the latency that a share q of the recent answers did not exceed.
func (m *Member) Quantile(now time.Duration, q float64) time.Duration {
	return m.latencies.Quantile(now, q)
}

// Factor is how much of its weight the member gets, in Tenths: it grows from one
// to all of them over the slow start, as Envoy's slow start with an aggression
// of 1 does.
func (f *Fleet) Factor(m *Member, now time.Duration) int {
	if m.warm || f.rule.SlowStart <= 0 {
		return Tenths
	}
	passed := max(now-m.back, 0)
	return min(1+int(passed*Tenths/f.rule.SlowStart), Tenths)
}
