package forward_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/polymath-run/polymath/internal/balance/forward"
	"github.com/polymath-run/polymath/internal/balance/forward/forwardtest"
)

// gated answers when its gate is closed, and tells when it is asked.
func gated() (h http.HandlerFunc, asked, gate chan struct{}) {
	asked, gate = make(chan struct{}, 16), make(chan struct{})
	return func(w http.ResponseWriter, q *http.Request) {
		asked <- struct{}{}
		select {
		case <-gate:
		case <-q.Context().Done():
		}
		_, _ = io.WriteString(w, "late answer")
	}, asked, gate
}

// A drain ends idle connections at once and lets the others finish what they
// have; then nobody is left (W12, L6).
func TestDrain(t *testing.T) {
	h, asked, gate := gated()
	f, address := newFront(t, forward.Options{Director: forwardtest.NewDirector(t, handled(t, h))})
	_, fresh := dialFront(t, address)
	busy, r := dialFront(t, address)
	tell(t, busy, plainGet)
	<-asked
	f.Drain()
	mustEnd(t, fresh)
	if c, err := net.Dial("tcp", address.String()); err == nil {
		_ = c.Close()
		t.Error("a connection is taken while the front drains")
	}
	close(gate)
	a, body := readWhole(t, r)
	if string(body) != "late answer" || !a.Close {
		t.Errorf("%q, closing %v", body, a.Close)
	}
	mustEnd(t, r)
	ctx, cancel := context.WithTimeout(t.Context(), wait)
	defer cancel()
	if err := f.Shutdown(ctx); err != nil {
		t.Error(err)
	}
}

// A shutdown whose time is over ends what is left, and says so.
func TestShutdownInTime(t *testing.T) {
	h, asked, gate := gated()
	defer close(gate)
	director := forwardtest.NewDirector(t, handled(t, h))
	f, address := newFront(t, forward.Options{Director: director})
	busy, r := dialFront(t, address)
	tell(t, busy, plainGet)
	<-asked
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := f.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Shutdown: %v", err)
	}
	mustEnd(t, r)
	director.Settled(t)
	if n := director.Count(forward.Abandoned); n != 1 {
		t.Errorf("%d attempts were abandoned, not 1", n)
	}
}

// The deadline Begin sets is kept, whatever the timeouts are.
func TestDeadline(t *testing.T) {
	h, _, gate := gated()
	defer close(gate)
	director := forwardtest.NewDirector(t, handled(t, h))
	director.Refuse = func(x *forward.Exchange) *forward.Refusal {
		x.Deadline = x.Begun + 150*time.Millisecond
		return nil
	}
	director.Again = func(*forward.Exchange, forward.Result) bool { return true }
	c, r := dialFront(t, startFront(t, forward.Options{Director: director}))
	begun := time.Now()
	tell(t, c, plainGet)
	a, body := readWhole(t, r)
	if a.StatusCode != http.StatusGatewayTimeout || !strings.Contains(string(body), "deadline") {
		t.Errorf("answered %d %s", a.StatusCode, body)
	}
	if took := time.Since(begun); took < 150*time.Millisecond || took > wait/2 {
		t.Errorf("it took %v", took)
	}
	director.Settled(t)
	if n := director.Count(forward.Late); n != 1 {
		t.Errorf("%d attempts were late, not 1", n)
	}
}

// A request is told again whole or not at all: of a body that is longer than
// MaxReplay nobody asks whether to try again (D5).
func TestReplay(t *testing.T) {
	var got atomic.Pointer[[]byte]
	good := handled(t, func(w http.ResponseWriter, q *http.Request) {
		body, err := io.ReadAll(q.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		got.Store(&body)
		_, _ = io.WriteString(w, "ok")
	})
	breaks := handled(t, func(_ http.ResponseWriter, q *http.Request) {
		_, _ = io.Copy(io.Discard, q.Body)
		panic(http.ErrAbortHandler) // the connection ends
	})
	for _, chunked := range []bool{false, true} {
		for _, size := range []int{0, 1, 1_000, 40_000, forward.MaxReplay - 4_000, forward.MaxReplay, 1 << 20} {
			director := forwardtest.NewDirector(t, good, breaks) // the second is taken first
			asked := 0
			director.Again = func(x *forward.Exchange, _ forward.Result) bool {
				asked++
				return x.Again
			}
			c, r := dialFront(t, startFront(t, forward.Options{Director: director}))
			body := bytes.Repeat([]byte("b"), size)
			text := fmt.Sprintf("POST / HTTP/1.1\r\nHost: a\r\nIdempotency-Key: k\r\nContent-Length: %d\r\n\r\n%s", size, body)
			if chunked {
				framed := fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", size, body)
				if size == 0 {
					framed = "0\r\n\r\n"
				}
				text = "POST / HTTP/1.1\r\nHost: a\r\nIdempotency-Key: k\r\nTransfer-Encoding: chunked\r\n\r\n" + framed
			}
			// The head comes alone: the body is carried, not only sent.
			head := strings.Index(text, "\r\n\r\n") + 4
			tell(t, c, text[:head])
			go func() { _, _ = io.WriteString(c, text[head:]) }()
			a, answered := readWhole(t, r)
			director.Settled(t)
			if size >= forward.MaxReplay {
				if a.StatusCode != http.StatusBadGateway || asked != 0 {
					t.Errorf("%d bytes: answered %d, asked %d times to try again", size, a.StatusCode, asked)
				}
				continue
			}
			if a.StatusCode != http.StatusOK || asked != 1 {
				t.Errorf("%d bytes: answered %d %s, asked %d times to try again", size, a.StatusCode, answered, asked)
			} else if !bytes.Equal(*got.Load(), body) {
				t.Errorf("%d bytes: the second upstream got %d", size, len(*got.Load()))
			}
		}
	}
}

// A stream of HTTP/2 that its client ends is abandoned, and the upstream is let
// go.
func TestStreamAborted(t *testing.T) {
	h, asked, gate := gated()
	defer close(gate)
	left := make(chan struct{})
	director := forwardtest.NewDirector(t, handled(t, func(w http.ResponseWriter, q *http.Request) {
		h(w, q)
		close(left)
	}))
	id := forwardtest.NewIdentity(t)
	address := startFront(t, forward.Options{Director: director, TLS: id.Server()})
	transport := &http.Transport{TLSClientConfig: id.Client(), ForceAttemptHTTP2: true}
	defer transport.CloseIdleConnections()
	ctx, cancel := context.WithCancel(t.Context())
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+address.String(), http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		<-asked
		cancel()
	}()
	if a, err := transport.RoundTrip(q); err == nil {
		a.Body.Close()
		t.Fatalf("answered %s", a.Status)
	}
	director.Over(t, 1)
	if n := director.Count(forward.Abandoned); n != 1 {
		t.Errorf("%d attempts were abandoned, not 1", n)
	}
	select {
	case <-left:
	case <-time.After(wait):
		t.Error("the upstream still works for nobody")
	}
}

// Upstream connections nobody needs are closed, and no more are kept than may
// be.
func TestIdleUpstreams(t *testing.T) {
	var open atomic.Int64
	closed := make(chan struct{}, 64)
	h := func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "x") }
	s := &http.Server{Handler: http.HandlerFunc(h), ReadHeaderTimeout: wait, ConnState: func(_ net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			open.Add(1)
		case http.StateClosed:
			open.Add(-1)
			closed <- struct{}{}
		}
	}}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = s.Serve(l) }()
	defer s.Close()
	u := &forward.Upstream{Name: "up", Address: l.Addr().(*net.TCPAddr).AddrPort()}
	address := startFront(t, forward.Options{
		Director: forwardtest.NewDirector(t, u), MaxIdle: 2, Timeouts: forward.Timeouts{Idle: 200 * time.Millisecond},
	})
	const clients = 5
	var readers [clients]*bufio.Reader
	for i := range readers {
		c, r := dialFront(t, address)
		tell(t, c, plainGet)
		readers[i] = r
	}
	for _, r := range readers {
		readWhole(t, r)
	}
	for open.Load() > 0 {
		select {
		case <-closed:
		case <-time.After(wait):
			t.Fatalf("%d connections to the upstream are still open", open.Load())
		}
	}
}

// A client that does not read is let go, and so is its upstream.
func TestWriteTimeout(t *testing.T) {
	director := forwardtest.NewDirector(t, handled(t, func(w http.ResponseWriter, _ *http.Request) {
		for range 1_000 {
			if _, err := w.Write(make([]byte, 64<<10)); err != nil {
				return
			}
		}
	}))
	c, _ := dialFront(t, startFront(t, forward.Options{Director: director, Timeouts: forward.Timeouts{Write: 100 * time.Millisecond}}))
	tell(t, c, plainGet)
	director.Over(t, 1)
	if n := director.Count(forward.Abandoned); n != 1 {
		t.Errorf("%d attempts were abandoned, not 1", n)
	}
}

// An upstream that takes a connection and says nothing of TLS is not reached.
func TestConnectTimeout(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	id := forwardtest.NewIdentity(t)
	u := &forward.Upstream{Name: "mute", Address: l.Addr().(*net.TCPAddr).AddrPort(), TLS: id.Client()}
	director := forwardtest.NewDirector(t, u)
	c, r := dialFront(t, startFront(t, forward.Options{Director: director, Timeouts: forward.Timeouts{Connect: 50 * time.Millisecond}}))
	tell(t, c, plainGet)
	if a, _ := readWhole(t, r); a.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("answered %d", a.StatusCode)
	}
	director.Settled(t)
	if n := director.Count(forward.Unreached); n != 1 {
		t.Errorf("%d attempts reached nobody, not 1", n)
	}
}

// An upstream under another name than the client's is asked by that name; the
// client's name is told beside it.
func TestUpstreamHost(t *testing.T) {
	u := handled(t, tellsHeader)
	u.Host = "inner.test:81"
	c, r := dialFront(t, startFront(t, forward.Options{Director: forwardtest.NewDirector(t, u)}))
	tell(t, c, plainGet)
	_, body := readWhole(t, r)
	if text := string(body); !strings.Contains(text, `"host":"inner.test:81"`) || !strings.Contains(text, `"X-Forwarded-Host":["example.test"]`) {
		t.Errorf("the upstream is told %s", text)
	}
}
