package link

import (
	"context"
	"net"
	"sync"
)

// dialed is the connections of a transport. One whose stream was given up a
// moment ago is not idle yet: a transport that closes its idle ones keeps it,
// for ever.
type dialed struct {
	mu     sync.Mutex
	open   map[*dialedConn]struct{} // guarded by mu
	closed bool                     // guarded by mu
}

type dialedConn struct {
	net.Conn
	of *dialed
}

// dial is a transport's DialContext.
func (d *dialed) dial(ctx context.Context, network, address string) (net.Conn, error) {
	dialer := net.Dialer{Timeout: dialLimit}
	conn, err := dialer.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	c := &dialedConn{conn, d}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		_ = conn.Close()
		return nil, net.ErrClosed
	}
	if d.open == nil {
		d.open = make(map[*dialedConn]struct{})
	}
	d.open[c] = struct{}{}
	return c, nil
}

// Close implements net.Conn.
func (c *dialedConn) Close() error {
	c.of.mu.Lock()
	delete(c.of.open, c)
	c.of.mu.Unlock()
	return c.Conn.Close()
}

// close closes those that are open, and those that are still dialed.
func (d *dialed) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	for c := range d.open {
		_ = c.Conn.Close()
	}
	d.open = nil
}
