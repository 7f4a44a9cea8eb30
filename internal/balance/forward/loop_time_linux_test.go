package forward_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/polymath-run/polymath/internal/balance/forward"
	"github.com/polymath-run/polymath/internal/balance/forward/forwardtest"
)

// soon is a timeout that a test waits for, and later one before which something
// else is to happen: it is long for a slow machine, too.
const (
	soon  = 60 * time.Millisecond
	later = 10 * soon
)

// silent says nothing until the test, or the other side, ends.
func silent(begin string) func(net.Conn) {
	return func(c net.Conn) {
		_, _ = io.WriteString(c, begin)
		_, _ = io.Copy(io.Discard, c)
	}
}

// TestLoopWaitsForNobody: each stage of an exchange has its end (D5).
func TestLoopWaitsForNobody(t *testing.T) {
	for _, c := range []struct {
		name     string
		timeouts forward.Timeouts
		up       func(net.Conn)
		say      string
		want     string // the answer begins so; "" is none
		kind     forward.Kind
		count    int // of attempts that end so
	}{
		{"head", forward.Timeouts{Head: soon}, silent(""), "GET / HTTP/1.1\r\nHost", "HTTP/1.1 408 ", forward.Abandoned, 0},
		{"head, after a request", forward.Timeouts{Head: soon}, each(answer), ask + "GET / HTTP/1.1\r\nHost", answer + "HTTP/1.1 408 ", forward.Answered, 1},
		{"idle client", forward.Timeouts{KeepAlive: soon}, silent(""), "", "", forward.Abandoned, 0},
		{"idle client, after a request", forward.Timeouts{KeepAlive: later}, each(answer), ask, answer, forward.Answered, 1},
		{"body", forward.Timeouts{Body: soon}, silent(""), "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nabc", "HTTP/1.1 408 ", forward.Abandoned, 1},
		{"chunks", forward.Timeouts{Body: soon}, silent(""), "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc", "HTTP/1.1 408 ", forward.Abandoned, 1},
		{"first byte", forward.Timeouts{FirstByte: soon}, silent(""), ask, "HTTP/1.1 504 ", forward.Late, 1},
		{"half a head", forward.Timeouts{FirstByte: soon}, silent("HTTP/1.1 200"), ask, "HTTP/1.1 504 ", forward.Late, 1},
		{"first byte behind a 1xx", forward.Timeouts{FirstByte: later}, silent("HTTP/1.1 103 Early Hints\r\n\r\n"), ask, "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 504 ", forward.Late, 1},
		{"answer", forward.Timeouts{Answer: soon}, silent("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc"), ask, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc", forward.Cut, 1},
		{"answer in chunks", forward.Timeouts{Answer: soon}, silent("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc"), ask, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc", forward.Cut, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := forwardtest.NewDirector(t, scripted(t, "127.0.0.1:0", c.up))
			l := startLoop(t, forward.Options{Director: d, Timeouts: c.timeouts}, forward.LoopOptions{Threads: 1})
			begun := time.Now() // before it is accepted
			n := connect(t, l)
			say(t, n, c.say)
			got := make([]byte, len(c.want))
			if _, err := io.ReadFull(n, got); err != nil || string(got) != c.want {
				t.Errorf("answered %q, %v; want %q", got, err, c.want)
			}
			if strings.Contains(c.want, " 504 ") {
				_ = n.CloseWrite() // its connection lasts
			}
			rest(t, n)
			if took := time.Since(begun); took < soon {
				t.Errorf("it ended after %v", took)
			}
			d.Settled(t)
			if n := d.Count(c.kind); n != c.count {
				t.Errorf("%d attempts ended as %d, not %d", n, c.kind, c.count)
			}
		})
	}
}

// TestLoopKeepsDeadlines: the Director's, whatever the exchange is at.
func TestLoopKeepsDeadlines(t *testing.T) {
	for name, c := range map[string]struct{ up, want string }{
		"before the answer": {"", "HTTP/1.1 504 "},
		"within it":         {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc"},
	} {
		t.Run(name, func(t *testing.T) {
			d := forwardtest.NewDirector(t, scripted(t, "127.0.0.1:0", silent(c.up)))
			d.Refuse = func(x *forward.Exchange) *forward.Refusal {
				x.Deadline = x.Begun + later
				return nil
			}
			l := startLoop(t, forward.Options{Director: d}, forward.LoopOptions{Threads: 1})
			n := connect(t, l)
			say(t, n, ask)
			if got := hear(t, n, len(c.want)); got != c.want {
				t.Errorf("answered %q", got)
			}
			_ = n.CloseWrite()
			rest(t, n)
			d.Settled(t)
		})
	}
}

// TestLoopConnectsInTime: an upstream that does not even refuse.
func TestLoopConnectsInTime(t *testing.T) {
	d := forwardtest.NewDirector(t, deaf(t))
	l := startLoop(t, forward.Options{Director: d, Timeouts: forward.Timeouts{Connect: soon}}, forward.LoopOptions{Threads: 1})
	n := connect(t, l)
	say(t, n, ask)
	if got := hear(t, n, 13); got != "HTTP/1.1 503 " || d.Count(forward.Unreached) != 1 {
		t.Errorf("answered %q, %d unreached", got, d.Count(forward.Unreached))
	}
}

// TestLoopReadsOnForTheNext: what a client sent while an upstream was waited for
// in vain goes to the next one.
func TestLoopReadsOnForTheNext(t *testing.T) {
	up := scripted(t, "127.0.0.1:0", func(c net.Conn) {
		for head := heard(c); head != ""; head = heard(c) {
			if strings.HasPrefix(head, "PUT") && heard(c) == "" { // its body ends as a head does
				return
			}
			_, _ = io.WriteString(c, answer)
		}
	})
	d := forwardtest.NewDirector(t, deaf(t), up)
	begun := make(chan struct{}, 2)
	d.Refuse = func(*forward.Exchange) *forward.Refusal {
		begun <- struct{}{}
		return nil
	}
	d.Again = func(*forward.Exchange, forward.Result) bool { return true }
	l := startLoop(t, forward.Options{Director: d, Timeouts: forward.Timeouts{Connect: 4 * soon}}, forward.LoopOptions{Threads: 1})
	n := connect(t, l)
	say(t, n, ask) // to the one that answers, to which a connection lasts
	hear(t, n, len(answer))
	<-begun
	say(t, n, "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc")
	<-begun
	say(t, n, "de\r\n\r\n")
	if got := hear(t, n, len(answer)); got != answer || d.Count(forward.Unreached) != 1 {
		t.Errorf("answered %q, %d unreached", got, d.Count(forward.Unreached))
	}
}

// TestLoopBlamesNoClient: a client whose upstream takes nothing for a while is
// not late with its body.
func TestLoopBlamesNoClient(t *testing.T) {
	const size, late = 32 << 20, time.Second
	gate := make(chan struct{})
	up := scripted(t, "127.0.0.1:0", func(c net.Conn) {
		if strings.Contains(heard(c), "Content-Length: 3\r\n") {
			_, _ = io.Copy(io.Discard, c)
			return
		}
		<-gate
		if _, err := io.CopyN(io.Discard, c, size); err == nil {
			_, _ = io.WriteString(c, answer)
		}
	})
	o := forward.Options{Director: forwardtest.NewDirector(t, up), Timeouts: forward.Timeouts{Body: late, Write: patience}}
	l := startLoop(t, o, forward.LoopOptions{Threads: 1})
	n, slow := connect(t, l), connect(t, l)
	say(t, n, fmt.Sprintf("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n", size))
	say(t, n, strings.Repeat("x", 64<<10))
	go func() { _, _ = n.Write(make([]byte, size-64<<10)) }() // it stands still soon
	say(t, slow, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n")
	if got := hear(t, slow, 13); got != "HTTP/1.1 408 " {
		t.Errorf("the slow one is answered %q", got)
	}
	close(gate)
	if got := hear(t, n, len(answer)); got != answer {
		t.Errorf("answered %q", got)
	}
}

// TestLoopDropsWhoDoesNotRead: a client, and an upstream.
func TestLoopDropsWhoDoesNotRead(t *testing.T) {
	large := bytes.Repeat([]byte("x"), 32<<20)
	dropped, gate := make(chan error, 1), make(chan struct{})
	defer close(gate)
	up := scripted(t, "127.0.0.1:0", func(c net.Conn) {
		if strings.HasPrefix(heard(c), "POST") {
			<-gate
			return
		}
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 33554432\r\n\r\n")
		_, err := c.Write(large)
		dropped <- err
	})
	d := forwardtest.NewDirector(t, up)
	l := startLoop(t, forward.Options{Director: d, Timeouts: forward.Timeouts{Write: soon}}, forward.LoopOptions{Threads: 1})
	say(t, connect(t, l), ask)
	if err := <-dropped; err == nil {
		t.Error("all of the answer was taken, although nobody has read it")
	}
	d.Settled(t)
	if n := d.Count(forward.Abandoned); n != 1 {
		t.Errorf("%d attempts were abandoned, not 1", n)
	}
	n := connect(t, l)
	say(t, n, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 33554432\r\n\r\n")
	go func() { _, _ = n.Write(large) }()
	if got := hear(t, n, 13); got != "HTTP/1.1 504 " {
		t.Errorf("answered %q", got)
	}
	d.Settled(t)
	if n := d.Count(forward.Late); n != 1 {
		t.Errorf("%d attempts were late, not 1", n)
	}
}

// TestLoopLetsIdleUpstreamsGo: connections nobody has used for a while end.
func TestLoopLetsIdleUpstreamsGo(t *testing.T) {
	ended := make(chan struct{})
	up := scripted(t, "127.0.0.1:0", func(c net.Conn) {
		each(answer)(c)
		close(ended)
	})
	l := startLoop(t, forward.Options{Director: forwardtest.NewDirector(t, up), Timeouts: forward.Timeouts{Idle: soon}}, forward.LoopOptions{Threads: 1})
	n := connect(t, l)
	say(t, n, ask)
	hear(t, n, len(answer))
	<-ended
}

// TestLoopKeepsFewIdle: no more connections stay than are asked for.
func TestLoopKeepsFewIdle(t *testing.T) {
	const clients, kept = 8, 2
	asked, gate := make(chan struct{}, clients), make(chan struct{})
	up := scripted(t, "127.0.0.1:0", func(c net.Conn) {
		for heard(c) != "" {
			asked <- struct{}{}
			<-gate
			_, _ = io.WriteString(c, answer)
		}
	})
	l := startLoop(t, forward.Options{Director: forwardtest.NewDirector(t, up), MaxIdle: kept}, forward.LoopOptions{Threads: 1})
	var all []net.Conn
	for range clients {
		c := connect(t, l)
		all = append(all, c)
		say(t, c, ask)
		<-asked
	}
	close(gate)
	for _, c := range all {
		hear(t, c, len(answer))
	}
	for limit := time.Now().Add(patience); l.Stats().Upstreams != kept; {
		if time.Now().After(limit) {
			t.Fatalf("%d connections are kept, not %d", l.Stats().Upstreams, kept)
		}
		runtime.Gosched()
	}
}

// TestLoopAsksStaleUpstreamsAgain: a connection that had ended when it was used
// is nobody's failure.
func TestLoopAsksStaleUpstreamsAgain(t *testing.T) {
	up := scripted(t, "127.0.0.1:0", func(c net.Conn) {
		heard(c)
		_, _ = io.WriteString(c, answer)
		heard(c) // and says nothing to the next
	})
	d := forwardtest.NewDirector(t, up)
	d.Again = func(*forward.Exchange, forward.Result) bool {
		t.Error("the Director was asked")
		return false
	}
	l := startLoop(t, forward.Options{Director: d}, forward.LoopOptions{Threads: 1})
	n := connect(t, l)
	for range 10 {
		say(t, n, ask)
		if got := hear(t, n, len(answer)); got != answer {
			t.Fatalf("answered %q", got)
		}
	}
	d.Settled(t)
	if n := d.Count(forward.Answered); n != 10 {
		t.Errorf("%d attempts were answered", n)
	}
}

// TestLoopTellsCutFromWhole: where the end of the connection is the end of the
// body, a reset is no end.
func TestLoopTellsCutFromWhole(t *testing.T) {
	end := make(chan bool, 1)
	up := scripted(t, "127.0.0.1:0", func(c net.Conn) {
		heard(c)
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\nabc")
		if whole := <-end; !whole {
			_ = c.(*net.TCPConn).SetLinger(0)
		}
	})
	for _, whole := range []bool{true, false} {
		d := forwardtest.NewDirector(t, up)
		l := startLoop(t, forward.Options{Director: d}, forward.LoopOptions{Threads: 1})
		n := connect(t, l)
		say(t, n, ask)
		const want = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nabc"
		if got := hear(t, n, len(want)); got != want {
			t.Fatalf("answered %q", got)
		}
		end <- whole
		_, err := n.Read(make([]byte, 1))
		if whole != errors.Is(err, io.EOF) || whole == errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("whole %v: it ends with %v", whole, err)
		}
		d.Settled(t)
		if kind := map[bool]forward.Kind{true: forward.Answered, false: forward.Cut}[whole]; d.Count(kind) != 1 {
			t.Errorf("whole %v: no attempt ended as %d", whole, kind)
		}
	}
}

// TestLoopBelievesNoJunk: what an upstream says behind its answer is not taken
// for the next answer.
func TestLoopBelievesNoJunk(t *testing.T) {
	const head = len("HTTP/1.1 200 OK\r\nContent-Length: 00000\r\n\r\n")
	junk := "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\njunk"
	for _, size := range []int{2, 64<<10 - head - 1, 64<<10 - head, 64<<10 - head + 1} { // reads of 64 KiB end about here
		up := scripted(t, "127.0.0.1:0", func(c net.Conn) {
			for heard(c) != "" {
				body := strings.Repeat("x", size)
				_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: "+fmt.Sprintf("%05d", size)+"\r\n\r\n"+body+junk)
			}
		})
		l := startLoop(t, forward.Options{Director: forwardtest.NewDirector(t, up)}, forward.LoopOptions{Threads: 1})
		n := connect(t, l)
		for range 5 {
			say(t, n, ask)
			if got := hear(t, n, head+size); !strings.HasSuffix(got, "x") {
				t.Errorf("of %d bytes: %q", size, got[max(0, len(got)-60):])
			}
		}
	}
}

// TestLoopLeavesNothing: no descriptor, goroutine or connection, after clients
// of all manners.
func TestLoopLeavesNothing(t *testing.T) {
	ignore := goleak.IgnoreCurrent()
	open := descriptors(t)
	t.Run("clients", func(t *testing.T) {
		up := scripted(t, "127.0.0.1:0", each(answer))
		l := startLoop(t, forward.Options{Director: forwardtest.NewDirector(t, up)}, forward.LoopOptions{Threads: 2})
		for i := range 400 {
			c := connect(t, l)
			switch i % 5 {
			case 0:
				say(t, c, ask)
				hear(t, c, len(answer))
			case 1:
				say(t, c, ask)
			case 2:
				say(t, c, "GET / HT")
			case 3:
				say(t, c, "nonsense\r\n\r\n")
			case 4:
				say(t, c, "GET / HTTP/1.1\r\nHost: a\r\nExpect: x\r\n\r\n")
			}
			if i%2 == 0 {
				_ = c.SetLinger(0)
			}
			_ = c.Close()
		}
	})
	if err := goleak.Find(ignore); err != nil {
		t.Error(err)
	}
	if now := descriptors(t); now > open {
		t.Errorf("%d descriptors are open, %d before", now, open)
	}
}

// descriptors counts those of this process, once the runtime has its own.
func descriptors(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

// TestLoopForgetsTheHedge: once an answer has begun nobody is asked beside it,
// and what follows of it may take its time. (D5)
func TestLoopForgetsTheHedge(t *testing.T) {
	const hint = "HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n"
	for name, begin := range map[string]string{"head": answer[:len(answer)-2], "hint": hint} {
		t.Run(name, func(t *testing.T) {
			whole := answer
			if name == "hint" {
				whole = hint + answer
			}
			gate := make(chan struct{})
			up := scripted(t, "127.0.0.1:0", func(c net.Conn) {
				heard(c)
				_, _ = io.WriteString(c, begin)
				<-gate
				_, _ = io.WriteString(c, whole[len(begin):])
			})
			d := forwardtest.NewDirector(t, up)
			d.After = func(*forward.Exchange) time.Duration { return later }
			l := startLoop(t, forward.Options{Director: d, Timeouts: forward.Timeouts{Head: later + 2*soon}}, forward.LoopOptions{Threads: 1})
			n, late := connect(t, l), connect(t, l)
			say(t, n, ask)
			got := hear(t, n, len(begin))
			say(t, late, "GET / HT") // by its end the hedge's time is over
			hear(t, late, len("HTTP/1.1 408 "))
			close(gate)
			if got += hear(t, n, len(whole)-len(begin)); got != whole {
				t.Errorf("answered %q", got)
			}
			d.Settled(t)
			if d.Count(forward.Answered) != 1 || d.Count(forward.Abandoned) != 0 {
				t.Errorf("%d attempts were answered, %d abandoned", d.Count(forward.Answered), d.Count(forward.Abandoned))
			}
		})
	}
}
