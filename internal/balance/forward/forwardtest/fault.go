package forwardtest

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/polymath-run/polymath/internal/balance/forward"
)

// cut ends answers in the middle: the client must be able to tell.
func (s *suite) cut(t *testing.T) {
	c := s.client()
	defer c.Close()
	for _, framing := range []Framing{ByLength, ByChunks} {
		for _, at := range []int{1, 1_000, 60_000} {
			e := get("cut", func(e *Exchange) {
				e.Answer.Framing, e.Answer.Body, e.Answer.Cut = framing, bytes.Repeat([]byte("x"), 100_000), at
			})
			before := s.director.Count(forward.Cut)
			told, _, err := ask(c, s.server, e, "cut")
			if err != nil {
				t.Errorf("framing %d cut at %d: %v", framing, at, err)
				continue
			}
			if !told.Cut {
				t.Errorf("framing %d cut at %d: the client got %d %s and took it for whole", framing, at, told.Status, clip(told.Body))
			}
			s.director.Settled(t)
			if n := s.director.Count(forward.Cut) - before; n != 1 {
				t.Errorf("framing %d cut at %d: %d attempts were cut", framing, at, n)
			}
		}
	}
}

// closedPort is an address where nobody listens.
func closedPort(t testing.TB) netip.AddrPort {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).AddrPort()
}

// nobody is an upstream at an address where nobody listens.
func (s *suite) nobody(t testing.TB) *forward.Upstream {
	u := *s.server.Upstream
	u.Address = closedPort(t)
	u.Name = "http://" + u.Address.String()
	return &u
}

// faults are answers that are none: the client is told in words.
func (s *suite) faults(t *testing.T) {
	c := s.client()
	defer c.Close()
	if !s.path.http2Behind() {
		for name, raw := range map[string]string{
			"nothing":         "\r\n",
			"no HTTP":         "SSH-2.0-OpenSSH_9.2\r\n\r\n",
			"half a head":     "HTTP/1.1 200 OK\r\nContent-Le",
			"two lengths":     "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
			"CL and TE":       "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
			"fold":            "HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 0\r\n\r\n",
			"bare LF":         "HTTP/1.1 200 OK\nContent-Length: 0\n\n",
			"NUL":             "HTTP/1.1 200 OK\r\nX: \x00\r\nContent-Length: 0\r\n\r\n",
			"another coding":  "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nx",
			"status":          "HTTP/1.1 99 OK\r\n\r\n",
			"version":         "HTTP/3.0 200 OK\r\n\r\n",
			"endless interim": strings.Repeat("HTTP/1.1 103 Early Hints\r\n\r\n", 100),
			"large head":      "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 100_000) + "\r\n\r\n",
			"switch unasked":  "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n",
		} {
			e := get(name, func(e *Exchange) { e.Answer.Raw = raw })
			told, _, err := ask(c, s.server, e, "fault")
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			checkProblem(t, name, told, http.StatusBadGateway)
		}
		s.director.Settled(t)
	}
	n := s.other(t, forward.Options{}, s.nobody(t))
	c2 := n.client()
	defer c2.Close()
	for range 3 { // the client's connection lasts
		e := post("unreached", []byte("hello"), ByLength, asIs)
		told, err := c2.Do(e, "unreached")
		if err != nil {
			t.Fatal(err)
		}
		checkProblem(t, "unreached", told, http.StatusServiceUnavailable)
	}
	n.director.Settled(t)
	if got := n.director.Count(forward.Unreached); got != 3 {
		t.Errorf("%d attempts reached nobody, not 3", got)
	}
	n.director.Upstreams = nil
	told, err := c2.Do(get("nobody", asIs), "nobody")
	if err != nil {
		t.Fatal(err)
	}
	checkProblem(t, "nobody", told, http.StatusServiceUnavailable)
	n.director.Settled(t)
}

// checkProblem holds an answer to be the balancer's own, with a problem.
func checkProblem(t testing.TB, name string, told *Told, status int) {
	t.Helper()
	if told.Status != status || told.Fields.Get("Content-Type") != "application/problem+json" ||
		!bytes.Contains(told.Body, []byte("urn:polymath:problem:")) {
		t.Errorf("%s: answered %d %v %s, not %d with a problem", name, told.Status, told.Fields, clip(told.Body), status)
	}
}

// refusal lets the Director turn requests away, and add fields to answers.
func (s *suite) refusal(t *testing.T) {
	n := s.other(t, forward.Options{}, s.server.Upstream)
	n.director.Refuse = func(x *forward.Exchange) *forward.Refusal {
		x.Fields = append(x.Fields, "X-Added: 1\r\nX-Added-2: 2\r\n"...)
		if x.Facts.Header("x-refuse") == "" {
			return nil
		}
		return &forward.Refusal{Status: 429, Header: "Retry-After: 7\r\n", Title: "too many", Detail: "later"}
	}
	c := n.client()
	defer c.Close()
	for i, body := range [][]byte{nil, []byte("hello"), bytes.Repeat([]byte("x"), 100_000), bytes.Repeat([]byte("y"), 4<<20), nil} {
		e := post("refused", body, ByLength, func(e *Exchange) { e.Fields = []Field{{"X-Refuse", "1"}} })
		told, err := c.Do(e, "refused")
		if err != nil {
			t.Fatalf("refusal %d: %v", i, err)
		}
		checkProblem(t, fmt.Sprintf("refusal %d", i), told, 429)
		if told.Fields.Get("Retry-After") != "7" || !bytes.Contains(told.Body, []byte("rate_limited")) || !bytes.Contains(told.Body, []byte("later")) {
			t.Errorf("refusal %d: %v %s", i, told.Fields, clip(told.Body))
		}
		told, _, err = ask(c, s.server, get("not refused", asIs), fmt.Sprintf("let-%d", i))
		if err != nil {
			t.Fatalf("after refusal %d: %v", i, err)
		}
		if told.Fields.Get("X-Added") != "1" || told.Fields.Get("X-Added-2") != "2" {
			t.Errorf("the Director's fields are not in the answer: %v", told.Fields)
		}
	}
	told, err := c.Do(get("refused HEAD", func(e *Exchange) { e.Method, e.Fields = "HEAD", []Field{{"X-Refuse", "1"}} }), "refused")
	if err != nil || told.Status != 429 || len(told.Body) != 0 {
		t.Errorf("a refused HEAD: %+v, %v", told, err)
	}
	if _, _, err := ask(c, s.server, get("behind a refused HEAD", asIs), "behind"); err != nil {
		t.Errorf("behind a refused HEAD: %v", err)
	}
	n.director.Settled(t)
}

// retry lets a second upstream answer what the first did not.
func (s *suite) retry(t *testing.T) {
	n := s.other(t, forward.Options{}, s.server.Upstream, s.nobody(t))
	n.director.Again = func(x *forward.Exchange, r forward.Result) bool { return r.Kind == forward.Unreached || x.Again }
	c := n.client()
	defer c.Close()
	for i := range 20 {
		e := get("retried", asIs)
		if i%2 == 1 {
			e = post("retried", bytes.Repeat([]byte("b"), i*1_000), []Framing{ByLength, ByChunks}[i/2%2], asIs)
		}
		told, seen, err := ask(c, s.server, e, fmt.Sprintf("retry-%d", i))
		if err != nil {
			t.Fatal(err)
		}
		if told.Status != 200 || !bytes.Equal(seen.Body, e.Body) {
			t.Errorf("answered %d %s, the upstream got %s", told.Status, clip(told.Body), clip(seen.Body))
		}
	}
	n.director.Settled(t)
	if n.director.Count(forward.Unreached) == 0 {
		t.Error("nobody was unreached: the test proves nothing")
	}
	if s.path.http2Behind() {
		return
	}
	// An upstream that ends its connection in place of an answer.
	m := s.other(t, forward.Options{}, s.server.Upstream)
	var asked []bool
	m.director.Again = func(x *forward.Exchange, _ forward.Result) bool {
		asked = append(asked, x.Again)
		return x.Again && x.Attempts < 3
	}
	c2 := m.client()
	defer c2.Close()
	told, err := c2.Do(s.breaking(t, "GET"), "breaks")
	if err != nil {
		t.Fatal(err)
	}
	checkProblem(t, "every attempt breaks", told, http.StatusBadGateway)
	if told, err = c2.Do(s.breaking(t, "POST"), "breaks"); err != nil {
		t.Fatal(err)
	}
	checkProblem(t, "a POST breaks", told, http.StatusBadGateway)
	m.director.Settled(t)
	if len(asked) != 4 || m.director.Count(forward.Broken) != 4 {
		t.Errorf("asked %v times whether to try again, %d attempts broke; want 4 and 4", asked, m.director.Count(forward.Broken))
	}
}

// breaking is an exchange whose answer is the end of the connection.
func (s *suite) breaking(t *testing.T, method string) *Exchange {
	e := get("breaks", func(e *Exchange) {
		e.Method, e.Answer.Raw = method, "HTTP/1.1 2"
		if method == "POST" {
			e.Framing, e.Body = ByLength, []byte("hello")
		}
	})
	s.server.expect("breaks", e)
	t.Cleanup(func() { s.server.forget("breaks") })
	return e
}

// hedge asks a second upstream where the first takes long.
func (s *suite) hedge(t *testing.T) {
	slow, fast := NewServer(t, s.path.Behind, s.id), s.server
	n := s.other(t, forward.Options{}, fast.Upstream, slow.Upstream) // the second is taken first
	n.director.After = func(*forward.Exchange) time.Duration { return 20 * time.Millisecond }
	c := n.client()
	defer c.Close()
	for i := range 4 {
		n.director.turn.Store(0)
		id := fmt.Sprintf("hedge-%d", i)
		held := get(id, func(e *Exchange) { e.Answer.Gate = make(chan struct{}) })
		slow.expect(id, held)
		told, _, err := ask(c, fast, get(id, asIs), id)
		if err != nil {
			t.Fatal(err)
		}
		if told.Status != 200 || string(told.Body) != "answer" {
			t.Errorf("answered %d %s", told.Status, clip(told.Body))
		}
		n.director.Settled(t)
		close(held.Answer.Gate)
		slow.forget(id)
		if got := n.director.Count(forward.Abandoned); got != i+1 {
			t.Fatalf("%d attempts were abandoned, not %d", got, i+1)
		}
	}
	n.director.turn.Store(0)
	quick := get("quick", asIs)
	slow.expect("quick", quick)
	fast.expect("quick", quick) // where the machine is slower than the hedge
	if told, err := c.Do(quick, "quick"); err != nil || told.Status != 200 {
		t.Errorf("the first answers in time: %+v, %v", told, err)
	}
	n.director.Settled(t)
	if got := n.director.Count(forward.Answered); got != 5 {
		t.Errorf("%d attempts were answered, not 5", got)
	}
}

// abort leaves in the middle: the exchange ends, and the upstream is let go.
func (s *suite) abort(t *testing.T) {
	n := s.other(t, forward.Options{}, s.server.Upstream)
	if s.path.HTTP2 {
		return // a stream's end: see the front's own tests
	}
	e := get("abort", func(e *Exchange) { e.Answer.Gate = make(chan struct{}) })
	defer close(e.Answer.Gate)
	run := s.server.expect("abort", e)
	defer s.server.forget("abort")
	c, _ := n.dial(t)
	say(t, c, e.request("abort"))
	<-run.seen
	reset(t, c)
	n.director.Over(t, 1)
	if got := n.director.Count(forward.Abandoned); got != 1 {
		t.Errorf("%d attempts were abandoned, not 1", got)
	}
	large := get("abort a large answer", func(e *Exchange) { e.Answer.Body = bytes.Repeat([]byte("x"), 32<<20) })
	s.server.expect("large", large)
	defer s.server.forget("large")
	c, r := n.dial(t)
	say(t, c, large.request("large"))
	if _, err := r.ReadByte(); err != nil {
		t.Fatal(err)
	}
	reset(t, c)
	n.director.Over(t, 2)
	c, _ = n.dial(t)
	body := post("abort a body", bytes.Repeat([]byte("x"), 1<<20), ByLength, asIs)
	s.server.expect("body", body)
	defer s.server.forget("body")
	say(t, c, body.request("body")[:1<<19])
	reset(t, c)
	n.director.Over(t, 3)
	if got := n.director.Count(forward.Abandoned); got != 3 {
		t.Errorf("%d attempts were abandoned, not 3", got)
	}
}

// reset ends a connection without a word.
func reset(t testing.TB, c net.Conn) {
	t.Helper()
	inner := c
	if s, ok := c.(interface{ NetConn() net.Conn }); ok {
		inner = s.NetConn()
	}
	if err := inner.(*net.TCPConn).SetLinger(0); err != nil {
		t.Fatal(err)
	}
	_ = inner.Close()
}
