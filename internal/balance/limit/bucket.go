package limit

import "time"

// burst is the size of the bucket.
func (r *Rule) burst() int64 {
	if r.Burst == 0 {
		return r.Limit
	}
	return r.Burst
}

// interval is the time one request takes to come back, rounded up so that never
// more than Limit come back per Window.
func (r *Rule) interval() time.Duration {
	return (r.Window + time.Duration(r.Limit) - 1) / time.Duration(r.Limit)
}

// capacity is the time an empty bucket takes to fill, which Check bounds.
func (r *Rule) capacity() time.Duration { return time.Duration(r.burst() * int64(r.interval())) }

// drip is a token bucket kept as one number, the time at which it is full: the
// generic cell rate algorithm (ITU-T I.371, appendix A, virtual scheduling). The
// tokens missing at now are (at - now) / interval.
func (r *Rule) drip(m *Memory, now time.Duration) Decision {
	each := r.interval()
	missing := max(m.at-now, 0)
	room := r.capacity() - missing
	if room < each {
		return Decision{Retry: each - room, Reset: missing}
	}
	m.at = max(m.at, now) + each
	d := Decision{Allowed: true, Remaining: int64((room - each) / each), Reset: missing + each}
	if d.Remaining == 0 {
		d.Retry = each - (room - each)
	}
	return d
}
