package forward

import (
	"net"
	"net/netip"
	"os"
	"syscall"
)

// backlog is how many clients may wait to be accepted.
const backlog = 4096

// listen takes clients from the sockets it is given, or from its own.
func (l *Loop) listen() error {
	sockets := l.own.Sockets
	if sockets == nil {
		own, err := Listen(l.own.Address, false)
		if err != nil {
			return err
		}
		defer own.release() // the threads have them
		sockets = own
	}
	if err := sockets.grow(l.own.Threads); err != nil {
		return err
	}
	for i := range l.own.Threads {
		t, err := newThread(l, sockets, i)
		if err != nil {
			for _, other := range l.threads {
				other.closeOwn()
			}
			return err
		}
		l.threads = append(l.threads, t)
	}
	l.address = sockets.address
	if l.own.Sockets == nil {
		sockets.open()
	}
	return nil
}

// bind opens a socket at an address, and tells which it has got.
func bind(at netip.AddrPort, shared bool) (int32, netip.AddrPort, error) {
	s, err := socket(at.Addr())
	if err != nil {
		return -1, at, err
	}
	fail := func(call string, err error) (int32, netip.AddrPort, error) {
		closeSocket(s)
		return -1, at, os.NewSyscallError(call, err)
	}
	set := []struct{ level, option, value int }{{syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1}}
	if shared {
		set = append(set, struct{ level, option, value int }{syscall.SOL_SOCKET, soReusePort, 1})
	}
	if at.Addr().Is6() {
		only := 1
		if at.Addr().IsUnspecified() { // [::] is for IPv4 too
			only = 0
		}
		set = append(set, struct{ level, option, value int }{syscall.IPPROTO_IPV6, syscall.IPV6_V6ONLY, only})
	}
	for _, o := range set {
		if err := syscall.SetsockoptInt(int(s), o.level, o.option, o.value); err != nil {
			return fail("setsockopt", err)
		}
	}
	if err := syscall.Bind(int(s), sockaddr(at)); err != nil {
		return fail("bind", err)
	}
	name, err := syscall.Getsockname(int(s))
	if err != nil {
		return fail("getsockname", err)
	}
	switch a := name.(type) {
	case *syscall.SockaddrInet4:
		at = netip.AddrPortFrom(at.Addr(), uint16(a.Port))
	case *syscall.SockaddrInet6:
		at = netip.AddrPortFrom(at.Addr(), uint16(a.Port))
	}
	return s, at, nil
}

// listed has clients come to a socket.
func listed(s int32) error { return os.NewSyscallError("listen", syscall.Listen(int(s), backlog)) }

// socket opens a TCP socket that does not block and sends at once: TCP_NODELAY,
// which what is accepted takes over. Within a machine there is no path whose
// congestion could be learned: there the cheapest way will do, if there is it.
func socket(to netip.Addr) (int32, error) {
	family := syscall.AF_INET6
	if to.Is4() || to.Is4In6() {
		family = syscall.AF_INET
	}
	s, err := syscall.Socket(family, syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, os.NewSyscallError("socket", err)
	}
	if err := syscall.SetsockoptInt(s, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1); err != nil {
		closeSocket(int32(s))
		return -1, os.NewSyscallError("setsockopt", err)
	}
	if to.IsLoopback() {
		_ = syscall.SetsockoptString(s, syscall.IPPROTO_TCP, syscall.TCP_CONGESTION, "reno")
	}
	return int32(s), nil
}

// sockaddr is an address in the form of package syscall.
func sockaddr(a netip.AddrPort) syscall.Sockaddr {
	if ip := a.Addr().Unmap(); ip.Is4() {
		return &syscall.SockaddrInet4{Port: int(a.Port()), Addr: ip.As4()}
	}
	s := &syscall.SockaddrInet6{Port: int(a.Port()), Addr: a.Addr().As16()}
	if zone := a.Addr().Zone(); zone != "" {
		if i, err := net.InterfaceByName(zone); err == nil {
			s.ZoneId = uint32(i.Index)
		}
	}
	return s
}

// detached makes a connection of package net of a socket, which it takes over.
func detached(fd int32) (net.Conn, error) {
	f := os.NewFile(uintptr(fd), "client")
	c, err := net.FileConn(f) // has a descriptor of its own
	if closing := f.Close(); err == nil {
		err = closing
	}
	return c, err
}
