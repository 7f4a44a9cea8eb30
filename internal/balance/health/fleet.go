package health

import (
	"cmp"
	"slices"
	"time"

	"github.com/polymath-run/polymath/internal/balance/recent"
)

const (
	// SlowEvery is how often latencies are compared.
	SlowEvery = 10 * time.Second

	// SlowSamples is how many latencies an upstream needs to be compared.
	SlowSamples = 50

	// Tenths is what Factor gives of a member at its full weight.
	Tenths = 10

	// forgiven is how many times EjectFor an upstream has to stay for its
	// ejections to be forgotten.
	forgiven = 10
)

// Fleet is all upstreams of a balancer, and what is known of their health.
type Fleet struct {
	rule      Rule
	members   []*Member
	out       int // members that are Ejected or on Trial, draining ones not counted
	serving   int // members that are not draining
	usable    int // of these
	panicking bool
	compare   time.Duration // when latencies are compared next
	medians   []median      // used again each time
}

// median is one member's median latency.
type median struct {
	member  *Member
	latency time.Duration
}

// NewFleet makes a fleet without members. The rule has been checked.
func NewFleet(r Rule) *Fleet { return &Fleet{rule: r} }

// Set changes the rule, which has been checked, from now on.
func (f *Fleet) Set(r Rule, now time.Duration) {
	if r.Window != f.rule.Window {
		for _, m := range f.members {
			m.attempts, m.failures = recent.NewWindow(r.Window), recent.NewWindow(r.Window)
		}
	}
	f.rule = r
	f.settle()
	f.release(now)
}

// Add takes in a member that is not in the fleet. It is up until something
// speaks against it, is due for a check at once, and starts slowly.
func (f *Fleet) Add(m *Member, now time.Duration) {
	data, draining := m.Data, m.draining
	*m = Member{
		Data: data, draining: draining, next: now, back: now, warm: f.rule.SlowStart == 0, traffic: now,
		attempts: recent.NewWindow(f.rule.Window), failures: recent.NewWindow(f.rule.Window),
	}
	f.members = append(f.members, m)
	f.settle()
}

// Warm ends the slow start of everybody: a fleet that starts together has
// nobody who could take more.
func (f *Fleet) Warm() {
	for _, m := range f.members {
		m.warm = true
	}
}

// Remove lets go of a member. If more than may be are ejected then, those who
// were for longest are on trial no more: they are back.
func (f *Fleet) Remove(m *Member, now time.Duration) {
	f.members = slices.DeleteFunc(f.members, func(other *Member) bool { return other == m })
	f.settle()
	f.release(now)
}

// Drain says whether a member takes anything new.
func (f *Fleet) Drain(m *Member, draining bool, now time.Duration) {
	if m.draining == draining {
		return
	}
	m.draining = draining
	if !draining {
		f.restore(m, now)
		m.ejections = 0
	}
	f.settle()
	f.release(now)
}

// Result counts what became of an attempt, and reports whether anybody's state
// is another one now.
func (f *Fleet) Result(m *Member, s Sample) bool {
	if s.Trial {
		m.trying = false
	}
	if s.Void {
		return s.Trial
	}
	m.traffic = max(m.traffic, s.Now)
	bad := s.Failed || s.Status >= 500
	switch {
	case m.place == Ejected || m.draining:
		return false // it was asked before
	case m.place == Trial && !s.Trial:
		return false
	case m.place == Trial:
		return f.tried(m, s.Now, bad)
	}
	m.attempts.Add(s.Now, 1)
	if s.Failed {
		m.failures.Add(s.Now, 1)
	} else {
		m.latencies.Add(s.Now, s.Latency)
	}
	if !bad {
		m.errorRow = 0
		return false
	}
	m.errorRow++
	return f.judge(m, s.Now)
}

// judge ejects a member whose answers are bad, if the share allows it.
func (f *Fleet) judge(m *Member, now time.Duration) bool {
	r := &f.rule
	if r.ServerErrors > 0 && m.errorRow >= r.ServerErrors {
		return f.eject(m, now, ServerErrors)
	}
	if r.Errors == 0 {
		return false
	}
	failed := m.failures.Sum(now)
	if failed >= int64(r.Errors) && failed*percent >= int64(r.ErrorPercent)*m.attempts.Sum(now) {
		return f.eject(m, now, Failures)
	}
	return false
}

// tried counts a trial.
func (f *Fleet) tried(m *Member, now time.Duration, bad bool) bool {
	if bad {
		f.sentence(m, now, Relapse)
		return true
	}
	m.successes++
	if m.successes >= f.rule.Successes {
		f.restore(m, now)
		f.settle()
	}
	return true
}

// eject takes a member out, if that leaves no more than the share out.
func (f *Fleet) eject(m *Member, now time.Duration, why Reason) bool {
	if (f.out+1)*percent > f.serving*f.rule.Ejected {
		return false
	}
	if now-m.back > forgiven*f.rule.EjectFor {
		m.ejections = 0
	}
	f.sentence(m, now, why)
	f.settle()
	return true
}

// sentence sets how long a member is out: twice as long each time in a row.
func (f *Fleet) sentence(m *Member, now time.Duration, why Reason) {
	const doublings = 20 // EjectMost is reached long before
	length := f.rule.EjectFor << min(m.ejections, doublings)
	m.ejections++
	m.ejected++
	m.place, m.reason, m.until = Ejected, why, now+min(length, f.rule.EjectMost)
	m.successes, m.trying, m.goods = 0, false, 0
}

// restore brings a member back, with a clean record and a slow start.
func (f *Fleet) restore(m *Member, now time.Duration) {
	m.place, m.reason, m.successes, m.trying, m.errorRow = Up, Fit, 0, false, 0
	m.attempts.Clear()
	m.failures.Clear()
	m.latencies.Clear()
	m.back, m.warm = now, f.rule.SlowStart == 0
}

// release brings back who was out for longest, while more are than may be.
func (f *Fleet) release(now time.Duration) {
	for f.out*percent > f.serving*f.rule.Ejected {
		var first *Member
		for _, m := range f.members {
			if m.place != Up && !m.draining && (first == nil || m.until < first.until) {
				first = m
			}
		}
		f.restore(first, now)
		f.settle()
	}
}

// Tick lets time pass: ejections end in trials, slow starts go on, latencies are
// compared. It reports whether anybody's state is another one now.
func (f *Fleet) Tick(now time.Duration) bool {
	changed := false
	for _, m := range f.members {
		if m.place == Ejected && now >= m.until {
			m.place, changed = Trial, true
		}
		if !m.warm {
			m.warm = now-m.back >= f.rule.SlowStart
			changed = true
		}
	}
	if f.rule.SlowFactor > 0 && now >= f.compare {
		f.compare = now + SlowEvery
		changed = f.slowest(now) || changed
	}
	f.settle()
	return changed
}

// slowest ejects whose median latency is far above the fleet's, the slowest
// first. The fleet's is the lower median of the members' medians.
func (f *Fleet) slowest(now time.Duration) bool {
	f.medians = f.medians[:0]
	for _, m := range f.members {
		if m.compared(now) {
			f.medians = append(f.medians, median{m, m.latencies.Quantile(now, 0.5)})
		}
	}
	if len(f.medians) < 2 {
		return false
	}
	slices.SortFunc(f.medians, func(a, b median) int { return cmp.Compare(b.latency, a.latency) })
	typical := f.medians[len(f.medians)/2].latency
	bound := max(time.Duration(float64(typical)*f.rule.SlowFactor), typical+f.rule.SlowLeast)
	changed := false
	for _, d := range f.medians {
		if d.latency <= bound || !f.eject(d.member, now, Slow) {
			break
		}
		changed = true
	}
	return changed
}

func (m *Member) compared(now time.Duration) bool {
	return m.place == Up && !m.draining && m.latencies.Count(now) >= SlowSamples
}

// settle counts anew.
func (f *Fleet) settle() {
	f.out, f.serving, f.usable = 0, 0, 0
	for _, m := range f.members {
		if m.draining {
			continue
		}
		f.serving++
		if m.place != Up {
			f.out++
		}
		if m.Usable() {
			f.usable++
		}
	}
	f.panicking = f.usable*percent < f.serving*f.rule.Panic
}

// Panicking reports whether so few are usable that health is not asked: it is
// likelier that the judge is wrong than that so many are, and if they are not,
// the few would only go the same way.
func (f *Fleet) Panicking() bool { return f.panicking }

// Usable is how many members may be asked by their own health.
func (f *Fleet) Usable() int { return f.usable }
