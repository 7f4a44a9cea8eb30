package forward_test

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/polymath-run/polymath/internal/balance/forward"
)

// connecting begins to connect, and does not wait.
func connecting(t *testing.T, to netip.AddrPort) *os.File {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	err = syscall.Connect(fd, &syscall.SockaddrInet4{Port: int(to.Port()), Addr: to.Addr().As4()})
	if err != nil && !errors.Is(err, syscall.EINPROGRESS) {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(fd), "client")
	t.Cleanup(func() { _ = f.Close() })
	if err := f.SetDeadline(time.Now().Add(wait)); err != nil {
		t.Fatal(err)
	}
	return f
}

// TestLeaveLetsNobodyNewIn: once sockets leave, who has connected already is taken,
// and who comes is neither let in nor refused: he finds whoever listens there
// when he asks again, a second later.
func TestLeaveLetsNobodyNewIn(t *testing.T) {
	says := func(c net.Conn, text string) { _, _ = io.WriteString(c, text); _ = c.Close() }
	wide, err := forward.Listen(netip.AddrPortFrom(netip.IPv4Unspecified(), 0), false)
	if err != nil {
		t.Fatal(err)
	}
	defer wide.Close(nil)
	s, err := forward.Listen(netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), wide.Address().Port()), true)
	if err != nil {
		t.Fatal(err)
	}
	first := connecting(t, s.Address())
	var second *os.File
	s.Leave(func(c net.Conn) {
		says(c, "going")
		if second == nil {
			second = connecting(t, s.Address())
		}
	})
	list, err := wide.Listeners()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = list[0].Close() }()
	if text, err := io.ReadAll(first); err != nil || string(text) != "going" {
		t.Errorf("who was there before: %q, %v", text, err)
	}
	go func() {
		if c, err := list[0].Accept(); err == nil {
			says(c, "coming")
		}
	}()
	if text, err := io.ReadAll(second); err != nil || string(text) != "coming" {
		t.Errorf("who came meanwhile: %q, %v", text, err)
	}
}
