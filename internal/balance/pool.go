package balance

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/polymath-run/polymath/internal/balance/forward"
	"github.com/polymath-run/polymath/internal/balance/guard"
	"github.com/polymath-run/polymath/internal/balance/health"
	"github.com/polymath-run/polymath/internal/balance/pick"
	"github.com/polymath-run/polymath/internal/balance/recent"
)

const (
	// TickEvery is how often time alone may change a state: an ejection ends at
	// most so much late.
	TickEvery = 100 * time.Millisecond

	// TrialPatience is how long a trial waits for a request that could be made
	// again; then any request is a trial.
	TrialPatience = time.Second

	// maxRetryAfter is the longest time a client is sent away for, in seconds.
	maxRetryAfter = 30
)

// Options is what a Pool is made with and keeps.
type Options struct {
	// Now is the clock of all its exchanges: the forwarders'. Nil is a monotonic
	// one that begins at 0.
	Now func() time.Duration

	// Random gives 64 uniform random bits. Nil is math/rand's.
	Random func() uint64

	// Admit may refuse an exchange as it begins: rate limits. Nil admits all.
	Admit func(x *forward.Exchange) *forward.Refusal

	// Ended is told each exchange as it ends: the access log. Nil is nobody.
	Ended func(x *forward.Exchange)
}

// Pool is a set of upstreams and the decisions about them.
type Pool struct {
	now    func() time.Duration
	random func() uint64
	admit  func(x *forward.Exchange) *forward.Refusal
	ended  func(x *forward.Exchange)

	refusals [maxRetryAfter + 1]*forward.Refusal // by seconds
	full     *forward.Refusal

	settings atomic.Pointer[active]

	operations sync.Mutex // one at a time; taken before mu

	mu          sync.Mutex // owns what follows
	policy      pick.Policy
	epoch       uint32 // of the policy: another one knows nothing of the requests in flight
	members     []*member
	backends    []pick.Backend // of the members, as the policy was told
	leaving     []*member      // removed, with attempts under way
	fleet       *health.Fleet
	trials      []*member     // who wait for one request each
	waiting     time.Duration // since when the first of them does
	available   int           // members that the policy may pick
	perUpstream int           // 0 is no limit
	tickAt      time.Duration // when time counts next
	inFlight    int           // attempts
	budget      guard.Budget
	hedge       guard.Hedge
	limit       guard.Limit
	rate        recent.Window // exchanges
	totals      Totals
}

// active is the settings in force.
type active struct {
	Settings

	keyed bool
}

// New makes a pool.
func New(o Options, s Settings, upstreams []Upstream) (*Pool, error) {
	p := &Pool{now: o.Now, random: o.Random, admit: o.Admit, ended: o.Ended, full: overloaded()}
	if p.now == nil {
		begun := time.Now()
		p.now = func() time.Duration { return time.Since(begun) }
	}
	if p.random == nil {
		p.random = rand.Uint64
	}
	for i := range p.refusals {
		p.refusals[i] = retryAfter(i)
	}
	p.fleet = health.NewFleet(s.Health)
	p.budget = guard.NewBudget(s.Retry.Share)
	p.hedge = guard.NewHedge(s.Hedge)
	p.limit = guard.NewLimit(s.Limit)
	if err := p.Set(s, upstreams); err != nil {
		return nil, err
	}
	p.fleet.Warm() // all begin together
	p.reweigh(p.now())
	return p, nil
}

// tick lets time pass.
func (p *Pool) tick(now time.Duration) {
	p.tickAt = now + TickEvery
	changed := p.fleet.Tick(now)
	for _, m := range p.members {
		changed = changed || m.breaker.State(now) != m.state
	}
	if p.available == 0 && len(p.trials) == 0 {
		// Nobody is left: there is nobody to spare.
		for _, m := range p.members {
			changed = m.breaker.Hurry(now) || changed
		}
	}
	if changed {
		p.refresh(now)
		p.reweigh(now)
	}
}

// refresh acts on all that changed.
func (p *Pool) refresh(now time.Duration) {
	for _, m := range p.members {
		p.offer(m, now)
	}
	p.line(now)
}

// offer tells the policy whether a member may be picked, if that changed.
func (p *Pool) offer(m *member, now time.Duration) {
	m.state = m.breaker.State(now)
	may := p.may(m)
	if may == m.offered {
		return
	}
	m.offered = may
	p.policy.Mark(m.index, may)
	p.backends[m.index].Available = may
	if may {
		p.available++
	} else {
		p.available--
	}
}

// may reports whether the policy may pick a member. Draining is somebody's will
// and a breaker spares the upstream: panic overrules neither.
func (p *Pool) may(m *member) bool {
	return m.weight > 0 && !m.health.Draining() && m.state == guard.Closed &&
		(m.health.Usable() || p.fleet.Panicking()) && p.room(m)
}

func (p *Pool) room(m *member) bool { return p.perUpstream == 0 || m.inFlight < p.perUpstream }

// line lists who wait for a trial.
func (p *Pool) line(now time.Duration) {
	if len(p.trials) == 0 {
		p.waiting = now
	}
	p.trials = p.trials[:0]
	for _, m := range p.members {
		if p.waits(m, now) {
			p.trials = append(p.trials, m)
		}
	}
}

// waits reports whether a member waits for a trial, of its health or of its
// breaker; the other of the two must not stand against it.
func (p *Pool) waits(m *member, now time.Duration) bool {
	if m.offered || m.weight == 0 || m.health.Draining() || !p.room(m) {
		return false
	}
	if m.health.OnTrial() && !p.fleet.Panicking() {
		return m.health.Ready() && (m.state == guard.Closed || m.breaker.Ready(now))
	}
	return m.breaker.Ready(now) && (m.health.Usable() || p.fleet.Panicking())
}

// reweigh tells the policy the weights, as slow starts go on.
func (p *Pool) reweigh(now time.Duration) {
	if p.settings.Load().keyed {
		return
	}
	scale, changed := scaleOf(p.members), false
	for i, m := range p.members {
		weight := max(m.weight*scale*p.fleet.Factor(&m.health, now)/health.Tenths, min(m.weight, 1))
		if p.backends[i].Weight != weight {
			p.backends[i].Weight, changed = weight, true
		}
	}
	if !changed {
		return
	}
	if err := p.policy.Update(p.backends); err != nil {
		panic("balance: the policy takes no weights within its limits: " + err.Error())
	}
}

// scaleOf is what weights are multiplied by, so that a tenth of the least is not
// rounded off: Tenths, as far as the heaviest stays within the policy's limit.
func scaleOf(members []*member) int {
	heaviest := 1
	for _, m := range members {
		heaviest = max(heaviest, m.weight)
	}
	return max(min(health.Tenths, pick.MaxWeight/heaviest), 1)
}

// nobody is the refusal where nobody is left: to come back when the first
// breaker or ejection is over.
func (p *Pool) nobody(now time.Duration) *forward.Refusal {
	wait := time.Duration(maxRetryAfter) * time.Second
	for _, m := range p.members {
		if m.health.Draining() || m.weight == 0 {
			continue
		}
		wait = min(wait, max(m.breaker.Wait(now), m.health.Back(now)))
	}
	return p.refusals[min(max(int((wait+time.Second-1)/time.Second), 1), maxRetryAfter)]
}

// leave forgets a removed member when its last attempt is done.
func (p *Pool) leave(m *member) {
	if m.inFlight > 0 {
		return
	}
	kept := p.leaving[:0]
	for _, other := range p.leaving {
		if other != m {
			kept = append(kept, other)
		}
	}
	clear(p.leaving[len(kept):])
	p.leaving = kept
}
