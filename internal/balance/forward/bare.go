package forward

import (
	"net"
	"syscall"
)

// bare is the connection below TLS, and below what was read ahead of it.
func bare(nc net.Conn) net.Conn {
	if s, ok := nc.(interface{ NetConn() net.Conn }); ok {
		nc = s.NetConn()
	}
	if e, ok := nc.(*earlyConn); ok {
		nc = e.Conn
	}
	return nc
}

// control calls f with the descriptor of a connection, if it has one; the error
// says that it is closed.
func control(nc net.Conn, f func(fd int)) (has bool, err error) {
	s, ok := bare(nc).(syscall.Conn)
	if !ok {
		return false, nil
	}
	raw, err := s.SyscallConn()
	if err != nil {
		return true, err
	}
	return true, raw.Control(func(fd uintptr) { f(int(fd)) })
}
