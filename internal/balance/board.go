package balance

import (
	"time"

	"github.com/polymath-run/polymath/internal/balance/forward"
	"github.com/polymath-run/polymath/internal/balance/health"
)

// lookAgain is how often it is looked for checks that are due at least.
const lookAgain = time.Second

// Checker gives the prober of the pool's active checks; whoever runs it waits
// for it.
func (p *Pool) Checker() *health.Prober { return &health.Prober{Board: board{p}} }

// board is the pool as its prober sees it.
type board struct{ pool *Pool }

// Due implements health.Board. Time passes here too, so that it does without
// requests.
func (b board) Due(most int) ([]health.Target, time.Duration) {
	p := b.pool
	rule := &p.settings.Load().Health
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	if now >= p.tickAt {
		p.tick(now)
	}
	var out []health.Target
	for _, h := range p.fleet.Due(now, most) {
		s := &h.Data.(*member).server
		out = append(out, health.Target{
			Member: h, Address: s.Address, Host: s.Host, TLS: s.TLS, HTTP2: s.HTTP2,
			Preface: preface(s.Proxy), Path: rule.Path, From: rule.From, To: rule.To, Timeout: rule.Timeout,
		})
	}
	return out, p.fleet.Next(now, lookAgain)
}

// Checked implements health.Board. A check that is answered lets an open breaker
// have its probe early: for a service that was restarted, a minute is long.
func (b board) Checked(t *health.Target, why string) {
	p := b.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	changed := p.fleet.Check(t.Member, now, why) // one that was removed meanwhile changes nothing
	if why == "" {
		changed = t.Member.Data.(*member).breaker.Hurry(now) || changed
	}
	if changed {
		p.refresh(now)
		p.reweigh(now)
	}
}

// Dropped implements health.Board.
func (b board) Dropped(t *health.Target) {
	b.pool.mu.Lock()
	defer b.pool.mu.Unlock()
	b.pool.fleet.Abandon(t.Member)
}

// preface is the PROXY protocol's header of a connection that is the balancer's
// own: UNKNOWN in version 1, LOCAL in version 2.
func preface(v forward.ProxyVersion) string {
	switch v {
	case forward.ProxyV1:
		return "PROXY UNKNOWN\r\n"
	case forward.ProxyV2:
		return "\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00"
	default:
		return ""
	}
}
