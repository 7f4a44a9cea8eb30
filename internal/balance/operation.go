package balance

import (
	"context"
	"slices"
	"time"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/balance/forward"
	"github.com/polymath-run/polymath/internal/balance/pick"
)

// Set exchanges settings and upstreams as a whole: all of it counts from one
// pick to the next, or, on an error, nothing. Upstreams that stay keep what is
// known of them; who is not in the list is removed.
func (p *Pool) Set(s Settings, list []Upstream) error {
	p.operations.Lock()
	defer p.operations.Unlock()
	if err := s.Check(); err != nil {
		return err
	}
	return p.replace(&active{Settings: s, keyed: s.Policy.keyed()}, list)
}

// replace is Set after its checks, and every other operation.
func (p *Pool) replace(s *active, list []Upstream) error {
	if err := check(list); err != nil {
		return err
	}
	backends := make([]pick.Backend, len(list))
	for i := range list {
		u := &list[i]
		backends[i] = pick.Backend{Name: u.Server.Name, Weight: u.Weight, Number: u.Number, Available: true}
	}
	var policy pick.Policy // another one
	if old := p.settings.Load(); old == nil || old.Policy != s.Policy {
		var err error
		policy, err = s.Policy.build()
		if err != nil {
			return invalid(err)
		}
		if err := policy.Update(backends); err != nil { // outside of the lock: a table is made
			return invalid(err)
		}
	}

	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	if policy != nil {
		p.policy = policy
		p.epoch++
	} else if err := p.policy.Update(backends); err != nil {
		return invalid(err)
	}
	p.backends = backends
	p.adopt(s, list, now)
	p.fleet.Set(s.Health, now)
	p.budget.Set(s.Retry.Share)
	p.hedge.Set(s.Hedge)
	p.limit.Set(s.Limit)
	p.perUpstream = s.PerUpstream
	p.settings.Store(s)
	p.refresh(now)
	p.reweigh(now)
	return nil
}

// adopt makes the members those of a list, of which the policy was told that all
// are available.
func (p *Pool) adopt(s *active, list []Upstream, now time.Duration) {
	before := make(map[string]*member, len(p.members))
	for _, m := range p.members {
		before[m.server.Name] = m
	}
	members := make([]*member, len(list))
	for i := range list {
		u := &list[i]
		m := before[u.Server.Name]
		if m != nil && m.same(&u.Server) {
			delete(before, u.Server.Name)
		} else {
			m = newMember(*u, &s.Settings)
			p.fleet.Add(&m.health, now)
		}
		m.weight, m.number, m.index, m.offered = u.Weight, u.Number, i, true
		m.breaker.Set(s.Breaker)
		p.fleet.Drain(&m.health, u.Drain || u.Weight == 0, now)
		members[i] = m
	}
	for _, m := range before {
		m.index, m.offered = -1, false
		p.fleet.Remove(&m.health, now)
		if m.inFlight > 0 {
			p.leaving = append(p.leaving, m)
		}
	}
	p.members, p.available = members, len(members)
}

// list is the upstreams as they are configured now.
func (p *Pool) list() []Upstream {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := make([]Upstream, len(p.members))
	for i, m := range p.members {
		server := m.server
		server.Data = nil
		out[i] = Upstream{Server: server, Weight: m.weight, Number: m.number, Drain: m.health.Draining() && m.weight > 0}
	}
	return out
}

// change makes a new list of the present one.
func (p *Pool) change(edit func(list []Upstream) ([]Upstream, error)) error {
	p.operations.Lock()
	defer p.operations.Unlock()
	list, err := edit(p.list())
	if err != nil {
		return err
	}
	return p.replace(p.settings.Load(), list)
}

// changeOne edits one upstream.
func (p *Pool) changeOne(name string, edit func(u *Upstream)) error {
	return p.change(func(list []Upstream) ([]Upstream, error) {
		i, err := find(list, name)
		if err != nil {
			return nil, err
		}
		edit(&list[i])
		return list, nil
	})
}

func find(list []Upstream, name string) (int, error) {
	i := slices.IndexFunc(list, func(u Upstream) bool { return u.Server.Name == name })
	if i < 0 {
		return 0, polymath.Errorf(polymath.NotFound, "there is no upstream %q: list them to see their names", name)
	}
	return i, nil
}

// Add takes in an upstream. One of its name that is there already is configured
// anew, and takes requests again if it was draining.
func (p *Pool) Add(u Upstream) error {
	return p.change(func(list []Upstream) ([]Upstream, error) {
		if i, err := find(list, u.Server.Name); err == nil {
			list[i] = u
			return list, nil
		}
		return append(list, u), nil
	})
}

// Remove lets go of an upstream. What it is answering now is answered.
func (p *Pool) Remove(name string) error {
	return p.change(func(list []Upstream) ([]Upstream, error) {
		i, err := find(list, name)
		if err != nil {
			return nil, err
		}
		return slices.Delete(list, i, i+1), nil
	})
}

// Weight changes the weight of an upstream; 0 takes nothing.
func (p *Pool) Weight(name string, weight int) error {
	return p.changeOne(name, func(u *Upstream) { u.Weight = weight })
}

// Resume ends a draining.
func (p *Pool) Resume(name string) error {
	return p.changeOne(name, func(u *Upstream) { u.Drain = false })
}

// Drain gives an upstream nothing new, and returns when it has answered what it
// has, or when the context ends: then it goes on draining, and the error says
// how much is left.
func (p *Pool) Drain(ctx context.Context, name string) error {
	if err := p.changeOne(name, func(u *Upstream) { u.Drain = true }); err != nil {
		return err
	}
	idle := p.idle(name)
	if idle == nil {
		return nil
	}
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		return polymath.Errorf(polymath.Timeout, "%q is draining and still has requests under way: wait, or remove it: %w", name, context.Cause(ctx))
	}
}

// idle is closed when an upstream has nothing under way; nil: it has nothing
// now, or is gone.
func (p *Pool) idle(name string) <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, m := range p.members {
		if m.server.Name != name || m.inFlight == 0 {
			continue
		}
		if m.idle == nil {
			m.idle = make(chan struct{})
		}
		return m.idle
	}
	return nil
}

// Server gives the upstream of a name as it is configured.
func (p *Pool) Server(name string) (forward.Upstream, error) {
	list := p.list()
	i, err := find(list, name)
	if err != nil {
		return forward.Upstream{}, err
	}
	return list[i].Server, nil
}
