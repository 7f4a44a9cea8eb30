package forward_test

import (
	"bufio"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strconv"
	"syscall"
	"testing"
	"unsafe"

	"github.com/polymath-run/polymath/internal/balance/forward"
)

// gate is a way to have a loop do nothing for a moment: a request for /gate is
// refused once open has something.
type gate struct{ entered, open chan struct{} }

func newGate() *gate { return &gate{entered: make(chan struct{}), open: make(chan struct{})} }

// refuse is the Director's.
func (g *gate) refuse(x *forward.Exchange) *forward.Refusal {
	if x.Facts.Target() != "/gate" {
		return nil
	}
	g.entered <- struct{}{}
	<-g.open
	return forward.Nobody()
}

// during runs f while the loop stands still.
func (g *gate) during(t testing.TB, c net.Conn, f func()) {
	t.Helper()
	g.ask(t, c)
	g.within(t, c, f)
}

// ask asks for the gate.
func (g *gate) ask(t testing.TB, c net.Conn) {
	t.Helper()
	say(t, c, "GET /gate HTTP/1.1\r\nHost: a\r\n\r\n")
}

// within runs f while the loop stands still for who has asked.
func (g *gate) within(t testing.TB, c net.Conn, f func()) {
	t.Helper()
	<-g.entered
	func() {
		defer func() { g.open <- struct{}{} }() // also where the test fails
		f()
	}()
	if a, _ := readWhole(t, bufio.NewReader(c)); a.StatusCode != http.StatusServiceUnavailable {
		t.Fatalf("the gate answers %d", a.StatusCode)
	}
}

// queues tells what a socket of this process has received that was not read, and
// what was written to it that has not arrived.
func queues(t testing.TB, local, remote net.Addr) (in, out int) {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range list {
		fd, err := strconv.Atoi(entry.Name())
		if err != nil {
			t.Fatal(err)
		}
		own, err := syscall.Getsockname(fd)
		if err != nil || textOf(own) != local.String() {
			continue
		}
		if peer, err := syscall.Getpeername(fd); err == nil && textOf(peer) == remote.String() {
			return waitsIn(t, fd, syscall.TIOCINQ), waitsIn(t, fd, syscall.TIOCOUTQ)
		}
	}
	t.Fatalf("there is no socket from %v to %v", local, remote)
	return 0, 0
}

// textOf is an address of IPv4; of others it is something else.
func textOf(a syscall.Sockaddr) string {
	v4, ok := a.(*syscall.SockaddrInet4)
	if !ok {
		return ""
	}
	return netip.AddrPortFrom(netip.AddrFrom4(v4.Addr), uint16(v4.Port)).String()
}

// waitsIn asks a socket for the length of one of its queues.
func waitsIn(t testing.TB, fd int, queue uintptr) int {
	t.Helper()
	var n int32
	if _, _, e := syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), queue, uintptr(unsafe.Pointer(&n))); e != 0 {
		t.Fatal(e)
	}
	return int(n)
}
