package balance

import (
	"slices"
	"time"

	"github.com/polymath-run/polymath/internal/balance/forward"
	"github.com/polymath-run/polymath/internal/balance/guard"
	"github.com/polymath-run/polymath/internal/balance/health"
	"github.com/polymath-run/polymath/internal/balance/pick"
)

// flight is what the Pool keeps of an exchange. It is made once a connection.
type flight struct {
	attempts [forward.MaxAttempts]attempt // as in Exchange.Tried
	avoid    [forward.MaxAttempts]int
	key      uint64
	now      time.Duration // the latest time that was told
	delay    time.Duration // after which a hedge was to begin
	open     int           // attempts under way
	admitted bool          // counted by the limit
	again    bool          // the next Pick is for a retry
	broken   bool          // the latest failure was a broken connection
}

// reset makes it that of another exchange. Attempts that are not among the
// exchange's are not looked at.
func (f *flight) reset() {
	f.key, f.delay, f.open = 0, 0, 0
	f.admitted, f.again, f.broken = false, false, false
}

// attempt is one of an exchange.
type attempt struct {
	member *member
	epoch  uint32 // of the policy that picked
	open   bool
	forced bool // picked past the policy
	probe  bool // of the breaker
	trial  bool // of health
}

// Begin implements forward.Director.
func (p *Pool) Begin(x *forward.Exchange) *forward.Refusal {
	f, ok := x.Data.(*flight)
	if ok {
		f.reset()
	} else {
		f = &flight{}
		x.Data = f
	}
	x.Attempts, x.Refusal = 0, nil
	f.now = x.Begun
	var refusal *forward.Refusal
	if p.admit != nil {
		refusal = p.admit(x)
	}
	s := p.settings.Load()
	x.Deadline, x.TimeoutField = s.deadline(x), s.TimeoutField
	x.Doubted = nil
	if x.Again && s.Retry.Most > 0 {
		x.Doubted = s.Retry.Statuses
	}

	p.mu.Lock()
	defer p.mu.Unlock()
	if f.now >= p.tickAt {
		p.tick(f.now)
	}
	p.totals.Requests++
	p.rate.Add(f.now, 1)
	if refusal != nil {
		p.totals.RateLimited++
		return refusal
	}
	if !p.limit.Begin() {
		p.totals.Overloaded++
		return p.full
	}
	f.admitted = true
	p.budget.Request(f.now)
	if p.hedge.On() {
		p.hedge.Request(f.now)
	}
	return nil
}

// deadline is when the exchange ends at the latest.
func (s *Settings) deadline(x *forward.Exchange) time.Duration {
	asked := time.Duration(0)
	if s.TimeoutField != "" {
		asked, _ = guard.ParseTimeout(x.Facts.Header(s.TimeoutField))
	}
	return guard.Until(x.Begun, asked, s.Timeout)
}

// Pick implements forward.Director.
func (p *Pool) Pick(x *forward.Exchange) *forward.Upstream {
	f, ok := x.Data.(*flight)
	if !ok || x.Attempts >= forward.MaxAttempts {
		return nil
	}
	if s := p.settings.Load(); x.Attempts == 0 && s.keyed {
		f.key = p.key(s, x)
	}
	random := p.random()

	p.mu.Lock()
	defer p.mu.Unlock()
	hedge := f.open > 0 && !f.again
	if hedge {
		f.now += f.delay
		f.delay = 0
		if !p.hedge.Spend(f.now) {
			p.totals.HedgesRefused++
			return nil
		}
	}
	m, forced := p.choose(x, f, random)
	if m == nil {
		if f.open == 0 { // else an answer may still come, or is there
			p.totals.Nobody++
			x.Refusal = p.nobody(f.now)
		}
		f.again = false
		return nil
	}
	switch {
	case hedge:
		p.totals.Hedges++
	case f.again:
		p.totals.Retries++
	}
	f.again = false
	p.begin(f, &f.attempts[x.Attempts], m, forced)
	x.Tried[x.Attempts] = &m.server
	x.Attempts++
	return &m.server
}

// key is the hash of what keeps the place of a request; chance where it has
// nothing of the kind.
func (p *Pool) key(s *active, x *forward.Exchange) uint64 {
	for i := range s.Keys {
		if key, ok := s.Keys[i].Key(x.Facts); ok {
			return key
		}
	}
	return p.random()
}

// choose finds whom to ask, and reports whether it was past the policy.
//
// Who waits for a trial gets the next first attempt that could be made again
// elsewhere: left to the policy it might wait for ever, as a latency remembered
// from bad times keeps peak EWMA away.
func (p *Pool) choose(x *forward.Exchange, f *flight, random uint64) (m *member, forced bool) {
	if len(p.trials) > 0 && x.Attempts == 0 && (x.Again || p.available == 0 || f.now-p.waiting >= TrialPatience) {
		return p.trials[0], true
	}
	r := pick.Request{Key: f.key, Random: random, Now: f.now}
	if x.Attempts > 0 {
		r.Avoid = f.tried(x.Attempts)
	}
	i := p.policy.Pick(r)
	if i == pick.None && f.again && f.broken {
		// A connection that was idle may end just as it is used: the upstream
		// itself may be well, and nobody else is left.
		r.Avoid = nil
		i = p.policy.Pick(r)
	}
	if i != pick.None {
		return p.members[i], false
	}
	for _, m := range p.trials {
		if !slices.Contains(r.Avoid, m.index) {
			return m, true
		}
	}
	return nil, false
}

// tried lists the indexes of the first n attempts' upstreams.
func (f *flight) tried(n int) []int {
	avoid := f.avoid[:0]
	for i := range n {
		if m := f.attempts[i].member; m.index >= 0 {
			avoid = append(avoid, m.index)
		}
	}
	return avoid
}

// begin counts an attempt that begins.
func (p *Pool) begin(f *flight, a *attempt, m *member, forced bool) {
	*a = attempt{member: m, epoch: p.epoch, open: true, forced: forced}
	f.open++
	m.inFlight++
	p.inFlight++
	m.picked++
	m.rate.Add(f.now, 1)
	if forced {
		m.trials++
		if a.probe = m.breaker.Ready(f.now); a.probe {
			m.breaker.Probe()
		}
		if a.trial = m.health.Ready(); a.trial {
			m.health.Try()
		}
		p.offer(m, f.now)
		p.line(f.now)
		return
	}
	if m.inFlight == p.perUpstream {
		p.offer(m, f.now)
	}
}

// Done implements forward.Director.
func (p *Pool) Done(x *forward.Exchange, u *forward.Upstream, r forward.Result) {
	f, ok := x.Data.(*flight)
	if !ok {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	a := f.ended(u, x.Attempts)
	if a == nil {
		return
	}
	f.now = max(f.now, r.Now)
	m, v := a.member, verdict(&r)
	m.inFlight--
	p.inFlight--
	m.count(&r, v)
	if !a.forced && a.epoch == p.epoch {
		p.policy.Done(pick.Outcome{
			Name: m.server.Name, Index: m.index, Latency: r.Latency, Now: r.Now, Failed: v == guard.Bad, Abandoned: v == guard.Neither,
		})
	}
	if v == guard.Good {
		p.limit.Observe(r.Now, r.Latency)
		if p.hedge.On() {
			p.hedge.Observe(r.Now, r.Latency)
		}
	}
	if m.index < 0 {
		p.leave(m)
		return
	}
	changed := m.breaker.Done(r.Now, v, a.probe)
	changed = p.fleet.Result(&m.health, health.Sample{
		Now: r.Now, Latency: r.Latency, Status: r.Status,
		Failed: v == guard.Bad, Void: v == guard.Neither, Trial: a.trial,
	}) || changed
	switch {
	case changed || a.forced:
		p.refresh(r.Now)
	case m.inFlight == p.perUpstream-1:
		p.offer(m, r.Now)
	}
}

// ended closes the latest of n attempts at an upstream that is under way.
func (f *flight) ended(u *forward.Upstream, n int) *attempt {
	for i := min(n, len(f.attempts)) - 1; i >= 0; i-- {
		if a := &f.attempts[i]; a.open && &a.member.server == u {
			a.open = false
			f.open--
			return a
		}
	}
	return nil
}

// Retry implements forward.Director.
func (p *Pool) Retry(x *forward.Exchange, r forward.Result) bool {
	f, ok := x.Data.(*flight)
	s := p.settings.Load()
	if !ok || x.Attempts > s.Retry.Most || x.Attempts >= forward.MaxAttempts || !s.safe(x, &r) {
		return false
	}
	if x.Deadline > 0 && r.Now >= x.Deadline {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	f.now = max(f.now, r.Now)
	f.broken = r.Kind == forward.Broken
	if !p.left(f, x.Attempts) {
		return false
	}
	if !p.budget.Spend(f.now) {
		p.totals.RetriesRefused++
		return false
	}
	f.again = true
	return true
}

// safe reports whether a request may be made again after such an end.
func (s *Settings) safe(x *forward.Exchange, r *forward.Result) bool {
	switch r.Kind {
	case forward.Unreached:
		return true // it was not sent
	case forward.Broken, forward.Late, forward.Cut, forward.Unusable:
		return x.Again
	case forward.Answered:
		return x.Again && slices.Contains(s.Retry.Statuses, r.Status)
	default:
		return false
	}
}

// left reports whether anybody could be asked who was not among n attempts.
func (p *Pool) left(f *flight, n int) bool {
	if f.broken && p.available > 0 {
		return true
	}
	tried := f.tried(n)
	slices.Sort(tried)
	free := p.available
	for _, i := range slices.Compact(tried) {
		if p.members[i].offered {
			free--
		}
	}
	return free > 0 || slices.ContainsFunc(p.trials, func(m *member) bool { return !slices.Contains(tried, m.index) })
}

// Hedge implements forward.Director. Only what changes nothing is hedged: of two
// writes at once the slower may undo what a third has written since.
func (p *Pool) Hedge(x *forward.Exchange) time.Duration {
	f, ok := x.Data.(*flight)
	if !ok || !x.Safe || p.settings.Load().Hedge.Percentile == 0 {
		return 0
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.available < 2 {
		return 0
	}
	f.delay = p.hedge.Delay(f.now)
	return f.delay
}

// End implements forward.Director.
func (p *Pool) End(x *forward.Exchange) {
	if f, ok := x.Data.(*flight); ok {
		p.mu.Lock()
		p.totals.Answers[min(max(x.Status/100, 0), statusClasses-1)]++
		if f.admitted {
			p.limit.End()
			f.admitted = false
		}
		if x.Attempts > 0 {
			m := f.attempts[x.Attempts-1].member
			m.received += uint64(max(x.Received, 0))
			m.sent += uint64(max(x.Sent, 0))
		}
		p.mu.Unlock()
	}
	if p.ended != nil {
		p.ended(x)
	}
}
