package app

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/balance"
	"github.com/polymath-run/polymath/internal/balance/access"
	"github.com/polymath-run/polymath/internal/balance/admin"
	"github.com/polymath-run/polymath/internal/balance/forward"
	"github.com/polymath-run/polymath/internal/balance/limit"
	"github.com/polymath-run/polymath/internal/balance/settings"
)

// Bounds of a Balancer.
const (
	// settleLimit is how long the start waits for names to be looked up: who is
	// not found by then comes later.
	settleLimit = 3 * time.Second
	// exchangeLimit is how long exchanges may go on when the balancer stops.
	exchangeLimit = 15 * time.Second
)

// BalanceOptions are the choices of a Balancer.
type BalanceOptions struct {
	// File is the configuration file; "": there is none.
	File string
	// Overlay, where not nil, says what stands above the file: flags. It is
	// called for every reading, before it is checked.
	Overlay func(*settings.Config) error
	Version string // of the program
	Log     *slog.Logger
	Stdout  io.Writer // of an access log that goes there
}

// Balancer stands in front of upstreams. It must be closed.
//
//	listeners ─▶ forwarders ─▶ Pool ◀─ fleet ◀─ file, DNS, admin API
//	                │            │
//	                ▼            ▼
//	            upstreams   limits, access log
type Balancer struct {
	options BalanceOptions
	log     *slog.Logger
	now     func() time.Duration
	pool    *balance.Pool
	fleet   *fleet
	file    *settings.Watched // nil: none
	rates   atomic.Pointer[rates]
	access  atomic.Pointer[accessLog]
	faces   *balanceFaces
	api     http.Handler              // the admin API
	admin   atomic.Pointer[adminFace] // where it is served; nil: off
	stack   stack

	adminsLeaving sync.WaitGroup     // at addresses that it is not at any more
	pace          chan time.Duration // how often files are looked at from now on; 0: never

	stopping atomic.Bool
	alive    context.Context // ends when the Balancer cannot go on, with why
	fail     context.CancelCauseFunc

	reloading sync.Mutex       // one at a time; owns what follows
	config    *settings.Config // in force
	counts    admin.Reloads
}

// Balance begins to balance. It returns when requests are forwarded.
func Balance(ctx context.Context, o BalanceOptions) (*Balancer, error) {
	begun := time.Now()
	b := &Balancer{options: o, log: o.Log, now: func() time.Duration { return time.Since(begun) }, pace: make(chan time.Duration, 1)}
	b.alive, b.fail = context.WithCancelCause(context.Background())
	b.faces = newFaces(o.Log)
	b.api = admin.New(balanceBackend{b}, o.Version, o.Log)
	if o.File != "" {
		b.file = settings.Watch(o.File)
	}
	if err := b.open(ctx); err != nil {
		if closing := b.stack.unwind(closeLimit); closing != nil {
			b.log.Warn("after the start failed", "error", closing)
		}
		return nil, err
	}
	return b, nil
}

func (b *Balancer) open(ctx context.Context) error {
	r, err := b.read(true)
	if err != nil {
		return err
	}
	b.config, b.counts.Last = r.Config, time.Now()
	return b.explain(r, b.begin(ctx, r.Config))
}

// begin opens what a configuration says.
func (b *Balancer) begin(ctx context.Context, config *settings.Config) error {
	rates, err := newRates(config, nil)
	if err != nil {
		return err
	}
	b.rates.Store(rates)
	b.stack.push("the access log", func() error { b.access.Swap(nil).close(); return nil })
	lines, err := b.newAccess(&config.AccessLog)
	if err != nil {
		return err
	}
	b.access.Store(lines)
	pool, err := config.Pool()
	if err != nil {
		return err
	}
	b.fleet = newFleet(b.log)
	b.stack.push("discovery", b.fleet.close)
	if err := b.fleet.start(config, pool); err != nil {
		return err
	}
	b.fleet.settle(ctx, settleLimit)
	b.pool, err = b.fleet.open(balance.Options{Now: b.now, Admit: b.admit, Ended: b.ended})
	if err != nil {
		return err
	}
	b.check()
	if err := b.listen(config); err != nil {
		return err
	}
	b.watch(config.Watch)
	return nil
}

// listen takes all addresses, also that of the admin API, and begins to take
// requests.
func (b *Balancer) listen(c *settings.Config) error {
	b.stack.push("the listeners", b.faces.shut)
	faces, err := b.planFaces(c)
	if err != nil {
		return err
	}
	b.stack.push("the admin API", b.shutAdmin)
	api, err := b.planAdmin(&c.Admin, faces)
	if err != nil {
		faces.undo()
		return err
	}
	b.adopt(faces, api, c.Timeouts.Drain)
	return nil
}

// told tells the event loops whether they speak with all upstreams.
func (b *Balancer) told() { b.fleet.tell(b.faces.changed) }

// read reads the configuration: the file, and what stands above it. Without
// force a file that has not changed gives nil.
func (b *Balancer) read(force bool) (*settings.Reading, error) {
	if b.file == nil {
		c := settings.Default()
		return &settings.Reading{Config: c}, b.overlay(c)
	}
	read := b.file.Look
	if force {
		read = b.file.Read
	}
	text, err := read()
	if err != nil {
		return nil, polymath.Errorf(polymath.InvalidArgument, "the configuration: %w", err)
	}
	if text == nil && !force {
		return nil, nil //nolint:nilnil // nothing has changed
	}
	r, err := settings.ParseOver(text, b.options.Overlay)
	return r, b.explain(r, err)
}

// explain says of an error about a configuration in which file it stands, and in
// which line, or that it is not the file's.
func (b *Balancer) explain(r *settings.Reading, err error) error {
	if err == nil || b.file == nil {
		return err
	}
	if r != nil {
		err = r.Explain(err)
	}
	if settings.IsAbove(err) {
		return polymath.Errorf(polymath.CodeOf(err), "a flag, or its variable, above the configuration file: %w", err)
	}
	return polymath.Errorf(polymath.CodeOf(err), "the configuration file %s: %w", b.file.Path(), err)
}

// overlay adds what stands above a file, and checks the whole.
func (b *Balancer) overlay(c *settings.Config) error {
	if b.options.Overlay != nil {
		if err := b.options.Overlay(c); err != nil {
			return err
		}
	}
	return c.Check()
}

// rates are the rate limits, and what they remember.
type rates struct {
	limiter *limit.Limiter
	table   *limit.Table
}

// newRates makes the rate limits of a configuration. They go on with a table
// that is there; nil is a new one.
func newRates(c *settings.Config, table *limit.Table) (*rates, error) {
	var limits []limit.Limit
	for i := range c.RateLimits {
		l, err := c.RateLimits[i].Build()
		if err != nil {
			return nil, err
		}
		limits = append(limits, l)
	}
	if table == nil {
		table = limit.NewTable(c.RateLimitKeys)
	}
	limiter, err := limit.New(table, limits)
	return &rates{limiter, table}, err
}

// admit asks the rate limits of the moment.
func (b *Balancer) admit(x *forward.Exchange) *forward.Refusal {
	return b.rates.Load().limiter.Begin(x, x.Begun)
}

// ended writes the access log of the moment.
func (b *Balancer) ended(x *forward.Exchange) {
	if l := b.access.Load(); l != nil {
		l.log.End(x)
	}
}

// check runs the active health checks.
func (b *Balancer) check() {
	ctx, stop := context.WithCancel(context.Background())
	var checking sync.WaitGroup
	prober := b.pool.Checker()
	checking.Go(func() { prober.Run(ctx) })
	b.stack.push("the health checks", func() error {
		stop()
		checking.Wait()
		return nil
	})
}

// accessLog is an access log and the file it goes to.
type accessLog struct {
	log  *access.Log
	file *access.File // nil: standard output
}

func (a *accessLog) close() {
	if a == nil {
		return
	}
	a.log.Close()
	if a.file != nil {
		_ = a.file.Close() // what could not be written was counted
	}
}

// newAccess opens the access log that a configuration asks for; nil: none.
func (b *Balancer) newAccess(c *settings.AccessLog) (*accessLog, error) {
	if c.Form == settings.Off {
		return nil, nil //nolint:nilnil // there is none
	}
	next, to := &accessLog{}, b.options.Stdout
	if c.Output != "" && c.Output != "stdout" {
		file, err := access.OpenFile(c.Output)
		if err != nil {
			return nil, settings.Wrong("access-log.output", err)
		}
		next.file, to = file, file
	}
	form := access.JSON
	if c.Form == settings.FormCombined {
		form = access.Combined
	}
	next.log = access.New(to, access.Options{Form: form, Every: c.Every, Now: b.now, Failed: func(err error) {
		b.log.Warn("the access log cannot be written; its lines are lost, and counted", "error", err)
	}})
	return next, nil
}

// Failed is closed when the Balancer cannot go on; Err says why.
func (b *Balancer) Failed() <-chan struct{} { return b.alive.Done() }

// Err is why the Balancer cannot go on, or nil.
func (b *Balancer) Err() error { return context.Cause(b.alive) }

// URLs are the places where requests are taken, in the order they were given.
func (b *Balancer) URLs() []string {
	var all []string
	for _, f := range b.faces.current() {
		all = append(all, f.url())
	}
	return all
}

// Admin is the URL of the admin API; "": it is off.
func (b *Balancer) Admin() string {
	if a := b.admin.Load(); a != nil {
		return a.url()
	}
	return ""
}

// Close lets running exchanges end, for some seconds, and stops everything.
func (b *Balancer) Close() error {
	b.stopping.Store(true)
	return b.stack.unwind(closeLimit)
}

// reopen opens the file of the access log again: it may have been moved away.
func (b *Balancer) reopen() error {
	l := b.access.Load()
	if l == nil || l.file == nil {
		return nil
	}
	if err := l.file.Reopen(); err != nil && !errors.Is(err, os.ErrClosed) {
		return err
	}
	return nil
}
