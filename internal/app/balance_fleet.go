package app

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/balance"
	"github.com/polymath-run/polymath/internal/balance/admin"
	"github.com/polymath-run/polymath/internal/balance/discover"
	"github.com/polymath-run/polymath/internal/balance/forward"
	"github.com/polymath-run/polymath/internal/balance/settings"
)

// Where upstreams come from, beside the names they are discovered by.
const (
	fromFile  = "file"
	fromAdmin = "added"
)

// hostEvery is how often the names in upstreams' URLs are looked up: the system
// that is asked has no times to live.
const hostEvery = 30 * time.Second

// fleet is who the upstreams are, whoever said so: the file, the DNS or
// somebody at the admin API. Each of them only changes what it says itself; what
// was changed by hand stays until its source says something new about it.
type fleet struct {
	log *slog.Logger

	watching sync.WaitGroup
	first    sync.WaitGroup // first answers of the watchers at the start

	mu       sync.Mutex       // owns what follows
	pool     *balance.Pool    // nil: not yet
	changed  func(plain bool) // told whether all upstreams are plain HTTP/1.1; nil: nobody is yet
	settings balance.Settings
	members  []fleetMember
	watches  map[string]context.CancelFunc // by member, or name discovered by
	found    map[string][]discover.Found   // what the names discovered by said last, as far as it was taken in
	trust    settings.UpstreamTLS
	keys     *keypair               // of trust; nil: nobody has needed it yet
	tls      map[string]*tls.Config // by server name: the same for as long as trust is
	starting bool
	closed   bool
}

// fleetMember is an upstream. One whose name has no address yet is not in the
// pool.
type fleetMember struct {
	origin   string
	config   settings.Upstream
	target   settings.Target
	upstream balance.Upstream
}

func newFleet(log *slog.Logger) *fleet {
	return &fleet{
		log: log, watches: make(map[string]context.CancelFunc), found: make(map[string][]discover.Found), tls: make(map[string]*tls.Config),
	}
}

// start takes in what a configuration says.
func (f *fleet) start(c *settings.Config, s balance.Settings) error {
	f.starting = true // nobody else has it yet
	err := f.apply(&settings.Config{}, c, s)
	f.mu.Lock()
	f.starting = false
	f.mu.Unlock()
	return err
}

// apply goes from one configuration to another, all of it or nothing.
func (f *fleet) apply(from, to *settings.Config, s balance.Settings) error {
	d := settings.Diff(from, to)
	f.mu.Lock()
	defer f.mu.Unlock()
	before, trust, keys, configs := f.members, f.trust, f.keys, f.tls
	f.members = slices.Clone(f.members)
	if to.UpstreamTLS != f.trust {
		f.trust, f.keys, f.tls = to.UpstreamTLS, nil, make(map[string]*tls.Config)
	}
	err := f.edit(&d, to)
	if err == nil {
		err = f.set(s)
	}
	if err != nil {
		f.members, f.trust, f.keys, f.tls = before, trust, keys, configs
		return err
	}
	f.rediscover(from.Discovery, to.Discovery)
	f.follow()
	return nil
}

// edit does to the members what a difference says.
func (f *fleet) edit(d *settings.Change, to *settings.Config) error {
	if f.trust.CA != "" || f.trust.Certificate != "" { // before anybody needs it: who is discovered may
		if err := f.believe(); err != nil {
			return err
		}
	}
	removed := make(map[string]bool, len(d.Removed))
	for i := range d.Removed {
		removed[d.Removed[i].Name()] = true
	}
	f.members = slices.DeleteFunc(f.members, func(m fleetMember) bool { return removed[m.config.Name()] })
	add := slices.Clone(d.Added)
	for i := range d.Tuned {
		m := f.find(d.Tuned[i].Name())
		if m == nil { // removed by hand, and now the file says something new about it
			add = append(add, d.Tuned[i])
			continue
		}
		m.config = d.Tuned[i]
		m.upstream.Weight, m.upstream.Number, m.upstream.Drain = m.config.Weight, m.config.Number, m.config.Drain
	}
	for i := range add {
		if err := f.put(fromFile, add[i], netip.AddrPort{}); err != nil {
			return err
		}
	}
	if err := f.fallBack(removed, to.Discovery); err != nil {
		return err
	}
	if d.Has("upstream-tls") {
		for i := range f.members {
			if err := f.secure(&f.members[i]); err != nil {
				return err
			}
		}
	}
	for _, old := range discoveryNames(to.Discovery, f.members) {
		f.members = slices.DeleteFunc(f.members, func(m fleetMember) bool { return m.origin == old })
	}
	return nil
}

// discoveryNames are the names that members were discovered by and that are not
// looked up any more.
func discoveryNames(list []settings.Discovery, members []fleetMember) (gone []string) {
	for i := range members {
		origin := members[i].origin
		if origin == fromFile || origin == fromAdmin || slices.Contains(gone, origin) {
			continue
		}
		if !slices.ContainsFunc(list, func(d settings.Discovery) bool { return d.Name == origin }) {
			gone = append(gone, origin)
		}
	}
	return gone
}

func (f *fleet) find(name string) *fleetMember {
	for i := range f.members {
		if f.members[i].config.Name() == name {
			return &f.members[i]
		}
	}
	return nil
}

// put takes in an upstream, or configures the one of its name anew. Its address
// is known where its URL has one.
func (f *fleet) put(origin string, u settings.Upstream, at netip.AddrPort) error {
	target, err := settings.ParseTarget(u.URL)
	if err != nil {
		return polymath.Errorf(polymath.InvalidArgument, "%w", err)
	}
	if literal, ok := target.Address(); ok {
		at = literal
	}
	m := fleetMember{origin: origin, config: u, target: target, upstream: balance.Upstream{
		Server: forward.Upstream{Name: target.Name(), Address: at, Host: u.Host, HTTP2: u.HTTP2, Proxy: proxyVersion(u.ProxyProtocol)},
		Weight: u.Weight, Number: u.Number, Drain: u.Drain,
	}}
	if err := f.secure(&m); err != nil {
		return err
	}
	if old := f.find(target.Name()); old != nil {
		if !at.IsValid() {
			m.upstream.Server.Address = old.upstream.Server.Address
		}
		*old = m
		return nil
	}
	if len(f.members) >= settings.MaxUpstreams {
		return polymath.Errorf(polymath.Overloaded, "there are %d upstreams already, as many as there may be", len(f.members))
	}
	f.members = append(f.members, m)
	return nil
}

// proxyVersion reads v1 and v2.
func proxyVersion(text string) forward.ProxyVersion {
	switch text {
	case "v1":
		return 1
	case "v2":
		return 2
	default:
		return 0
	}
}

// secure gives a member what it is spoken TLS with.
func (f *fleet) secure(m *fleetMember) error {
	m.upstream.Server.TLS = nil
	if m.target.Scheme != "https" {
		return nil
	}
	if err := f.believe(); err != nil {
		return err
	}
	name := f.trust.ServerName
	if name == "" {
		name = m.target.Host
	}
	if f.tls[name] == nil {
		f.tls[name] = f.keys.client(name, f.trust.Insecure)
	}
	m.upstream.Server.TLS = f.tls[name]
	return nil
}

// believe reads what upstreams are spoken TLS with, where nobody has yet.
func (f *fleet) believe() error {
	if f.keys != nil {
		return nil
	}
	keys, err := openTrust(&f.trust)
	f.keys = keys
	return err
}

// trusted is what upstreams are spoken TLS with; nil: none is.
func (f *fleet) trusted() *keypair {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.keys
}

// open makes the pool of those that are known by now: nobody of them has to
// start slowly, as one that comes later does.
func (f *fleet) open(o balance.Options) (*balance.Pool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	list, _ := f.reachable()
	pool, err := balance.New(o, f.settings, list)
	f.pool = pool
	return pool, err
}

// tell has somebody told whether all upstreams are plain HTTP/1.1, from now on
// and at once.
func (f *fleet) tell(changed func(plain bool)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.changed = changed
	_, plain := f.reachable()
	changed(plain)
}

// reachable are the members that have an address, and whether all of them are
// plain HTTP/1.1. The caller holds the lock.
func (f *fleet) reachable() (list []balance.Upstream, plain bool) {
	plain = true
	for i := range f.members {
		u := &f.members[i].upstream
		if u.Server.Address.IsValid() {
			list = append(list, *u)
			plain = plain && u.Server.TLS == nil && !u.Server.HTTP2 && u.Server.Proxy == 0
		}
	}
	return list, plain
}

// set gives the pool the members that have an address.
func (f *fleet) set(s balance.Settings) error {
	list, plain := f.reachable()
	if f.pool != nil {
		if err := f.pool.Set(s, list); err != nil {
			return err
		}
	}
	f.settings = s
	if f.changed != nil {
		f.changed(plain)
	}
	return nil
}

// change edits the members and tells the pool, or does nothing.
func (f *fleet) change(edit func() error) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return polymath.Errorf(polymath.Unavailable, "the balancer is stopping")
	}
	before := f.members
	f.members = slices.Clone(f.members)
	err := edit()
	if err == nil {
		err = f.set(f.settings)
	}
	if err != nil {
		f.members = before
		return err
	}
	f.follow()
	return nil
}

// add takes in an upstream by hand, and reports whether it is new.
func (f *fleet) add(ctx context.Context, u settings.Upstream) (name string, fresh bool, err error) {
	target, err := settings.ParseTarget(u.URL)
	if err != nil {
		return "", false, polymath.Errorf(polymath.InvalidArgument, "%w", err)
	}
	at, ok := target.Address()
	if !ok {
		answer, err := lookUpHost(ctx, target)
		if err != nil {
			return "", false, polymath.Errorf(polymath.InvalidArgument, "%s cannot be found: %w", target.Host, err)
		}
		at = answer.Found[0].Address
	}
	name = target.Name()
	err = f.change(func() error {
		old := f.find(name)
		if fresh = old == nil; fresh && u.Number == 0 {
			u.Number = f.freeNumber()
		} else if !fresh && u.Number == 0 {
			u.Number = old.config.Number
		}
		return f.put(fromAdmin, u, at)
	})
	return name, fresh, err
}

// freeNumber is the first that no upstream has.
func (f *fleet) freeNumber() uint64 {
	taken := make(map[uint64]bool, len(f.members))
	for i := range f.members {
		taken[f.members[i].upstream.Number] = true
	}
	n := uint64(1)
	for taken[n] {
		n++
	}
	return n
}

// patch does what somebody asked for.
func (f *fleet) patch(name string, p admin.Patch) error {
	return f.change(func() error {
		m := f.find(name)
		if m == nil {
			return noUpstream(name)
		}
		if p.Weight != nil {
			m.upstream.Weight = *p.Weight
		}
		if p.Drain != nil {
			m.upstream.Drain = *p.Drain
		}
		return nil
	})
}

// remove lets go of an upstream.
func (f *fleet) remove(name string) error {
	return f.change(func() error {
		n := len(f.members)
		f.members = slices.DeleteFunc(f.members, func(m fleetMember) bool { return m.config.Name() == name })
		if len(f.members) == n {
			return noUpstream(name)
		}
		return nil
	})
}

func noUpstream(name string) error {
	return polymath.Errorf(polymath.NotFound, "there is no upstream %.80q: list them to see their names", name)
}

// origins are where the upstreams come from.
func (f *fleet) origins() map[string]string {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := make(map[string]string, len(f.members))
	for i := range f.members {
		out[f.members[i].config.Name()] = f.members[i].origin
	}
	return out
}

// close ends all watching.
func (f *fleet) close() error {
	f.mu.Lock()
	f.closed = true
	for _, stop := range f.watches {
		stop()
	}
	clear(f.watches)
	f.mu.Unlock()
	f.watching.Wait()
	return nil
}
