package forward_test

import (
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/polymath-run/polymath/internal/balance/forward"
	"github.com/polymath-run/polymath/internal/balance/forward/forwardtest"
)

// TestLoopCountsFullReads: an answer whose pieces are just what is read at once
// gets on with each of them.
func TestLoopCountsFullReads(t *testing.T) {
	const pieces, scratch, grown = 25, 64 << 10, 16 << 20 // for longer than the timeout, together
	upstream := make(chan *net.TCPConn, 1)
	end := make(chan struct{})
	defer close(end)
	up := scripted(t, "127.0.0.1:0", func(c net.Conn) {
		heard(c)
		upstream <- c.(*net.TCPConn)
		<-end
	})
	d := forwardtest.NewDirector(t, up)
	g := newGate()
	d.Refuse = g.refuse
	l := startLoop(t, forward.Options{Director: d, Timeouts: forward.Timeouts{Answer: 2 * later}}, forward.LoopOptions{Threads: 1})
	n, other := connect(t, l), connect(t, l)
	say(t, n, ask)
	c := <-upstream
	say(t, c, "HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
	hear(t, n, len("HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n"))
	for room, limit := 0, time.Now().Add(patience); room < 2*scratch; { // of the loop's socket, which grows with what comes
		sent := 0
		g.during(t, other, func() {
			_ = c.SetWriteDeadline(time.Now().Add(soon / 4))
			sent, _ = c.Write(make([]byte, grown)) // as much as fits
			room, _ = queues(t, c.RemoteAddr(), c.LocalAddr())
		})
		hear(t, n, sent)
		if time.Now().After(limit) {
			t.Fatal("a piece does not fit")
		}
	}
	_ = c.SetWriteDeadline(time.Time{})
	for i := range pieces {
		g.during(t, other, func() {
			say(t, c, strings.Repeat("x", scratch))
			for room := 0; room < scratch; room, _ = queues(t, c.RemoteAddr(), c.LocalAddr()) {
				runtime.Gosched()
			}
		})
		if got, err := io.ReadFull(n, make([]byte, scratch)); err != nil {
			t.Fatalf("piece %d ends after %d bytes: %v", i, got, err)
		}
		<-time.After(soon)
	}
}

// TestLoopWaitsBehindASlowReader: an upstream that stands still once a client has
// at last taken everything is late like any other.
func TestLoopWaitsBehindASlowReader(t *testing.T) {
	const piece, most = 48 << 10, 64 << 20
	upstream := make(chan *net.TCPConn, 1)
	end := make(chan struct{})
	defer close(end)
	up := scripted(t, "127.0.0.1:0", func(c net.Conn) {
		heard(c)
		upstream <- c.(*net.TCPConn)
		<-end
	})
	d := forwardtest.NewDirector(t, up)
	l := startLoop(t, forward.Options{Director: d, Timeouts: forward.Timeouts{Answer: 2 * later, Write: patience}}, forward.LoopOptions{Threads: 1})
	n := connect(t, l)
	say(t, n, ask)
	c := <-upstream
	sent := len("HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
	say(t, c, "HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
	for blocked := false; !blocked; { // until the loop itself has something that does not fit
		if sent > most {
			t.Fatalf("the loop takes %d bytes that nobody reads", sent)
		}
		say(t, c, strings.Repeat("x", piece))
		sent += piece
		for read := false; !read; runtime.Gosched() {
			in, _ := queues(t, c.RemoteAddr(), c.LocalAddr())
			_, out := queues(t, c.LocalAddr(), c.RemoteAddr())
			read = in+out == 0
		}
		<-time.After(time.Millisecond) // what was read is written
		_, out := queues(t, n.RemoteAddr(), n.LocalAddr())
		in, _ := queues(t, n.LocalAddr(), n.RemoteAddr())
		blocked = in+out < sent
	}
	hear(t, n, sent)
	rest(t, n)
	d.Settled(t)
	if n := d.Count(forward.Cut); n != 1 {
		t.Errorf("%d attempts were cut, not 1", n)
	}
}

// TestLoopBlamesNoClientBehindAStaleConnection: one whose upstream has to be
// connected to anew is not late meanwhile.
func TestLoopBlamesNoClientBehindAStaleConnection(t *testing.T) {
	listener, up := narrow(t)
	d := forwardtest.NewDirector(t, up)
	begun := make(chan struct{}, 2)
	d.Refuse = func(*forward.Exchange) *forward.Refusal {
		begun <- struct{}{}
		return nil
	}
	l := startLoop(t, forward.Options{Director: d, Timeouts: forward.Timeouts{Body: later, Connect: 2 * later}}, forward.LoopOptions{Threads: 1})
	n := connect(t, l)
	say(t, n, ask)
	fd, _, err := syscall.Accept(listener)
	if err != nil {
		t.Fatal(err)
	}
	file := os.NewFile(uintptr(fd), "upstream")
	c, err := net.FileConn(file)
	if err = errors.Join(err, file.Close()); err != nil {
		t.Fatal(err)
	}
	heard(c)
	say(t, c, answer)
	hear(t, n, len(answer))
	<-begun
	fill(t, up)
	say(t, n, "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc")
	<-begun
	heard(c)
	_ = c.(*net.TCPConn).SetLinger(0)
	_ = c.Close()
	if got := hear(t, n, 13); got != "HTTP/1.1 503 " {
		t.Errorf("answered %q", got)
	}
}
