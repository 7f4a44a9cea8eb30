package app

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/balance"
	"github.com/polymath-run/polymath/internal/balance/admin"
	"github.com/polymath-run/polymath/internal/balance/health"
	"github.com/polymath-run/polymath/internal/balance/settings"
)

// watch looks at the files until the Balancer is closed.
func (b *Balancer) watch(every time.Duration) {
	ctx, stop := context.WithCancel(context.Background())
	var watching sync.WaitGroup
	watching.Go(func() { b.lookEvery(ctx, every) })
	b.stack.push("the watch over files", func() error {
		stop()
		watching.Wait()
		return nil
	})
}

// lookEvery looks at the files again and again; 0 is never, until somebody says
// otherwise.
func (b *Balancer) lookEvery(ctx context.Context, every time.Duration) {
	tick := time.NewTicker(max(every, 1))
	defer tick.Stop()
	for {
		if every == 0 {
			tick.Stop()
		} else {
			tick.Reset(every)
		}
		for same := true; same; {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				b.look()
			case every = <-b.pace:
				same = false
			}
		}
	}
}

// setPace says how often files are looked at from now on. The caller holds
// reloading, so that nobody else fills what was emptied.
func (b *Balancer) setPace(every time.Duration) {
	select {
	case <-b.pace: // not heard yet, and not true any more
	default:
	}
	b.pace <- every
}

// look looks at the files once.
func (b *Balancer) look() {
	b.reloading.Lock()
	defer b.reloading.Unlock()
	b.lookAtKeys((*keypair).look)
	if b.file == nil {
		return
	}
	r, err := b.read(false)
	if r != nil || err != nil {
		_, _ = b.take(r, err) // the log has it
	}
}

// lookAtKeys has certificates read again, if need be. The caller holds
// reloading.
func (b *Balancer) lookAtKeys(look func(*keypair) (bool, error)) {
	one := func(k *keypair, where string) {
		if k == nil {
			return
		}
		switch changed, err := look(k); {
		case err != nil:
			b.log.Error("a certificate cannot be used; the one before stays", "of", where, "error", err)
		case changed:
			b.log.Info("a certificate was read again", "of", where)
		}
	}
	for _, f := range b.faces.current() {
		one(f.keys, f.url())
	}
	one(b.fleet.trusted(), "upstream-tls")
}

// Reload reads the configuration and the certificates again, whether they have
// changed or not, and opens the access log again. An error says what is wrong
// with the configuration: nothing has changed then.
func (b *Balancer) Reload() (admin.Reloaded, error) {
	b.reloading.Lock()
	defer b.reloading.Unlock()
	b.lookAtKeys((*keypair).reread)
	if err := b.reopen(); err != nil {
		b.log.Error("the access log cannot be opened again; the open one stays", "error", err)
	}
	if b.file == nil {
		return admin.Reloaded{}, polymath.Errorf(polymath.Conflict, "there is no configuration to read again: the balancer was started without --config")
	}
	return b.take(b.read(true))
}

// take puts a configuration in force, or says why not. The caller holds
// reloading.
func (b *Balancer) take(r *settings.Reading, err error) (admin.Reloaded, error) {
	var out admin.Reloaded
	if err == nil {
		out, err = b.apply(r.Config)
		err = b.explain(r, err)
	}
	b.counts.Done++
	if err != nil {
		b.counts.Failed++
		b.log.Error("the configuration is wrong; nothing has changed", "error", err)
		return admin.Reloaded{}, err
	}
	b.counts.Last = time.Now()
	b.log.Info("the configuration was read", "added", out.Added, "removed", out.Removed, "tuned", out.Tuned, "fields", out.Fields)
	return out, nil
}

// apply goes over to a configuration: first all that can fail, then the rest.
func (b *Balancer) apply(c *settings.Config) (admin.Reloaded, error) {
	d := settings.Diff(b.config, c)
	n, err := b.plan(c, &d)
	if err != nil {
		return admin.Reloaded{}, err
	}
	if err := b.fleet.apply(b.config, c, n.pool); err != nil {
		n.undo()
		return admin.Reloaded{}, err
	}
	b.rates.Store(n.rates)
	if n.fresh {
		b.access.Swap(n.lines).close()
	}
	if d.Has("watch") {
		b.setPace(c.Watch)
	}
	urls := b.URLs()
	b.adopt(n.faces, n.admin, c.Timeouts.Drain)
	if now := b.URLs(); !slices.Equal(urls, now) {
		b.log.Info("listening elsewhere", "addresses", now)
	}
	b.config = c
	return admin.Reloaded{
		Added: namesOf(d.Added), Removed: namesOf(d.Removed), Tuned: namesOf(d.Tuned), Fields: append([]string{}, d.Fields...),
	}, nil
}

// next is what a configuration has of its own, before it counts.
type next struct {
	pool  balance.Settings
	rates *rates
	lines *accessLog
	fresh bool // lines are
	faces *facePlan
	admin *adminPlan
}

// plan makes what a configuration has more than the one in force, or says why it
// cannot be.
func (b *Balancer) plan(c *settings.Config, d *settings.Change) (n *next, err error) {
	n = &next{rates: b.rates.Load(), lines: b.access.Load()}
	defer func() {
		if err != nil {
			n.undo()
		}
	}()
	if n.pool, err = c.Pool(); err != nil {
		return n, err
	}
	if d.Has("rate-limits", "rate-limit-keys") {
		table := n.rates.table
		if d.Has("rate-limit-keys") {
			table = nil
		}
		if n.rates, err = newRates(c, table); err != nil {
			return n, err
		}
	}
	if d.Has("access-log") {
		if n.lines, err = b.newAccess(&c.AccessLog); err != nil {
			return n, err
		}
		n.fresh = true
	}
	if n.faces, err = b.planFaces(c); err != nil {
		return n, err
	}
	n.admin, err = b.planAdmin(&c.Admin, n.faces)
	return n, err
}

// undo lets go of what was made.
func (n *next) undo() {
	if n.fresh {
		n.lines.close()
	}
	if n.faces != nil {
		n.faces.undo()
	}
	if n.admin != nil {
		n.admin.undo()
	}
}

func namesOf(list []settings.Upstream) []string {
	out := make([]string, len(list))
	for i := range list {
		out[i] = list[i].Name()
	}
	return out
}

// balanceBackend is a Balancer as its admin API knows it.
type balanceBackend struct{ b *Balancer }

// Look implements admin.Backend.
func (k balanceBackend) Look() admin.Look {
	b := k.b
	rates := b.rates.Load()
	out := admin.Look{Pool: b.pool.Stats(), Origins: b.fleet.origins(), Limits: rates.limiter.Refused(), Keys: rates.table.Usage(), Leaving: b.faces.retired()}
	if l := b.access.Load(); l != nil {
		out.Access = l.log.Stats()
	}
	b.reloading.Lock()
	out.Reloads = b.counts
	b.reloading.Unlock()
	return out
}

// Add implements admin.Backend.
func (k balanceBackend) Add(ctx context.Context, u settings.Upstream) (name string, fresh bool, err error) {
	return k.b.fleet.add(ctx, u)
}

// Change implements admin.Backend.
func (k balanceBackend) Change(name string, p admin.Patch) error { return k.b.fleet.patch(name, p) }

// Drained implements admin.Backend.
func (k balanceBackend) Drained(ctx context.Context, name string) error {
	return k.b.pool.Drain(ctx, name)
}

// Remove implements admin.Backend.
func (k balanceBackend) Remove(name string) error { return k.b.fleet.remove(name) }

// Reload implements admin.Backend.
func (k balanceBackend) Reload(context.Context) (admin.Reloaded, error) { return k.b.Reload() }

// Ready implements admin.Backend. Upstreams that are used although they are not
// well, as nobody else is left, do not count.
func (k balanceBackend) Ready() error {
	if k.b.stopping.Load() {
		return polymath.Errorf(polymath.Unavailable, "the balancer is stopping")
	}
	s := k.b.pool.Stats()
	well := []string{health.Up.String(), health.Warming.String(), health.Trial.String()}
	if s.Available == 0 || !slices.ContainsFunc(s.Upstreams, func(u balance.UpstreamStats) bool { return slices.Contains(well, u.State) }) {
		return polymath.Errorf(polymath.Unavailable, "no upstream is well: GET /v1/upstreams says why")
	}
	return nil
}
