package forward_test

import (
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/polymath-run/polymath/internal/balance/forward"
	"github.com/polymath-run/polymath/internal/balance/forward/forwardtest"
)

// TestLoopEndsGently: requests that a client sent ahead, to a connection that
// ends with the answer before them, do not destroy that answer (RFC 9112, section
// 9.6).
func TestLoopEndsGently(t *testing.T) {
	const size = 1 << 20 // fits into what the system keeps for a client
	for _, c := range []struct {
		name, head string
		kind       forward.Kind
	}{
		{"whole", "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", forward.Answered},
		{"cut", "HTTP/1.1 200 OK\r\nContent-Length: 2000000\r\n\r\n", forward.Cut},
	} {
		for _, late := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, late %v", c.name, late), func(t *testing.T) {
				end := make(chan struct{})
				ended := make(chan struct{})
				up := scripted(t, "127.0.0.1:0", func(nc net.Conn) {
					heard(nc)
					_, _ = io.WriteString(nc, c.head+strings.Repeat("x", size))
					<-end
					_ = nc.Close()
					close(ended)
				})
				d := forwardtest.NewDirector(t, up)
				g := newGate()
				d.Refuse = g.refuse
				l := startLoop(t, forward.Options{Director: d}, forward.LoopOptions{Threads: 1})
				n, other := connect(t, l), connect(t, l)
				if err := n.SetReadBuffer(256 << 10); err != nil {
					t.Fatal(err)
				}
				say(t, n, ask)
				hear(t, n, len(c.head))
				settled(t, n)
				g.during(t, other, func() {
					close(end)
					<-ended // the loop hears of that first
					if !late {
						say(t, n, ask)
					}
				})
				if late {
					d.Settled(t)
					say(t, n, ask)
				}
				<-time.After(soon) // what destroys it would be here
				if got, err := io.ReadAll(n); len(got) != size || err != nil {
					t.Errorf("%d bytes come, not %d: %v", len(got), size, err)
				}
				d.Settled(t)
				if d.Count(c.kind) != 1 {
					t.Error("the upstream's end was taken for another")
				}
			})
		}
	}
}

// TestLoopSaysThatItEnds: an answer that is there before a loop has noticed that
// it retires says so all the same.
func TestLoopSaysThatItEnds(t *testing.T) {
	asked, end, said := make(chan struct{}), make(chan struct{}), make(chan struct{})
	up := scripted(t, "127.0.0.1:0", func(c net.Conn) {
		heard(c)
		close(asked)
		<-end
		_, _ = io.WriteString(c, answer)
		close(said)
		_, _ = io.Copy(io.Discard, c)
	})
	d := forwardtest.NewDirector(t, up)
	g := newGate()
	d.Refuse = g.refuse
	l := startLoop(t, forward.Options{Director: d}, forward.LoopOptions{Threads: 1})
	n, other, next := connect(t, l), connect(t, l), connect(t, l)
	say(t, n, ask)
	<-asked
	g.during(t, other, func() { // in the loop's next round are the next one at the gate, and the answer
		g.ask(t, next)
		close(end)
		<-said
	})
	g.within(t, next, l.Retire)
	if got := rest(t, n); !strings.Contains(got, "\r\nConnection: close\r\n") {
		t.Errorf("the last answer is %q", got)
	}
	_ = other.Close() // it has no answer to end with
}

// TestFrontEndsGently: requests that a client sent ahead, to a connection that
// ends with the answer before them, do not destroy that answer (RFC 9112, section
// 9.6).
func TestFrontEndsGently(t *testing.T) {
	const size = 1 << 20 // fits into what the system keeps for a client
	for _, c := range []struct {
		name, head string
		kind       forward.Kind
	}{
		{"whole", "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", forward.Answered},
		{"cut", "HTTP/1.1 200 OK\r\nContent-Length: 2000000\r\n\r\n", forward.Cut},
	} {
		for _, late := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, late %v", c.name, late), func(t *testing.T) {
				end := make(chan struct{})
				up := scripted(t, "127.0.0.1:0", func(nc net.Conn) {
					heard(nc)
					_, _ = io.WriteString(nc, c.head+strings.Repeat("x", size))
					<-end
				})
				d := forwardtest.NewDirector(t, up)
				n, _ := dialFront(t, startFront(t, forward.Options{Director: d}))
				if err := n.(*net.TCPConn).SetReadBuffer(256 << 10); err != nil {
					t.Fatal(err)
				}
				say(t, n, ask)
				hear(t, n, len(c.head))
				settled(t, n)
				if !late {
					say(t, n, ask)
				}
				close(end)
				d.Settled(t)
				if late {
					say(t, n, ask)
				}
				<-time.After(soon) // what destroys it would be here
				if got, err := io.ReadAll(n); len(got) != size || err != nil {
					t.Errorf("%d bytes come, not %d: %v", len(got), size, err)
				}
				if d.Count(c.kind) != 1 {
					t.Error("the upstream's end was taken for another")
				}
			})
		}
	}
}

// settled waits until what is on its way to or from a loop stands still.
func settled(t testing.TB, n net.Conn) {
	t.Helper()
	last, still := -1, 0
	for limit := time.Now().Add(patience); still < 10; <-time.After(5 * time.Millisecond) {
		in, out := queues(t, n.LocalAddr(), n.RemoteAddr())
		if still++; in+out != last {
			last, still = in+out, 0
		}
		if time.Now().After(limit) {
			t.Fatal("it does not stand still")
		}
	}
}

// TestLoopAnswersWhoHasSaidAll: a refusal reaches a client whose end came along
// with its request, or with two of them.
func TestLoopAnswersWhoHasSaidAll(t *testing.T) {
	for _, asks := range []int{1, 2} {
		d := forwardtest.NewDirector(t)
		g := newGate()
		d.Refuse = func(x *forward.Exchange) *forward.Refusal {
			if r := g.refuse(x); r != nil {
				return r
			}
			return &forward.Refusal{Status: 429, Title: "too much"}
		}
		l := startLoop(t, forward.Options{Director: d}, forward.LoopOptions{Threads: 1})
		n, other := connect(t, l), connect(t, l)
		g.during(t, other, func() { // all of it is one event then
			say(t, n, strings.Repeat(ask, asks))
			if err := n.CloseWrite(); err != nil {
				t.Fatal(err)
			}
		})
		if got := rest(t, n); strings.Count(got, "HTTP/1.1 429 ") != asks {
			t.Errorf("to %d requests: %q", asks, got)
		}
	}
}
