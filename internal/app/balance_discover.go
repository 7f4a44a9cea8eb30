package app

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/polymath-run/polymath/internal/balance/discover"
	"github.com/polymath-run/polymath/internal/balance/settings"
)

// The keys of watches: what is watched, before whose sake.
const (
	watchHost = "host "
	watchName = "name "
)

// follow watches the names of upstreams' URLs, and no others. The caller holds
// the lock.
func (f *fleet) follow() {
	wanted := make(map[string]bool)
	for i := range f.members {
		m := &f.members[i]
		if _, literal := m.target.Address(); literal || m.origin != fromFile && m.origin != fromAdmin {
			continue
		}
		key, target := watchHost+m.config.Name(), m.target
		wanted[key] = true
		f.watch(key, discover.Watcher{
			Lookup:   func(ctx context.Context) (discover.Answer, error) { return lookUpHost(ctx, target) },
			Shortest: hostEvery, Longest: hostEvery, Failed: f.failed(target.Host),
		}, func(ctx context.Context, a discover.Answer) bool { return f.resolved(ctx, target.Name(), a.Found) })
	}
	for key, stop := range f.watches {
		if key[:len(watchHost)] == watchHost && !wanted[key] {
			stop()
			delete(f.watches, key)
		}
	}
}

// rediscover looks up the names of a configuration instead of those of the one
// before. The caller holds the lock.
func (f *fleet) rediscover(from, to []settings.Discovery) {
	same := func(d *settings.Discovery) func(settings.Discovery) bool {
		return func(o settings.Discovery) bool {
			servers := slices.Equal(d.Servers, o.Servers)
			a, b := *d, o
			a.Servers, b.Servers = nil, nil
			return servers && equalDiscovery(&a, &b)
		}
	}
	for i := range from {
		if d := &from[i]; !slices.ContainsFunc(to, same(d)) {
			key := watchName + d.Name
			if stop := f.watches[key]; stop != nil {
				stop()
				delete(f.watches, key)
				delete(f.found, d.Name)
			}
		}
	}
	for i := range to {
		d := to[i]
		query := discover.Query{Name: d.Name, Port: uint16(d.Port), Weight: d.Weight, Most: d.Most}
		if d.Record == settings.RecordSRV {
			query.Record = discover.SRV
		}
		resolver := discover.NewResolver(d.Servers)
		f.watch(watchName+d.Name, discover.Watcher{
			Lookup:   func(ctx context.Context) (discover.Answer, error) { return resolver.Lookup(ctx, query) },
			Shortest: d.Shortest, Longest: d.Longest, Failed: f.failed(d.Name),
		}, func(ctx context.Context, a discover.Answer) bool {
			if a.Over > 0 {
				f.log.Warn("more upstreams were discovered than may be", "name", d.Name, "taken", len(a.Found), "left", a.Over)
			}
			return f.discovered(ctx, &d, a.Found)
		})
	}
}

// equalDiscovery compares what has no lists.
func equalDiscovery(a, b *settings.Discovery) bool {
	return a.Name == b.Name && a.Record == b.Record && a.Port == b.Port && a.Scheme == b.Scheme && a.Weight == b.Weight &&
		a.HTTP2 == b.HTTP2 && a.Shortest == b.Shortest && a.Longest == b.Longest && a.Most == b.Most
}

// watch starts a watcher, unless it is there. changed is told the answers; its
// context has ended, seen under the lock, once nobody wants to know any more.
// The caller holds the lock.
func (f *fleet) watch(key string, w discover.Watcher, changed func(context.Context, discover.Answer) bool) {
	if f.closed || f.watches[key] != nil {
		return
	}
	ctx, stop := context.WithCancel(context.Background())
	f.watches[key] = stop
	once := func() {}
	if f.starting {
		f.first.Add(1)
		once = sync.OnceFunc(f.first.Done)
	}
	failed := w.Failed
	w.Changed = func(a discover.Answer) bool {
		defer once()
		return changed(ctx, a)
	}
	w.Failed = func(err error) { failed(err); once() }
	f.watching.Go(func() {
		defer once()
		w.Run(ctx)
	})
}

// failed logs the failures of looking a name up, and their end.
func (f *fleet) failed(name string) func(error) {
	return func(err error) {
		if err != nil {
			f.log.Warn("a name cannot be looked up; what is known of it stays", "name", name, "error", err)
			return
		}
		f.log.Info("a name can be looked up again", "name", name)
	}
}

// settle waits until every name was looked up once, or for so long.
func (f *fleet) settle(ctx context.Context, most time.Duration) {
	done := make(chan struct{})
	f.watching.Go(func() {
		f.first.Wait()
		close(done)
	})
	timer := time.NewTimer(most)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
	case <-ctx.Done():
	}
}

// resolved gives an upstream the address of its name. One that it has stays for
// as long as the name has it. It reports whether that could be done.
func (f *fleet) resolved(ctx context.Context, name string, found []discover.Found) bool {
	return f.attempt(ctx, name, func() error {
		m := f.find(name)
		if m == nil {
			return nil // removed meanwhile
		}
		server := &m.upstream.Server
		if !slices.ContainsFunc(found, func(a discover.Found) bool { return a.Address == server.Address }) {
			f.log.Info("an upstream has an address", "upstream", name, "address", found[0].Address)
			server.Address = found[0].Address
		}
		return nil
	})
}

// discovered takes in what a name has now and had not before, and lets go of
// what it had: what both have stays as it is, also what was done to it by hand.
// The first answer, without one before, stands for all there is of the name. It
// reports whether that could be done; else all is as it was.
func (f *fleet) discovered(ctx context.Context, d *settings.Discovery, now []discover.Found) bool {
	return f.attempt(ctx, d.Name, func() error {
		before, some := f.found[d.Name]
		had, has := namesFound(d, before), namesFound(d, now)
		f.members = slices.DeleteFunc(f.members, func(m fleetMember) bool {
			name := m.config.Name()
			return m.origin == d.Name && !has[name] && (!some || had[name])
		})
		for _, one := range now {
			if slices.Contains(before, one) {
				continue
			}
			if err := f.takeIn(d, one); err != nil {
				return err
			}
		}
		f.found[d.Name] = now
		f.log.Info("upstreams were discovered", "name", d.Name, "upstreams", len(now))
		return nil
	})
}

// fallBack takes in those again whom the file does not name any more and a name
// still has. The caller holds the lock.
func (f *fleet) fallBack(removed map[string]bool, to []settings.Discovery) error {
	for i := range to {
		d := &to[i]
		for _, one := range f.found[d.Name] {
			if name := targetOf(d, one.Address).Name(); !removed[name] || f.find(name) != nil {
				continue
			}
			if err := f.takeIn(d, one); err != nil {
				return err
			}
		}
	}
	return nil
}

// takeIn takes in one that was discovered, unless somebody else has named it.
func (f *fleet) takeIn(d *settings.Discovery, one discover.Found) error {
	target := targetOf(d, one.Address)
	m := f.find(target.Name())
	switch {
	case m == nil:
		u := settings.Upstream{URL: target.Name(), Weight: one.Weight, HTTP2: d.HTTP2, Number: f.freeNumber()}
		if err := f.put(d.Name, u, one.Address); err != nil {
			return err
		}
		m = f.find(target.Name())
	case m.origin != d.Name:
		return nil
	default:
		m.upstream.Weight = one.Weight
		m.config.HTTP2, m.upstream.Server.HTTP2 = d.HTTP2, d.HTTP2
	}
	m.target.Host = one.Target // the name its certificate is for
	return f.secure(m)
}

// attempt changes the fleet for a name's sake, unless nobody wants to know of it
// any more, and reports whether it could. Nobody else waits for it to fail.
func (f *fleet) attempt(ctx context.Context, name string, edit func() error) bool {
	err := f.change(func() error {
		if ctx.Err() != nil { // ended under the lock
			return context.Cause(ctx)
		}
		return edit()
	})
	if err != nil && ctx.Err() == nil {
		f.log.Warn("what a name says cannot be used; all stays as it was", "name", name, "error", err)
	}
	return err == nil
}

// targetOf is where a discovered upstream is.
func targetOf(d *settings.Discovery, at netip.AddrPort) settings.Target {
	return settings.Target{Scheme: d.Scheme, Host: at.Addr().String(), Port: at.Port()}
}

// namesFound are the names of those that were discovered.
func namesFound(d *settings.Discovery, found []discover.Found) map[string]bool {
	out := make(map[string]bool, len(found))
	for _, one := range found {
		out[targetOf(d, one.Address).Name()] = true
	}
	return out
}

// lookUpHost asks the system for the addresses of a name.
func lookUpHost(ctx context.Context, target settings.Target) (discover.Answer, error) {
	addresses, err := net.DefaultResolver.LookupNetIP(ctx, "ip", target.Host)
	if err != nil {
		if d, ok := errors.AsType[*net.DNSError](err); ok {
			err = errors.New(strings.TrimPrefix(d.Error(), "lookup "))
		}
		return discover.Answer{}, err
	}
	a := discover.Answer{TTL: hostEvery}
	for _, address := range addresses {
		a.Found = append(a.Found, discover.Found{Address: netip.AddrPortFrom(address.Unmap(), target.Port), Weight: 1, Target: target.Host})
	}
	slices.SortFunc(a.Found, func(x, y discover.Found) int { return x.Address.Compare(y.Address) })
	return a, nil
}
