package app

import (
	"bufio"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
)

// bounded is a listener with at most so many connections open. One more is
// closed at once: its client hears a refusal instead of waiting.
type bounded struct {
	net.Listener
	most int64
	open atomic.Int64
}

// Accept implements net.Listener.
func (b *bounded) Accept() (net.Conn, error) {
	for {
		c, err := b.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if b.open.Add(1) <= b.most {
			return &counted{Conn: c, buffer: bufio.NewReader(c), closed: sync.OnceFunc(func() { b.open.Add(-1) })}, nil
		}
		b.open.Add(-1)
		_ = c.Close() // the refusal; there is nobody to tell that it failed
	}
}

// counted is a connection that gives its place back. It reads ahead: the
// server reads every frame of HTTP/2 in two pieces, each a system call without.
type counted struct {
	net.Conn
	buffer *bufio.Reader
	closed func()
}

// Read implements net.Conn.
func (c *counted) Read(p []byte) (int, error) { return c.buffer.Read(p) }

// Close implements net.Conn.
func (c *counted) Close() error {
	c.closed()
	return c.Conn.Close()
}

// isInUse reports whether an address is another program's.
func isInUse(err error) bool { return errors.Is(err, syscall.EADDRINUSE) }
