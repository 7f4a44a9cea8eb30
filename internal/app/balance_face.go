package app

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"runtime"
	"strconv"
	"sync"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/balance/admin"
	"github.com/polymath-run/polymath/internal/balance/forward"
	"github.com/polymath-run/polymath/internal/balance/settings"
	"github.com/polymath-run/polymath/internal/rest"
)

// balanceFace is one address where clients come in: the event loop for plain
// HTTP, with the front behind it for what the loop does not speak, or the front
// alone.
type balanceFace struct {
	front    *forward.Front
	loop     *forward.Loop // nil: the front listens itself
	listener net.Listener  // of the front; nil: the loop listens
	keys     *keypair      // nil: plain
	serving  sync.WaitGroup
	fail     context.CancelCauseFunc
}

// listen takes all addresses, also that of the admin API.
func (b *Balancer) listen(c *settings.Config) error {
	b.stack.push("the listeners", b.shut)
	threads := c.Threads
	if threads == 0 {
		threads = max(runtime.NumCPU()-1, 1)
	}
	each := max(threads/len(c.Listen), 1)
	// A busy loop leaves its processor to nobody.
	runtime.GOMAXPROCS(max(runtime.GOMAXPROCS(0), each*len(c.Listen)+1))
	for i := range c.Listen {
		f, err := b.newFace(c, &c.Listen[i], each)
		if err != nil {
			return err
		}
		b.faces = append(b.faces, f)
	}
	if c.Admin.Address == settings.Off {
		return nil
	}
	l, err := net.Listen("tcp", c.Admin.Address)
	if err != nil {
		return cannotListen("the admin API", c.Admin.Address, err)
	}
	b.admin = b.serveAdmin(l, &c.Admin)
	return nil
}

func cannotListen(what, address string, err error) error {
	return polymath.Errorf(polymath.InvalidArgument, "%s cannot listen on %s: choose another address (%w)", what, address, err)
}

// newFace takes an address.
func (b *Balancer) newFace(c *settings.Config, l *settings.Listener, threads int) (*balanceFace, error) {
	f := &balanceFace{fail: b.fail}
	o := forward.Options{
		Director: b.pool, Now: b.now, CleartextHTTP2: l.CleartextHTTP2, Proxies: c.TrustedProxies, ProxyProtocol: l.ProxyProtocol,
		Timeouts: c.Timeouts.Forward(), MaxConnections: c.Limits.Connections, MaxIdle: c.Limits.Idle, Log: b.log,
	}
	if l.TLS != nil {
		keys, err := openKeypair(l.TLS)
		if err != nil {
			return nil, err
		}
		f.keys, o.TLS = keys, keys.server()
	}
	front, err := forward.NewFront(o)
	if err != nil {
		return nil, err
	}
	f.front = front
	if l.TLS != nil || len(l.ProxyProtocol) > 0 {
		f.listener, err = net.Listen("tcp", l.Address)
	} else {
		f.loop, err = newLoop(o, l.Address, forward.LoopOptions{Threads: threads, Fallback: front.Take})
	}
	if err != nil {
		return nil, errors.Join(cannotListen("the balancer", l.Address, err), front.Shutdown(context.Background()))
	}
	return f, nil
}

// newLoop makes an event loop on an address that may have a name for a host.
func newLoop(o forward.Options, address string, own forward.LoopOptions) (*forward.Loop, error) {
	resolved, err := net.ResolveTCPAddr("tcp", address)
	if err != nil {
		return nil, err
	}
	own.Address = resolved.AddrPort()
	own.Address = netip.AddrPortFrom(own.Address.Addr().Unmap(), own.Address.Port())
	if resolved.IP != nil {
		return forward.NewLoop(o, own)
	}
	own.Address = netip.AddrPortFrom(netip.IPv6Unspecified(), own.Address.Port()) // with IPv4
	loop, err := forward.NewLoop(o, own)
	if err != nil && !isInUse(err) { // no IPv6 here
		own.Address = netip.AddrPortFrom(netip.IPv4Unspecified(), own.Address.Port())
		return forward.NewLoop(o, own)
	}
	return loop, err
}

// serve begins to take requests.
func (f *balanceFace) serve() {
	f.serving.Go(func() {
		if f.loop != nil {
			f.loop.Serve()
			return
		}
		if err := f.front.Serve(f.listener); err != nil && !errors.Is(err, net.ErrClosed) {
			f.fail(fmt.Errorf("listen on %v: %w", f.listener.Addr(), err))
		}
	})
}

// shut stops taking requests and lets those under way end, on all addresses at
// once.
func (b *Balancer) shut() error {
	ctx, cancel := context.WithTimeout(context.Background(), exchangeLimit)
	defer cancel()
	errs := make([]error, len(b.faces))
	var shutting sync.WaitGroup
	for i, f := range b.faces {
		shutting.Go(func() { errs[i] = f.shut(ctx) })
	}
	shutting.Wait()
	return errors.Join(errs...)
}

func (f *balanceFace) shut(ctx context.Context) error {
	var err error
	if f.loop != nil {
		err = f.loop.Shutdown(ctx)
	} else {
		_ = f.listener.Close() // the front may not have it yet
	}
	if left := f.front.Shutdown(ctx); err == nil {
		err = left
	}
	f.serving.Wait()
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("some exchanges at %s did not end within %v and were cut", f.url(), exchangeLimit)
	}
	return err
}

// url is where the face takes requests. An address that stands for all of this
// machine is no name to call it by: the URL has its loopback then.
func (f *balanceFace) url() string {
	if f.loop != nil {
		return urlOf("http", f.loop.Address())
	}
	scheme := "http"
	if f.keys != nil {
		scheme = "https"
	}
	return urlOf(scheme, f.listener.Addr().(*net.TCPAddr).AddrPort())
}

func urlOf(scheme string, a netip.AddrPort) string {
	host := a.Addr().Unmap().String()
	if a.Addr().IsUnspecified() {
		host = "127.0.0.1"
	}
	return scheme + "://" + net.JoinHostPort(host, strconv.Itoa(int(a.Port())))
}

// changed tells the event loops whether there are upstreams they do not speak
// with: everything goes to the fronts then, and no connection is taken twice.
func (b *Balancer) changed(plain bool) {
	for _, f := range b.faces {
		if f.loop != nil {
			f.loop.HandOver(!plain)
		}
	}
}

// adminFace is the admin API on an address of its own.
type adminFace struct {
	listener net.Listener
}

func (a *adminFace) url() string { return urlOf("http", a.listener.Addr().(*net.TCPAddr).AddrPort()) }

// serveAdmin answers at the admin API until the Balancer is closed.
func (b *Balancer) serveAdmin(l net.Listener, c *settings.Admin) *adminFace {
	hosts := append([]string{"localhost"}, c.Hosts...)
	if host, _, err := net.SplitHostPort(c.Address); err == nil && host != "" {
		hosts = append(hosts, host)
	}
	web := &http.Server{
		Handler:           rest.Guard(admin.New(balanceBackend{b}, b.options.Version, b.log), hosts),
		ReadHeaderTimeout: headerTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeaderBytes,
		ErrorLog: slog.NewLogLogger(b.log.Handler(), slog.LevelDebug),
	}
	var serving sync.WaitGroup
	b.stack.push("the admin API", func() error {
		ctx, cancel := context.WithTimeout(context.Background(), drainLimit)
		defer cancel()
		err := web.Shutdown(ctx)
		if errors.Is(err, context.DeadlineExceeded) { // whoever is left asks again
			err = web.Close()
		}
		serving.Wait()
		return errors.Join(err, closed(l))
	})
	b.serveLater = append(b.serveLater, func() {
		serving.Go(func() {
			if err := web.Serve(&bounded{Listener: l, most: maxAdmins}); !errors.Is(err, http.ErrServerClosed) {
				b.fail(fmt.Errorf("serve the admin API on %v: %w", l.Addr(), err))
			}
		})
	})
	return &adminFace{listener: l}
}

// maxAdmins is how many connections the admin API has at most.
const maxAdmins = 256

// closed closes a listener that may be closed already.
func closed(l net.Listener) error {
	if err := l.Close(); !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

// newTLS is what the front speaks TLS with, before the certificates.
func newTLS() *tls.Config { return &tls.Config{MinVersion: tls.VersionTLS12} }
