//go:build !linux

package forward

import (
	"net"
	"net/netip"
	"time"
)

// listening is one socket.
type listening struct{ own *net.TCPListener }

// Listen opens sockets at an address; port 0 takes a free one. Whether others of
// this process listen beside is no matter here.
func Listen(at netip.AddrPort, _ bool) (*Sockets, error) {
	l, err := net.Listen("tcp", at.String())
	if err != nil {
		return nil, err
	}
	own := l.(*net.TCPListener)
	return &Sockets{
		address: netip.AddrPortFrom(at.Addr(), own.Addr().(*net.TCPAddr).AddrPort().Port()), all: []listening{{own}},
	}, nil
}

// listener gives a listener with a descriptor of its own.
func (l *listening) listener() (net.Listener, error) {
	f, err := l.own.File()
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // the listener has another
	return net.FileListener(f)
}

// end stops listening once those who wait are taken.
func (l *listening) end(take func(net.Conn), linger time.Duration) {
	if take != nil {
		_ = l.own.SetDeadline(time.Now().Add(max(linger, callEvery)))
		for {
			c, err := l.own.Accept()
			if err != nil {
				break
			}
			take(c)
		}
	}
	_ = l.own.Close()
}

func (l *listening) release() { _ = l.own.Close() }
