package forward

import (
	"net"
	"net/netip"
	"os"
	"slices"
	"syscall"
	"time"
)

// listening is one socket.
type listening struct {
	fd     int32
	listed bool // it listens; else it is only bound
}

// Listen opens sockets at an address; port 0 takes a free one. beside says that
// this process listens at the same port of another address already, which
// [::]:80 and 127.0.0.1:80 could not have both otherwise.
//
// Ports that are shared by threads can be shared with other processes of the
// user too. A socket that is not, for a moment, tells whether somebody has it;
// beside a socket of ours it would tell of that alone.
func Listen(at netip.AddrPort, beside bool) (*Sockets, error) {
	if !beside || at.Port() == 0 {
		fd, bound, err := bind(at, false)
		if err != nil {
			return nil, err
		}
		err = listed(fd)
		closeSocket(fd)
		if err != nil {
			return nil, err
		}
		at = bound
	}
	fd, at, err := bind(at, true)
	if err != nil {
		return nil, err
	}
	if err := listed(fd); err != nil {
		closeSocket(fd)
		return nil, err
	}
	return &Sockets{address: at, all: []listening{{fd, true}}}, nil
}

// grow makes them n at least. Those that are new do not listen before open: who
// came to them would wait for a forwarder that may never be.
func (s *Sockets) grow(n int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.all) < n && !s.gone {
		fd, _, err := bind(s.address, true)
		if err != nil {
			return err
		}
		s.all = append(s.all, listening{fd: fd})
	}
	return nil
}

// open has all of them listen. One that cannot gets no clients: the others do.
func (s *Sockets) open() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.all {
		if l := &s.all[i]; !s.gone && !l.listed {
			l.listed = listed(l.fd) == nil
		}
	}
}

// share gives descriptors for the sockets of one of so many threads.
func (s *Sockets) share(thread, threads int) ([]int32, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []int32
	for i := thread; i < len(s.all) && !s.gone; i += threads {
		fd, err := another(s.all[i].fd)
		if err != nil {
			for _, fd := range out {
				closeSocket(fd)
			}
			return nil, err
		}
		out = append(out, fd)
	}
	return slices.Clip(out), nil
}

// another is a further descriptor of a socket.
func another(fd int32) (int32, error) {
	n, _, e := syscall.RawSyscall(syscall.SYS_FCNTL, uintptr(fd), syscall.F_DUPFD_CLOEXEC, 0)
	if e != fine {
		return -1, os.NewSyscallError("fcntl", e)
	}
	return int32(n), nil
}

// listener gives a listener with a descriptor of its own; nil: nobody comes here.
func (l *listening) listener() (net.Listener, error) {
	if !l.listed {
		return nil, nil //nolint:nilnil // there is none, and that is no failure
	}
	fd, err := another(l.fd)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), "listener")
	defer f.Close() //nolint:errcheck // the listener has another
	return net.FileListener(f)
}

// end stops listening, for all who have descriptors of it, once those who wait
// are taken.
func (l *listening) end(take func(net.Conn), linger time.Duration) {
	if l.listed && take != nil {
		if linger > 0 && syscall.AttachLsf(int(l.fd), noSYN()) != nil { //nolint:staticcheck // what replaces it is another module
			linger = 0
		}
		l.takeAll(take)
		for left := linger; left > 0; left -= callEvery {
			<-time.After(callEvery)
			l.takeAll(take)
		}
	}
	_ = syscall.Shutdown(int(l.fd), syscall.SHUT_RDWR)
	closeSocket(l.fd)
}

// takeAll accepts those who wait.
func (l *listening) takeAll(take func(net.Conn)) {
	for {
		fd, _, e := accept(l.fd)
		if e == syscall.ECONNABORTED || e == syscall.EINTR {
			continue
		}
		if e != fine {
			return
		}
		if c, err := detached(fd); err == nil {
			take(c)
		}
	}
}

// noSYN is a filter that drops what a new connection begins with, and nothing
// else.
func noSYN() []syscall.SockFilter {
	const flags, syn, all = 13, 0x02, 0xffff // of the TCP header, where the packet begins
	return []syscall.SockFilter{
		{Code: syscall.BPF_LD | syscall.BPF_B | syscall.BPF_ABS, K: flags},
		{Code: syscall.BPF_JMP | syscall.BPF_JSET | syscall.BPF_K, Jt: 0, Jf: 1, K: syn},
		{Code: syscall.BPF_RET | syscall.BPF_K, K: 0},
		{Code: syscall.BPF_RET | syscall.BPF_K, K: all},
	}
}

func (l *listening) release() { closeSocket(l.fd) }
