package health

import (
	"cmp"
	"slices"
	"time"
)

// Due gives the members to be checked now, at most so many, those without
// traffic for longest first, and marks them as being checked: each is due again
// after its Check.
func (f *Fleet) Due(now time.Duration, most int) []*Member {
	if f.rule.Interval == 0 || most <= 0 {
		return nil
	}
	var due []*Member
	for _, m := range f.members {
		if !m.checking && !m.draining && now >= m.next {
			due = append(due, m)
		}
	}
	slices.SortStableFunc(due, func(a, b *Member) int { return cmp.Compare(a.traffic, b.traffic) })
	due = due[:min(len(due), most)]
	for _, m := range due {
		m.checking = true
	}
	return due
}

// Next is how long it is until somebody is due, at most a given time.
func (f *Fleet) Next(now, most time.Duration) time.Duration {
	if f.rule.Interval == 0 {
		return most
	}
	for _, m := range f.members {
		if !m.checking && !m.draining {
			most = min(most, m.next-now)
		}
	}
	return max(most, 0)
}

// Check counts the end of a check; why is what was wrong, "" where nothing was.
// It reports whether anybody's state is another one now.
//
// The first check of a member decides alone. Later it takes Fall failures in a
// row to take a member away, and Rise successes to bring it back; Rise successes
// also cut an ejection short, unless it was for slowness, which a check does not
// see: the trial follows at once.
func (f *Fleet) Check(m *Member, now time.Duration, why string) bool {
	first := !m.checked
	m.checking, m.checked, m.next = false, true, now+f.rule.Interval
	if why != "" {
		m.goods, m.why = 0, why
		m.bads++
		return !m.down && (first || m.bads >= f.rule.Fall) && f.fall(m)
	}
	m.bads = 0
	m.goods++
	return m.goods >= f.rule.Rise && f.rise(m, now)
}

func (f *Fleet) fall(m *Member) bool {
	m.down = true
	f.settle()
	return true
}

// rise acts on enough successes in a row.
func (f *Fleet) rise(m *Member, now time.Duration) bool {
	switch {
	case m.down:
		m.down, m.back, m.warm = false, now, f.rule.SlowStart == 0
	case m.place == Ejected && m.reason != Slow:
		m.place = Trial
	default:
		return false
	}
	f.settle()
	return true
}

// Abandon ends a check that came to nothing.
func (f *Fleet) Abandon(m *Member) { m.checking = false }
