package forwardtest

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/polymath-run/polymath/internal/balance/forward"
	"github.com/polymath-run/polymath/internal/balance/http1"
)

// dial connects to the path as HTTP/1.
func (s *suite) dial(t testing.TB) (net.Conn, *bufio.Reader) {
	t.Helper()
	c, err := Dial(s.address, s.clientConf("http/1.1"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c, bufio.NewReaderSize(c, 64<<10)
}

// say writes, and fails the test where that is not possible.
func say(t testing.TB, c io.Writer, text []byte) {
	t.Helper()
	if _, err := c.Write(text); err != nil {
		t.Fatalf("write: %v", err)
	}
}

// hear reads one answer.
func hear(t testing.TB, r *bufio.Reader, method string) (told *Told, ends bool) {
	t.Helper()
	told, ends, err := readAnswer(r, method)
	if err != nil {
		t.Fatal(err)
	}
	return told, ends
}

// ended holds that a connection ends, without a further byte.
func ended(t testing.TB, r *bufio.Reader) {
	t.Helper()
	b, err := r.ReadByte()
	if err == nil {
		t.Errorf("%q comes where the connection should end", b)
	} else if !errors.Is(err, io.EOF) && !isReset(err) {
		t.Errorf("the connection does not end: %v", err)
	}
}

// largeHead sends heads of more than the limit.
func (s *suite) largeHead(t *testing.T) {
	for name, text := range map[string]string{
		"one field":    "GET / HTTP/1.1\r\nHost: a\r\nX: " + strings.Repeat("x", http1.MaxHead) + "\r\n\r\n",
		"many fields":  "GET / HTTP/1.1\r\nHost: a\r\n" + strings.Repeat("X-Field: value\r\n", http1.MaxHead/16) + "\r\n",
		"without end":  "GET / HTTP/1.1\r\nHost: a\r\n" + strings.Repeat("X-Field: value\r\n", http1.MaxHead/8),
		"short fields": "GET / HTTP/1.1\r\nHost: a\r\n" + strings.Repeat("a:\r\n", http1.MaxHead/4+1) + "\r\n",
	} {
		answer, err := Raw(s.address, s.clientConf("http/1.1"), []byte(text), false)
		if err != nil && !isReset(err) {
			t.Errorf("%s: %v", name, err)
		}
		checkRefusal(t, name, answer, http.StatusRequestHeaderFieldsTooLarge)
	}
	answer, err := Raw(s.address, s.clientConf("http/1.1"), []byte("GET /"+strings.Repeat("x", http1.MaxHead)), false)
	if err != nil && !isReset(err) {
		t.Errorf("a long line: %v", err)
	}
	checkRefusal(t, "a long line", answer, http.StatusRequestURITooLong)
	s.director.Settled(t)
}

// pipelined sends many requests before it reads the first answer.
func (s *suite) pipelined(t *testing.T) {
	exchanges := []*Exchange{
		get("1", asIs), post("2", []byte("hello"), ByLength, asIs), post("3", []byte("chunked"), ByChunks, asIs),
		get("4", func(e *Exchange) { e.Method = "HEAD" }), get("5", func(e *Exchange) { e.Answer.Framing = ByChunks }),
		get("6", func(e *Exchange) { e.Answer.Status, e.Answer.Framing, e.Answer.Body = 204, Bare, nil }),
		post("7", bytes.Repeat([]byte("large"), 20_000), ByLength, asIs), get("8", func(e *Exchange) { e.Answer.Body = bytes.Repeat([]byte("x"), 100_000) }),
		get("9", func(e *Exchange) { e.Answer.Leave = true }), // the upstream's connection ends, not the client's
	}
	var text []byte
	for round := range 4 {
		for i, e := range exchanges {
			id := fmt.Sprintf("pipe-%d-%d", round, i)
			s.server.expect(id, e)
			defer s.server.forget(id)
			text = append(text, e.request(id)...)
		}
	}
	last := get("last", func(e *Exchange) { e.Fields = []Field{{"Connection", "close"}} })
	s.server.expect("pipe-last", last)
	defer s.server.forget("pipe-last")
	text = append(text, last.request("pipe-last")...)

	c, r := s.dial(t)
	go func() { _, _ = c.Write(text) }()
	for round := range 4 {
		for i, e := range exchanges {
			told, ends := hear(t, r, e.Method)
			want := e.Answer.Body
			if e.bodiless() {
				want = nil
			}
			if told.Status != e.Answer.Status || !bytes.Equal(told.Body, want) || ends {
				t.Fatalf("round %d answer %d: %d %s, ends %v; not %d %s", round, i, told.Status, clip(told.Body), ends, e.Answer.Status, clip(want))
			}
		}
	}
	if _, ends := hear(t, r, "GET"); !ends {
		t.Error("the last answer does not say that the connection ends")
	}
	ended(t, r)
}

// reused holds that connections last, on both sides.
func (s *suite) reused(t *testing.T) {
	n := s.other(t, forward.Options{}, s.server.Upstream)
	before := s.server.Accepted.Load()
	c := n.client().(*client1)
	defer c.Close()
	for i := range 100 {
		e := get("reused", asIs)
		switch i % 4 {
		case 1:
			e = post("reused", []byte("hello"), ByChunks, asIs)
		case 2:
			e.Answer.Framing = ByChunks
		case 3:
			e.Method = "HEAD"
		}
		if _, _, err := ask(c, s.server, e, fmt.Sprintf("reused-%d", i)); err != nil {
			t.Fatal(err)
		}
	}
	if c.dialed != 1 {
		t.Errorf("the client needed %d connections", c.dialed)
	}
	if made := s.server.Accepted.Load() - before; made != 1 {
		t.Errorf("the upstream got %d connections", made)
	}
}

// halfClosed ends the client's side behind the request: the answer comes all
// the same.
func (s *suite) halfClosed(t *testing.T) {
	for _, e := range []*Exchange{
		get("half", asIs), post("half with a body", []byte("hello"), ByLength, asIs), post("half with chunks", []byte("hello"), ByChunks, asIs),
		get("half, large", func(e *Exchange) { e.Answer.Body = bytes.Repeat([]byte("x"), 1<<20) }),
	} {
		s.server.expect("half", e)
		answer, err := Raw(s.address, s.clientConf("http/1.1"), e.request("half"), true)
		s.server.forget("half")
		if err != nil || !bytes.HasPrefix(answer, []byte("HTTP/1.1 200")) || !bytes.HasSuffix(answer, e.Answer.Body) {
			t.Errorf("%s: %v, %s", e.Name, err, clip(answer))
		}
	}
	gated := get("half, slow", func(e *Exchange) { e.Answer.Gate = make(chan struct{}) })
	run := s.server.expect("half", gated)
	defer s.server.forget("half")
	c, r := s.dial(t)
	say(t, c, gated.request("half"))
	<-run.seen
	if err := c.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	close(gated.Answer.Gate)
	if told, _ := hear(t, r, "GET"); told.Status != 200 || string(told.Body) != "answer" {
		t.Errorf("half, slow: %d %s", told.Status, clip(told.Body))
	}
	for _, text := range []string{"GET / HT", "POST / HTTP/1.1\r\nHost: a\r\nX-Case: none\r\nContent-Length: 10\r\n\r\nabc"} {
		answer, err := Raw(s.address, s.clientConf("http/1.1"), []byte(text), true)
		if err != nil && !isReset(err) {
			t.Errorf("half a request: the connection does not end: %v", err)
		}
		if bytes.HasPrefix(answer, []byte("HTTP/1.1 2")) {
			t.Errorf("half a request is answered: %s", clip(answer))
		}
	}
	s.director.Settled(t)
}

// waitsForContinue sends its body only when told to.
func (s *suite) waitsForContinue(t *testing.T) {
	for _, framing := range []Framing{ByLength, ByChunks} {
		e := post("continue", []byte("the body"), framing, func(e *Exchange) {
			e.Fields = []Field{{"Expect", "100-continue"}}
			e.Answer.Interim = []Interim{{Status: 100}}
		})
		run := s.server.expect("continue", e)
		text := e.request("continue")
		head := bytes.Index(text, []byte("\r\n\r\n")) + 4
		c, r := s.dial(t)
		say(t, c, text[:head])
		line, err := r.ReadString('\n')
		if err != nil || !strings.HasPrefix(line, "HTTP/1.1 100") {
			t.Fatalf("%q, %v", line, err)
		}
		if empty, err := r.ReadString('\n'); err != nil || strings.TrimSpace(empty) != "" {
			t.Fatalf("behind 100: %q, %v", empty, err)
		}
		say(t, c, text[head:])
		if told, _ := hear(t, r, "POST"); told.Status != 200 {
			t.Errorf("answered %d", told.Status)
		}
		if seen := <-run.seen; string(seen.Body) != "the body" {
			t.Errorf("the upstream got %s", clip(seen.Body))
		}
		s.server.forget("continue")
	}
	refused := post("no continue", []byte("the body"), ByLength, func(e *Exchange) {
		e.Fields = []Field{{"Expect", "100-continue"}}
		e.Answer.Early, e.Answer.Leave, e.Answer.Status = true, true, 417
	})
	s.server.expect("continue", refused)
	defer s.server.forget("continue")
	text := refused.request("continue")
	c, r := s.dial(t)
	say(t, c, text[:bytes.Index(text, []byte("\r\n\r\n"))+4])
	told, ends := hear(t, r, "POST")
	if told.Status != 417 || !ends {
		t.Errorf("answered %d, ends %v", told.Status, ends)
	}
	ended(t, r)
}

// upgrade opens tunnels, with bytes that are sent before they are.
func (s *suite) upgrade(t *testing.T) {
	ask := []Field{{"Connection", "Upgrade"}, {"Upgrade", "websocket"}, {"Sec-WebSocket-Key", "x3JJHMbDL1EzLkh9GBhXDw=="}}
	e := get("upgrade", func(e *Exchange) {
		e.Fields = ask
		e.Answer = Answer{Status: 101, Fields: ask[:2], Body: []byte("early")}
	})
	s.server.expect("upgrade", e)
	defer s.server.forget("upgrade")

	c, r := s.dial(t)
	say(t, c, append(e.request("upgrade"), "abc"...)) // before the 101
	told, _ := hear(t, r, "GET")
	if told.Status != 101 || told.Fields.Get("Upgrade") != "websocket" || !strings.EqualFold(told.Fields.Get("Connection"), "upgrade") {
		t.Fatalf("answered %d %v", told.Status, told.Fields)
	}
	listen := func(want string) {
		t.Helper()
		got := make([]byte, len(want))
		if _, err := io.ReadFull(r, got); err != nil || string(got) != want {
			t.Fatalf("through the tunnel came %q, %v; not %q", got, err, want)
		}
	}
	listen("earlyABC")
	say(t, c, []byte("def"))
	listen("DEF")
	large := bytes.Repeat([]byte("g"), 50_000)
	go func() { _, _ = c.Write(large) }()
	listen(strings.Repeat("G", len(large)))
	say(t, c, []byte(".")) // the upstream ends it
	ended(t, r)
	_ = c.Close()

	c, r = s.dial(t)
	say(t, c, e.request("upgrade"))
	hear(t, r, "GET")
	listen("early")
	_ = c.Close() // the client ends it

	refused := get("no upgrade", func(e *Exchange) { e.Fields = ask })
	s.server.expect("refused", refused)
	defer s.server.forget("refused")
	c, r = s.dial(t)
	for range 2 {
		say(t, c, refused.request("refused"))
		if told, ends := hear(t, r, "GET"); told.Status != 200 || string(told.Body) != "answer" || ends {
			t.Errorf("an upgrade the upstream does not make: %d %s, ends %v", told.Status, clip(told.Body), ends)
		}
	}
	s.director.Settled(t)
}

// timeouts holds that nobody waits for ever. One timeout at a time is short: on a
// slow machine the next one would be over before the client has said a word.
func (s *suite) timeouts(t *testing.T) {
	const short = 80 * time.Millisecond
	limited := func(limits forward.Timeouts) *suite {
		return s.other(t, forward.Options{Timeouts: limits}, s.server.Upstream)
	}
	for name, c := range map[string]struct {
		limits forward.Timeouts
		text   string
	}{
		"head": {forward.Timeouts{Head: 10 * short}, "GET / HTTP/1.1\r\nHost: a\r\n"}, // TLS begins within it, too
		"body": {forward.Timeouts{Body: short}, "POST / HTTP/1.1\r\nHost: a\r\nX-Case: late\r\nContent-Length: 10\r\n\r\nabc"},
	} {
		n := limited(c.limits)
		s.server.expect("late", get("late", asIs))
		answer, err := Raw(n.address, n.clientConf("http/1.1"), []byte(c.text), false)
		if err != nil && !isReset(err) {
			t.Errorf("%s: the connection does not end: %v", name, err)
		}
		checkRefusal(t, name, answer, http.StatusRequestTimeout)
		s.server.forget("late")
	}
	n := limited(forward.Timeouts{KeepAlive: short, Head: 10 * short}) // the latter where it may be HTTP/2
	answer, err := Raw(n.address, n.clientConf("http/1.1"), nil, false)
	if err != nil || len(answer) > 0 {
		t.Errorf("a connection without a request: %s, %v", clip(answer), err)
	}
	gated := get("first byte", func(e *Exchange) { e.Answer.Gate = make(chan struct{}) })
	defer close(gated.Answer.Gate)
	s.server.expect("gated", gated)
	defer s.server.forget("gated")
	n = limited(forward.Timeouts{FirstByte: short})
	c, r := n.dial(t)
	say(t, c, gated.request("gated"))
	if told, _ := hear(t, r, "GET"); told.Status != http.StatusGatewayTimeout {
		t.Errorf("an upstream that says nothing: %d", told.Status)
	}
	n.director.Settled(t)
	if late := n.director.Count(forward.Late); late != 1 {
		t.Errorf("%d attempts were late, not 1", late)
	}
}

// stale ends the upstream's idle connections: the next requests come through.
func (s *suite) stale(t *testing.T) {
	n := s.other(t, forward.Options{}, s.server.Upstream)
	c := n.client()
	defer c.Close()
	for i := range 20 {
		e := get("stale", asIs)
		if i%2 == 1 {
			e = post("stale", []byte("hello"), ByLength, asIs)
		}
		told, _, err := ask(c, s.server, e, fmt.Sprintf("stale-%d", i))
		if err != nil {
			t.Fatalf("request %d: %v", i, err)
		}
		if told.Status != 200 {
			t.Errorf("request %d: %d %s", i, told.Status, clip(told.Body))
		}
		if s.path.http2Behind() { // who reads all the time has to have read it: a request that overtakes that is not asked twice
			s.server.Leave()
		} else {
			s.server.Drop()
		}
		for wait := time.Now().Add(patience); s.server.Open() > 0; {
			if time.Now().After(wait) {
				t.Fatal("the connection stays open")
			}
			<-time.After(time.Millisecond) // the server's side is gone when its goroutine is
		}
	}
}
