package app

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"reflect"
	"strconv"
	"sync"
	"time"

	"github.com/polymath-run/polymath/internal/balance/forward"
	"github.com/polymath-run/polymath/internal/balance/settings"
)

// balanceFace is one address where clients come in, with what its forwarders are
// made of: the event loop for plain HTTP, with the front behind it for what the
// loop does not speak, or the front alone. Another one takes its sockets over
// where that changes.
type balanceFace struct {
	shape     faceShape
	sockets   *forward.Sockets // shared with the faces before and after it
	front     *forward.Front
	loop      *forward.Loop // nil: the front listens itself
	listeners []net.Listener
	keys      *keypair // nil: plain
	threads   int
	going     context.Context    // of a retired one: ends with its time; nil: it is not
	cut       context.CancelFunc // ends it now
	serving   sync.WaitGroup
	fail      context.CancelCauseFunc
}

// faceShape is what a face is made of. It is another face where any of it is
// different.
type faceShape struct {
	field             string // that it stands in; no part of it
	listener          settings.Listener
	timeouts          forward.Timeouts
	connections, idle int
	proxies           []netip.Prefix
	threads           int // of all faces, as the configuration has it
}

// shapeOf is the shape of a configuration's listener.
func shapeOf(c *settings.Config, i int) faceShape {
	return faceShape{fmt.Sprintf("listen[%d]", i), c.Listen[i], c.Timeouts.Forward(), c.Limits.Connections, c.Limits.Idle, c.TrustedProxies, c.Threads}
}

// is reports whether two shapes are the same.
func (s faceShape) is(o faceShape) bool {
	s.field, o.field = "", ""
	return reflect.DeepEqual(s, o)
}

// newFace makes a face that takes clients from sockets once it serves. old, where
// not nil, is the one that had them before.
func (b *Balancer) newFace(shape *faceShape, sockets *forward.Sockets, threads int, old *balanceFace) (*balanceFace, error) {
	f := &balanceFace{shape: *shape, sockets: sockets, fail: b.fail}
	l := &shape.listener
	o := forward.Options{
		Director: b.pool, Now: b.now, CleartextHTTP2: l.CleartextHTTP2, Proxies: shape.proxies, ProxyProtocol: l.ProxyProtocol,
		Timeouts: shape.timeouts, MaxConnections: shape.connections, MaxIdle: shape.idle, Log: b.log,
	}
	if l.TLS != nil {
		if old != nil && old.keys != nil && *old.shape.listener.TLS == *l.TLS {
			f.keys = old.keys
		} else {
			keys, err := openKeypair(l.TLS, shape.field+".tls")
			if err != nil {
				return nil, err
			}
			f.keys = keys
		}
		o.TLS = f.keys.server()
	}
	var err error
	if f.front, err = forward.NewFront(o); err != nil {
		return nil, err
	}
	if l.TLS != nil || len(l.ProxyProtocol) > 0 {
		f.listeners, err = sockets.Listeners()
	} else {
		f.threads = threads
		f.loop, err = forward.NewLoop(o, forward.LoopOptions{Sockets: sockets, Threads: threads, Fallback: f.front.Take})
	}
	if err != nil {
		return nil, errors.Join(cannotListen(shape.field+".address", l.Address, err), f.front.Shutdown(context.Background()))
	}
	return f, nil
}

// serve begins to take requests.
func (f *balanceFace) serve() {
	if f.loop != nil {
		f.serving.Go(f.loop.Serve)
	}
	for _, l := range f.listeners {
		f.serving.Go(func() {
			if err := f.front.Serve(l); err != nil && !errors.Is(err, net.ErrClosed) {
				f.fail(fmt.Errorf("listen on %v: %w", l.Addr(), err))
			}
		})
	}
}

// cutGrace is how long what a retired face has left is given to be ended in order
// once its time is up.
const cutGrace = time.Second

// retire has the face take nobody new and end each connection with its next
// answer. It does not wait.
func (f *balanceFace) retire() {
	f.front.Retire()
	if f.loop != nil {
		f.loop.Retire()
	}
}

// take serves a client that nobody has accepted before listening ended.
func (f *balanceFace) take(c net.Conn) { f.front.Take(c, nil) }

// left waits until a retired face has no connection, or ctx ends.
func (f *balanceFace) left(ctx context.Context) {
	if f.loop != nil {
		select {
		case <-f.loop.Ended(): // who comes to the front from now on is nobody
		case <-ctx.Done():
		}
	}
	f.front.Empty(ctx)
}

// shut ends all connections: those without an exchange at once, the others with
// theirs, or when ctx ends.
func (f *balanceFace) shut(ctx context.Context) error {
	var err error
	if f.loop != nil {
		err = f.loop.Shutdown(ctx)
	}
	for _, l := range f.listeners {
		_ = l.Close() // the front may not have it yet
	}
	if left := f.front.Shutdown(ctx); err == nil {
		err = left
	}
	f.serving.Wait()
	return err
}

// url is where the face takes requests.
func (f *balanceFace) url() string {
	scheme := "http"
	if f.keys != nil {
		scheme = "https"
	}
	return urlOf(scheme, f.sockets.Address())
}

// urlOf is an address as a URL. One that stands for all of this machine is no
// name to call it by: the URL has its loopback then.
func urlOf(scheme string, a netip.AddrPort) string {
	host := a.Addr().Unmap().String()
	if a.Addr().IsUnspecified() {
		host = "127.0.0.1"
	}
	return scheme + "://" + net.JoinHostPort(host, strconv.Itoa(int(a.Port())))
}

// newTLS is what the front speaks TLS with, before the certificates.
func newTLS() *tls.Config { return &tls.Config{MinVersion: tls.VersionTLS12} }
