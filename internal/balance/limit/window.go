package limit

import "time"

// parts is how many parts a window is counted in. A stretch of time as long as
// the window touches at most one more: all of those are summed up, so that the
// limit holds for every stretch, and at worst a request counts for 1/parts of
// a window longer than it has to.
const parts = 16

// slide is a sliding window counted in parts.
func (r *Rule) slide(m *Memory, now time.Duration) Decision {
	width := (r.Window + parts - 1) / parts
	now = max(now, m.at)
	m.advance(now, width)
	var total int64
	for _, n := range m.counts {
		total += int64(n)
	}
	d := Decision{Allowed: total < r.Limit}
	if d.Allowed {
		m.counts[slot(now, width)]++
		total++
	}
	d.Remaining = max(r.Limit-total, 0)
	d.Retry, d.Reset = m.leave(now, width, total-r.Limit)
	return d
}

// slot is the place of the slice that a time is in.
func slot(at, width time.Duration) int { return int(at / width % (parts + 1)) }

// advance forgets the parts that have left the window.
func (m *Memory) advance(now, width time.Duration) {
	begin := now.Truncate(width)
	for i, at := 0, begin; i <= parts && at > m.at; i, at = i+1, at-width {
		m.counts[slot(at, width)] = 0
	}
	m.at = begin
}

// leave says when more requests than excess will have left the window, at once
// where excess is below zero, and when all will have.
func (m *Memory) leave(now, width time.Duration, excess int64) (some, all time.Duration) {
	length := (parts + 1) * width
	for begin := m.at + width - length; begin <= m.at; begin += width { // the oldest first
		if begin < 0 {
			continue
		}
		n := int64(m.counts[slot(begin, width)])
		if n == 0 {
			continue
		}
		all = begin + length - now
		if excess >= 0 {
			if excess -= n; excess < 0 {
				some = all
			}
		}
	}
	return some, all
}
