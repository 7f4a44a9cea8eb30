package forward_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/polymath-run/polymath/internal/balance/forward"
	"github.com/polymath-run/polymath/internal/balance/forward/forwardtest"
)

// patience is the longest a test waits for what must come.
const patience = 20 * time.Second

// scripted is an upstream that hands every connection to a script.
func scripted(t testing.TB, address string, script func(c net.Conn)) *forward.Upstream {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = c.Close() }()
				script(c)
			}()
		}
	}()
	t.Cleanup(func() {
		_ = l.Close()
		<-ended
	})
	at := l.Addr().(*net.TCPAddr).AddrPort()
	return &forward.Upstream{Name: "http://" + at.String(), Address: at}
}

// each answers every request on a connection with the same text.
func each(answer string) func(net.Conn) {
	return func(c net.Conn) {
		for heard(c) != "" {
			if _, err := io.WriteString(c, answer); err != nil {
				return
			}
		}
	}
}

// heard reads up to an empty line; "" at the end of the connection.
func heard(c net.Conn) string {
	var b []byte
	one := make([]byte, 1)
	for !bytes.HasSuffix(b, []byte("\r\n\r\n")) {
		if _, err := c.Read(one); err != nil {
			return ""
		}
		b = append(b, one[0])
	}
	return string(b)
}

const (
	ask    = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
	answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
)

func connect(t testing.TB, l *forward.Loop) *net.TCPConn {
	t.Helper()
	c, err := net.Dial("tcp", l.Address().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return c.(*net.TCPConn)
}

func say(t testing.TB, c io.Writer, text string) {
	t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
}

// hear reads so many bytes.
func hear(t testing.TB, c io.Reader, n int) string {
	t.Helper()
	b := make([]byte, n)
	n, err := io.ReadFull(c, b)
	if err != nil {
		t.Fatalf("after %q: %v", b[:n], err)
	}
	return string(b)
}

// rest reads to the end of a connection.
func rest(t testing.TB, c io.Reader) string {
	t.Helper()
	b, err := io.ReadAll(c)
	if err != nil && !errors.Is(err, syscall.ECONNRESET) {
		t.Fatalf("after %q: %v", b, err)
	}
	return string(b)
}

// TestLoopSpeaksIPv6: on both sides, and an unspecified address takes both kinds
// of clients.
func TestLoopSpeaksIPv6(t *testing.T) {
	up := scripted(t, "[::1]:0", func(c net.Conn) {
		head := heard(c)
		if !strings.Contains(head, "X-Forwarded-For: ") {
			return
		}
		_, from, _ := strings.Cut(head, "X-Real-IP: ")
		from, _, _ = strings.Cut(from, "\r\n")
		_, _ = io.WriteString(c, "HTTP/1.1 200 "+from+"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
	})
	for _, c := range []struct{ listen, dial, from string }{
		{"[::1]:0", "::1", "::1"}, {"[::]:0", "::1", "::1"}, {"[::]:0", "127.0.0.1", "127.0.0.1"}, {"0.0.0.0:0", "127.0.0.1", "127.0.0.1"},
	} {
		for _, threads := range []int{1, 3} {
			l := startLoop(t, forward.Options{Director: forwardtest.NewDirector(t, up)}, forward.LoopOptions{Address: netip.MustParseAddrPort(c.listen), Threads: threads})
			at := netip.AddrPortFrom(netip.MustParseAddr(c.dial), l.Address().Port())
			n, err := net.Dial("tcp", at.String())
			if err != nil {
				t.Fatal(err)
			}
			say(t, n, ask)
			if got, want := hear(t, n, 13+len(c.from)), "HTTP/1.1 200 "+c.from; got != want {
				t.Errorf("listening on %s: %q, want %q", c.listen, got, want)
			}
			_ = n.Close()
		}
	}
}

// TestLoopTakesNoTakenPort: a port that another loop has is taken, although
// loops share theirs among their threads.
func TestLoopTakesNoTakenPort(t *testing.T) {
	l := startLoop(t, forward.Options{Director: forwardtest.NewDirector(t)}, forward.LoopOptions{Threads: 2})
	for _, threads := range []int{1, 2} {
		other, err := forward.NewLoop(forward.Options{Director: forwardtest.NewDirector(t)},
			forward.LoopOptions{Address: l.Address(), Threads: threads, Fallback: func(net.Conn, []byte) {}})
		if err == nil {
			_ = other.Shutdown(t.Context())
			t.Errorf("%d threads: the port was taken twice", threads)
		}
	}
}

// TestLoopHandsOver: what the loop does not take goes to the fallback with every
// byte, and the connection.
func TestLoopHandsOver(t *testing.T) {
	type handed struct {
		c     net.Conn
		early string
	}
	for name, text := range map[string]string{
		"HTTP/1.0": "GET / HTTP/1.0\r\n\r\n",
		"absolute": "GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n",
		"expect":   "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\nabc",
		"upgrade":  "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\nearly",
		"HTTP/2":   "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			got := make(chan handed, 1)
			l := startLoop(t, forward.Options{Director: forwardtest.NewDirector(t, scripted(t, "127.0.0.1:0", each(answer))), CleartextHTTP2: true},
				forward.LoopOptions{Threads: 1, Fallback: func(c net.Conn, early []byte) { got <- handed{c, string(early)} }})
			c := connect(t, l)
			say(t, c, ask)
			hear(t, c, len(answer))
			say(t, c, text[:5]) // two pieces, of which the first has to be kept
			say(t, c, text[5:])
			h := <-got
			defer func() { _ = h.c.Close() }()
			if want := text + "more"; want != h.early+hearRest(t, c, h.c, len(want)-len(h.early)) {
				t.Errorf("early %q", h.early)
			}
			say(t, h.c, "answer")
			if got := hear(t, c, 6); got != "answer" {
				t.Errorf("through the connection came %q", got)
			}
			if err := l.Shutdown(t.Context()); err != nil { // counts are shown once per round
				t.Error(err)
			}
			if s := l.Stats(); s.HandedOver != 1 || s.Accepted != 1 || s.Clients != 0 {
				t.Errorf("%+v", s)
			}
		})
	}
}

// hearRest sends "more" on one end and reads n bytes at the other.
func hearRest(t testing.TB, from, to net.Conn, n int) string {
	t.Helper()
	say(t, from, "more")
	return hear(t, to, n)
}

// TestLoopHandsOverAll: from the first byte where it is told so; and once
// somebody was picked whom it does not speak with.
func TestLoopHandsOverAll(t *testing.T) {
	plain := scripted(t, "127.0.0.1:0", each(answer))
	proxied := *plain
	proxied.Proxy = 1
	early := make(chan string, 1)
	fallback := func(c net.Conn, b []byte) {
		early <- string(b)
		_ = c.Close()
	}
	l := startLoop(t, forward.Options{Director: forwardtest.NewDirector(t, &proxied)}, forward.LoopOptions{Threads: 1, Fallback: fallback})
	for _, want := range []string{ask + "GET", ""} {
		c := connect(t, l)
		say(t, c, ask+"GET")
		if got := <-early; got != want {
			t.Errorf("handed over with %q, want %q", got, want)
		}
		rest(t, c)
	}
	m := startLoop(t, forward.Options{Director: forwardtest.NewDirector(t, plain)}, forward.LoopOptions{Threads: 1, Fallback: fallback, HandOver: true})
	connect(t, m)
	if got := <-early; got != "" {
		t.Errorf("handed over with %q", got)
	}
	m.HandOver(false)
	c := connect(t, m)
	say(t, c, ask)
	hear(t, c, len(answer))
}

// TestLoopPushesBack: whoever does not read keeps the other side from writing,
// and nothing is lost.
func TestLoopPushesBack(t *testing.T) {
	const (
		size  = 64 << 20
		begin = "HTTP/1.1 200 OK\r\nContent-Length: 67108864\r\n\r\n"
	)
	var written, read atomic.Int64
	piece := bytes.Repeat([]byte("0123456789abcdef"), 4<<10)
	gate := make(chan struct{})
	up := scripted(t, "127.0.0.1:0", func(c net.Conn) {
		head := heard(c)
		if strings.HasPrefix(head, "POST") {
			<-gate
			n, _ := io.CopyN(&check{piece: piece, n: &read}, c, size)
			if n == size {
				_, _ = io.WriteString(c, answer)
			}
			return
		}
		_, _ = io.WriteString(c, begin)
		for written.Load() < size {
			n, err := c.Write(piece)
			if written.Add(int64(n)); err != nil {
				return
			}
		}
	})
	l := startLoop(t, forward.Options{Director: forwardtest.NewDirector(t, up)}, forward.LoopOptions{Threads: 1})

	down := connect(t, l)
	say(t, down, ask)
	hear(t, down, len(begin))
	steady(t, &written)
	if n := written.Load(); n > size/2 {
		t.Errorf("%d bytes were taken of which nobody has read", n)
	}
	sink := &check{piece: piece, n: &atomic.Int64{}}
	if _, err := io.CopyN(sink, down, size); err != nil || sink.wrong {
		t.Errorf("the answer ends with %v, wrong %v", err, sink.wrong)
	}

	var sent atomic.Int64
	upload := connect(t, l)
	say(t, upload, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 67108864\r\n\r\n")
	go func() {
		for sent.Load() < size {
			n, err := upload.Write(piece)
			if sent.Add(int64(n)); err != nil {
				return
			}
		}
	}()
	steady(t, &sent)
	if n := sent.Load(); n > size/2 {
		t.Errorf("%d bytes were taken which nobody has read", n)
	}
	close(gate)
	if got := hear(t, upload, len(answer)); got != answer {
		t.Errorf("answered %q", got)
	}
}

// check is a writer that compares with a piece over and over.
type check struct {
	piece []byte
	at    int
	n     *atomic.Int64
	wrong bool
}

func (c *check) Write(b []byte) (int, error) {
	for _, x := range b {
		c.wrong = c.wrong || x != c.piece[c.at]
		c.at = (c.at + 1) % len(c.piece)
	}
	c.n.Add(int64(len(b)))
	return len(b), nil
}

// steady waits until a count has risen and then stands for a while.
func steady(t testing.TB, n *atomic.Int64) {
	t.Helper()
	limit := time.Now().Add(patience)
	for last, still := int64(0), 0; still < 20; {
		<-time.After(10 * time.Millisecond)
		switch now := n.Load(); {
		case time.Now().After(limit):
			t.Fatal("the count does not stand still")
		case now == 0 || now != last:
			last, still = now, 0
		default:
			still++
		}
	}
}

// TestLoopBoundsClients: beyond the limit they wait, and come in as others go.
func TestLoopBoundsClients(t *testing.T) {
	l := startLoop(t, forward.Options{Director: forwardtest.NewDirector(t, scripted(t, "127.0.0.1:0", each(answer))), MaxConnections: 2}, forward.LoopOptions{Threads: 1})
	first, second, third := connect(t, l), connect(t, l), connect(t, l)
	for _, c := range []net.Conn{first, second} {
		say(t, c, ask)
		hear(t, c, len(answer))
	}
	say(t, third, ask)
	if err := third.SetReadDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if n, err := third.Read(make([]byte, 1)); n > 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("one client too many got %d bytes, %v", n, err)
	}
	if err := third.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	_ = first.Close()
	hear(t, third, len(answer))
}

// TestLoopDrains: what runs comes to its end, and says that it is the last; who
// is idle is let go, and nobody new comes in.
func TestLoopDrains(t *testing.T) {
	asked, gate := make(chan struct{}), make(chan struct{})
	up := scripted(t, "127.0.0.1:0", func(c net.Conn) {
		heard(c)
		close(asked)
		<-gate
		_, _ = io.WriteString(c, answer)
	})
	l := startLoop(t, forward.Options{Director: forwardtest.NewDirector(t, up)}, forward.LoopOptions{Threads: 2})
	busy, idle := connect(t, l), connect(t, l)
	say(t, busy, ask)
	<-asked
	drained := make(chan error, 1)
	go func() { drained <- l.Shutdown(context.Background()) }()
	if got := rest(t, idle); got != "" {
		t.Errorf("an idle connection got %q", got)
	}
	select {
	case err := <-drained:
		t.Fatalf("the loop has ended with an exchange under way: %v", err)
	default:
	}
	close(gate)
	if got := rest(t, busy); !strings.HasSuffix(got, "ok") || !strings.Contains(got, "\r\nConnection: close\r\n") {
		t.Errorf("the last answer is %q", got)
	}
	if err := <-drained; err != nil {
		t.Error(err)
	}
	if c, err := net.Dial("tcp", l.Address().String()); err == nil {
		_ = c.Close()
		t.Error("a new client came in")
	}
}

// TestLoopStops: where draining takes too long, what is left is closed, and its
// exchanges end.
func TestLoopStops(t *testing.T) {
	asked := make(chan struct{})
	gate := make(chan struct{})
	defer close(gate)
	up := scripted(t, "127.0.0.1:0", func(c net.Conn) {
		heard(c)
		close(asked)
		<-gate
	})
	d := forwardtest.NewDirector(t, up)
	l := startLoop(t, forward.Options{Director: d}, forward.LoopOptions{Threads: 2})
	c := connect(t, l)
	say(t, c, ask)
	<-asked
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := l.Shutdown(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("stopping ends with %v", err)
	}
	rest(t, c)
	d.Settled(t)
	if n := d.Count(forward.Abandoned); n != 1 {
		t.Errorf("%d attempts were abandoned, not 1", n)
	}
	if err := l.Shutdown(t.Context()); err != nil {
		t.Errorf("once more: %v", err)
	}
}

// TestLoopThatNeverServed lets go of its port.
func TestLoopThatNeverServed(t *testing.T) {
	l, err := forward.NewLoop(forward.Options{Director: forwardtest.NewDirector(t)},
		forward.LoopOptions{Address: netip.MustParseAddrPort("127.0.0.1:0"), Fallback: func(net.Conn, []byte) {}})
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	l.Serve()
	if _, err := net.Dial("tcp", l.Address().String()); err == nil {
		t.Error("it still listens")
	}
}

// TestLoopAllocatesNothing: a request on connections that are there costs no
// allocation, with 16 KiB of answer as with none, nor does telling the time that
// is left.
func TestLoopAllocatesNothing(t *testing.T) {
	rounds := 10_000
	if testing.Short() {
		rounds = 2_000
	}
	for name, body := range map[string]int{"small": 100, "large": 16 << 10, "timed": 100} {
		t.Run(name, func(t *testing.T) {
			text := []byte("HTTP/1.1 200 OK\r\nServer: up\r\nContent-Type: text/plain\r\nContent-Length: " + strconv.Itoa(body) + "\r\n\r\n" + strings.Repeat("x", body))
			up := scripted(t, "127.0.0.1:0", func(c net.Conn) {
				b := make([]byte, 4<<10)
				for {
					if _, err := c.Read(b); err != nil {
						return
					}
					if _, err := c.Write(text); err != nil {
						return
					}
				}
			})
			l := startLoop(t, forward.Options{Director: &steadfast{up, name == "timed"}}, forward.LoopOptions{Threads: 1})
			c := connect(t, l)
			request := []byte("GET /a/b?c=d HTTP/1.1\r\nHost: example.test\r\nUser-Agent: test\r\nAccept: */*\r\nCookie: a=b\r\n\r\n")
			b := make([]byte, len(text))
			exchange := func() {
				if _, err := c.Write(request); err != nil {
					t.Fatal(err)
				}
				if _, err := io.ReadFull(c, b); err != nil {
					t.Fatal(err)
				}
			}
			for range 100 { // buffers grow to what they are
				exchange()
			}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			for range rounds {
				exchange()
			}
			runtime.ReadMemStats(&after)
			if n := after.Mallocs - before.Mallocs; n > uint64(rounds/100) {
				t.Errorf("%d allocations in %d requests", n, rounds)
			}
			if s := l.Stats(); s.Requests < int64(rounds) || s.Dialed != 1 {
				t.Errorf("%+v", s)
			}
		})
	}
}

// steadfast is a Director that looks at each request and knows one upstream.
type steadfast struct {
	up    *forward.Upstream
	timed bool
}

func (d *steadfast) Begin(x *forward.Exchange) *forward.Refusal {
	if x.Facts.Header("Cookie") != "a=b" || x.Facts.Header("none") != "" || x.Facts.Target() != "/a/b?c=d" || !x.Facts.Client().IsLoopback() {
		return forward.Nobody()
	}
	if d.timed {
		x.TimeoutField, x.Deadline = "X-Request-Timeout", x.Begun+time.Hour
	}
	return nil
}

func (d *steadfast) Pick(x *forward.Exchange) *forward.Upstream {
	x.Tried[x.Attempts] = d.up
	x.Attempts++
	return d.up
}

func (*steadfast) Done(*forward.Exchange, *forward.Upstream, forward.Result) {}
func (*steadfast) Retry(*forward.Exchange, forward.Result) bool              { return false }
func (*steadfast) Hedge(*forward.Exchange) time.Duration                     { return 0 }
func (*steadfast) End(*forward.Exchange)                                     {}
