package forward_test

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/polymath-run/polymath/internal/balance/forward"
	"github.com/polymath-run/polymath/internal/balance/forward/forwardtest"
)

// shared is a forwarder that takes clients from sockets, which others have too.
type shared struct {
	retire func()
	gone   func(context.Context) error // waits, and cuts what is left when the context ends
}

// overSockets starts a loop, of some threads, or with none a front.
func overSockets(t *testing.T, s *forward.Sockets, u *forward.Upstream, threads int) shared {
	t.Helper()
	o := forward.Options{Director: forwardtest.NewDirector(t, u), Log: slog.New(slog.DiscardHandler), Timeouts: forward.Timeouts{KeepAlive: wait}}
	f, err := forward.NewFront(o)
	if err != nil {
		t.Fatal(err)
	}
	end := func(ctx context.Context) error { f.Empty(ctx); return f.Shutdown(ctx) }
	if threads == 0 {
		list, err := s.Listeners()
		if err != nil {
			t.Fatal(err)
		}
		served := make(chan error, len(list))
		for _, l := range list {
			go func() { served <- f.Serve(l) }()
		}
		return shared{f.Retire, func(ctx context.Context) error {
			err := end(ctx)
			for range list {
				if failed := <-served; err == nil {
					err = failed
				}
			}
			return err
		}}
	}
	l, err := forward.NewLoop(o, forward.LoopOptions{Sockets: s, Threads: threads, Fallback: f.Take})
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan struct{})
	go func() { l.Serve(); close(served) }()
	return shared{func() { l.Retire(); f.Retire() }, func(ctx context.Context) error {
		select {
		case <-l.Ended():
		case <-ctx.Done():
		}
		err := l.Shutdown(ctx)
		<-served
		if failed := end(ctx); err == nil {
			err = failed
		}
		return err
	}}
}

// TestRetire: a forwarder that retires ends each connection with an answer that
// says so, and no other; the one that has taken its sockets over has everybody
// who comes, whoever has more threads (L11).
func TestRetire(t *testing.T) {
	for name, threads := range map[string][2]int{
		"loop to loop": {1, 1}, "more threads": {1, 3}, "fewer threads": {3, 1}, "loop to front": {2, 0}, "front to loop": {0, 2}, "front to front": {0, 0},
	} {
		t.Run(name, func(t *testing.T) { retireTo(t, threads[0], threads[1]) })
	}
}

func retireTo(t *testing.T, from, to int) {
	ctx, cancel := context.WithTimeout(t.Context(), wait)
	defer cancel()
	h, asked, gate := gated()
	up := handled(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/" {
			h(w, r)
			return
		}
		_, _ = io.WriteString(w, "ok")
	})
	s, err := forward.Listen(netip.MustParseAddrPort("127.0.0.1:0"), false)
	if err != nil {
		t.Fatal(err)
	}
	before := overSockets(t, s, up, from)
	ask := func(c net.Conn, r *bufio.Reader) (closing bool) {
		t.Helper()
		tell(t, c, "GET /ok HTTP/1.1\r\nHost: a\r\n\r\n")
		a, body := readWhole(t, r)
		if a.StatusCode != http.StatusOK || string(body) != "ok" {
			t.Fatalf("%d %s", a.StatusCode, body)
		}
		return a.Close
	}
	idle, idleIn := dialFront(t, s.Address())
	if ask(idle, idleIn) {
		t.Fatal("the connection ends")
	}
	busy, busyIn := dialFront(t, s.Address())
	tell(t, busy, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	<-asked

	after := overSockets(t, s, up, to)
	before.retire()
	close(gate)
	a, _ := readWhole(t, busyIn)
	if a.StatusCode != http.StatusOK {
		t.Errorf("the answer that was under way: %+v", a)
	}
	for closing := a.Close; !closing; { // a loop hears of it in its next round
		closing = ask(busy, busyIn)
	}
	mustEnd(t, busyIn)
	if !ask(idle, idleIn) {
		t.Error("the last answer does not say so")
	}
	mustEnd(t, idleIn)
	if err := before.gone(ctx); err != nil {
		t.Errorf("with nobody left: %v", err)
	}
	for range 40 { // some to each socket
		c, r := dialFront(t, s.Address())
		if ask(c, r) {
			t.Error("who comes after is sent away")
		}
		_ = c.Close()
	}
	waiting, waitingIn := dialFront(t, s.Address())
	if ask(waiting, waitingIn) {
		t.Error("who comes after is sent away")
	}
	after.retire()
	s.Close(nil)
	if c, err := net.Dial("tcp", s.Address().String()); err == nil {
		_ = c.Close()
		t.Error("the sockets are closed, and somebody comes in")
	}
	if !ask(waiting, waitingIn) {
		t.Error("the last answer does not say so")
	}
	if err := after.gone(ctx); err != nil {
		t.Errorf("with nobody left: %v", err)
	}
}

// TestSocketsGiveAwayWhoWaits: those nobody has accepted are given to somebody
// when listening ends, however it does.
func TestSocketsGiveAwayWhoWaits(t *testing.T) {
	t.Run("close", func(t *testing.T) { giveAway(t, (*forward.Sockets).Close) })
	t.Run("leave", func(t *testing.T) { giveAway(t, (*forward.Sockets).Leave) })
}

func giveAway(t *testing.T, end func(*forward.Sockets, func(net.Conn))) {
	s, err := forward.Listen(netip.MustParseAddrPort("127.0.0.1:0"), false)
	if err != nil {
		t.Fatal(err)
	}
	const some = 5
	for range some {
		c, _ := dialFront(t, s.Address())
		tell(t, c, "hello")
	}
	n := 0
	end(s, func(c net.Conn) {
		text := make([]byte, len("hello"))
		if _, err := io.ReadFull(c, text); err != nil || string(text) != "hello" {
			t.Errorf("%q, %v", text, err)
		}
		_ = c.Close()
		n++
	})
	if n != some {
		t.Errorf("%d of %d were given", n, some)
	}
	end(s, func(net.Conn) { t.Error("given twice") })
}

// TestSocketsBeside: an address that is somebody's is refused, also where the port
// could be shared; beside our own it is not.
func TestSocketsBeside(t *testing.T) {
	s, err := forward.Listen(netip.MustParseAddrPort("127.0.0.1:0"), false)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close(nil)
	if again, err := forward.Listen(s.Address(), false); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("taken twice: %v, %v", again, err)
	}
	if runtime.GOOS != "linux" {
		return // elsewhere all addresses and one of them are two
	}
	all := netip.AddrPortFrom(netip.IPv4Unspecified(), s.Address().Port())
	if wide, err := forward.Listen(all, false); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("taken beside somebody: %v, %v", wide, err)
	}
}

// lateListener has accepted a client that it has not told of yet. Closing it
// changes nothing about that.
type lateListener struct {
	net.Listener
	clients chan net.Conn
}

func (l *lateListener) Accept() (net.Conn, error) {
	if c, ok := <-l.clients; ok {
		return c, nil
	}
	return nil, net.ErrClosed
}

// TestRetireTakesWhoWasAccepted: a front that retires is not empty before a
// client it has accepted at this moment is served.
func TestRetireTakesWhoWasAccepted(t *testing.T) {
	f, err := forward.NewFront(forward.Options{
		Director: forwardtest.NewDirector(t, handled(t, tellsHeader)), Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c, r := dialFront(t, inner.Addr().(*net.TCPAddr).AddrPort())
	accepted, err := inner.Accept()
	if err != nil {
		t.Fatal(err)
	}
	l := &lateListener{inner, make(chan net.Conn)}
	served := make(chan error, 1)
	go func() { served <- f.Serve(l) }()
	l.clients <- accepted // Serve has begun
	tell(t, c, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	readWhole(t, r)
	other, in := dialLate(t)
	f.Retire()
	tell(t, c, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	readWhole(t, r)
	mustEnd(t, r)
	short, cancel := context.WithTimeout(t.Context(), moment)
	defer cancel()
	if f.Empty(short); short.Err() == nil {
		t.Error("the front is empty, with a client it may have accepted")
	}
	l.clients <- in
	close(l.clients)
	tell(t, other, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	late := bufio.NewReader(other)
	if a, _ := readWhole(t, late); a.StatusCode != http.StatusOK || !a.Close {
		t.Errorf("%+v", a)
	}
	mustEnd(t, late)
	ctx, cancel := context.WithTimeout(t.Context(), wait)
	defer cancel()
	f.Empty(ctx)
	if err := f.Shutdown(ctx); err != nil {
		t.Error(err)
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
}

// moment is how long is waited for what must not happen.
const moment = 20 * time.Millisecond

// dialLate gives both ends of a connection.
func dialLate(t *testing.T) (client, server net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	client, _ = dialFront(t, l.Addr().(*net.TCPAddr).AddrPort())
	if server, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	return client, server
}
