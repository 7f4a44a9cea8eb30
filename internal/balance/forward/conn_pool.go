package forward

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/polymath-run/polymath/internal/balance/http1"
)

// backend is one connection to an upstream. One attempt owns it at a time.
type backend struct {
	nc     net.Conn
	pool   *pool
	client netip.AddrPort // whom its PROXY header told of; zero without one
	used   bool           // an exchange was on it before
	since  time.Time      // idle from then on

	in     []byte // read, and not yet passed on; the head of the answer begins it
	answer http1.Response

	writeUntil time.Time // the write deadline as it is set
}

// The sizes of buffers, in bytes.
const (
	headBuffer = 4 << 10  // of an upstream's connection; it grows up to a whole head
	bodyBuffer = 32 << 10 // of a body on its way
	tinyBuffer = 1 << 10  // of a client's connection without a request
)

// pool keeps the idle connections to one upstream, and makes new ones.
type pool struct {
	u       *Upstream
	dialer  net.Dialer
	conf    *tls.Config // nil: plain
	gateway *gateway    // nil: HTTP/1

	mu   sync.Mutex
	idle []*backend // used last stands last, and is taken first
	max  int
	end  bool // what comes back is closed
}

// take gives an idle connection; nil where there is none. With a PROXY header a
// connection is one client's alone.
func (p *pool) take(client netip.AddrPort) *backend {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, b := range slices.Backward(p.idle) {
		if p.u.Proxy == 0 || b.client == client {
			p.idle = slices.Delete(p.idle, i, i+1)
			return b
		}
	}
	return nil
}

// put takes a connection back that is ready for the next request.
func (p *pool) put(b *backend) {
	b.since, b.used, b.in = time.Now(), true, b.in[:0]
	p.mu.Lock()
	keep := !p.end && len(p.idle) < p.max
	if keep {
		p.idle = append(p.idle, b)
	}
	p.mu.Unlock()
	if !keep {
		_ = b.nc.Close()
	}
}

// reap closes what has been idle since before a time, and reports whether
// anything is left.
func (p *pool) reap(before time.Time) bool {
	p.mu.Lock()
	n := 0
	for n < len(p.idle) && p.idle[n].since.Before(before) {
		n++
	}
	old := slices.Clone(p.idle[:n])
	p.idle = slices.Delete(p.idle, 0, n)
	left := len(p.idle) > 0
	p.mu.Unlock()
	for _, b := range old {
		_ = b.nc.Close()
	}
	return left
}

// close ends all idle connections, and those that come back.
func (p *pool) close() {
	p.retire()
	if p.gateway != nil {
		p.gateway.close()
	}
}

// retire is close for a pool that nobody is given any more; who was may still
// use it.
func (p *pool) retire() {
	p.mu.Lock()
	p.end = true
	idle := p.idle
	p.idle = nil
	p.mu.Unlock()
	for _, b := range idle {
		_ = b.nc.Close()
	}
	if p.gateway != nil {
		p.gateway.transport.CloseIdleConnections()
	}
}

// dial makes a connection, with all that stands before its first request.
func (p *pool) dial(ctx context.Context, client, local netip.AddrPort) (*backend, error) {
	b := &backend{pool: p}
	if p.gateway != nil {
		b.nc = p.gateway.dial()
		return b, nil
	}
	nc, err := p.connect(ctx, client, local)
	if err != nil {
		return nil, err
	}
	b.nc = nc
	if p.u.Proxy != 0 {
		b.client = client
	}
	return b, nil
}

// connect makes the connection itself.
func (p *pool) connect(ctx context.Context, client, local netip.AddrPort) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, p.dialer.Timeout)
	defer cancel()
	nc, err := p.dialer.DialContext(ctx, "tcp", p.u.Address.String())
	if err != nil {
		return nil, err
	}
	if p.u.Proxy != 0 {
		deadline, _ := ctx.Deadline()
		_ = nc.SetWriteDeadline(deadline)
		if _, err := nc.Write(AppendProxyHeader(nil, p.u.Proxy, client, local)); err != nil {
			_ = nc.Close()
			return nil, err
		}
		_ = nc.SetWriteDeadline(time.Time{})
	}
	if p.conf == nil {
		return nc, nil
	}
	secure := tls.Client(nc, p.conf)
	if err := secure.HandshakeContext(ctx); err != nil {
		_ = nc.Close()
		return nil, err
	}
	return secure, nil
}

// pools are the pools of one front.
type pools struct {
	o *Options

	mu  sync.Mutex
	all map[*Upstream]*pool
	end bool
}

// of gives the pool of an upstream.
func (s *pools) of(u *Upstream) *pool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.all[u]; p != nil {
		return p
	}
	p := &pool{u: u, max: s.o.MaxIdle, end: s.end, dialer: net.Dialer{Timeout: s.o.Timeouts.Connect}}
	if u.TLS != nil {
		p.conf = u.TLS.Clone()
		if p.conf.ServerName == "" {
			p.conf.ServerName = u.Address.Addr().String()
			if host, _, err := net.SplitHostPort(u.Host); err == nil {
				p.conf.ServerName = host
			} else if u.Host != "" {
				p.conf.ServerName = u.Host
			}
		}
	}
	if u.HTTP2 {
		p.gateway = newGateway(p, s.o)
	}
	s.all[u] = p
	return p
}

// reap ends connections that were idle for too long. Pools of upstreams that
// are no more empty themselves so; an empty one is forgotten, and made anew
// where an upstream is picked again.
func (s *pools) reap(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for u, p := range s.all {
		left := p.reap(now.Add(-s.o.Timeouts.Idle))
		if !left && (p.gateway == nil || p.gateway.open.Load() == 0) {
			p.retire() // who uses it still puts nothing back where nobody looks
			delete(s.all, u)
		}
	}
}

func (s *pools) close() {
	s.mu.Lock()
	s.end = true
	all := s.all
	s.all = map[*Upstream]*pool{}
	s.mu.Unlock()
	for _, p := range all {
		p.close()
	}
}

// spare closes a connection that nobody uses, if there is one.
func (s *pools) spare() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.all {
		p.mu.Lock()
		var b *backend
		if len(p.idle) > 0 {
			b = p.idle[0]
			p.idle = slices.Delete(p.idle, 0, 1)
		}
		p.mu.Unlock()
		if b != nil {
			return b.nc.Close() == nil
		}
	}
	return false
}

// write sends all of text within the write timeout.
func (b *backend) write(text []byte, timeout time.Duration) error {
	lazily(&b.writeUntil, timeout, b.nc.SetWriteDeadline)
	_, err := b.nc.Write(text)
	return err
}

// more reads further bytes behind those it has. It makes room where there is
// none.
func (b *backend) more() error {
	if len(b.in) == cap(b.in) {
		b.in = slices.Grow(b.in, max(headBuffer, cap(b.in)))
	}
	n, err := b.nc.Read(b.in[len(b.in):cap(b.in)])
	b.in = b.in[:len(b.in)+n]
	if n > 0 {
		return nil
	}
	if err == nil {
		err = io.ErrNoProgress
	}
	return err
}

// lazily sets a deadline anew only where the one that is set is off by an
// eighth: setting one costs as much as parsing a head.
func lazily(set *time.Time, timeout time.Duration, f func(time.Time) error) {
	want := time.Now().Add(timeout)
	if off := want.Sub(*set); off > timeout/8 || off < -timeout/8 {
		*set = want
		_ = f(want) // a closed connection says so when it is used
	}
}
