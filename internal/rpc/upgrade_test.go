package rpc_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/api/polymathv1"
	"github.com/polymath-run/polymath/internal/wire"
)

// upgraded asks for a stream with a connection of its own.
func (s *server) upgraded(t *testing.T) (*http.Response, *wire.Stream) {
	t.Helper()
	conn, err := net.Dial("tcp", s.address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if _, err := io.WriteString(conn, "POST /polymath.v1.Polymath/Exchange HTTP/1.1\r\nHost: "+s.address+
		"\r\nConnection: Upgrade\r\nUpgrade: "+wire.Protocol+"\r\nContent-Length: 0\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(conn)
	answer, err := http.ReadResponse(in, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = answer.Body.Close() })
	return answer, wire.NewStream(conn, in, time.Minute)
}

// until receives until what comes is what is wanted.
func until(t *testing.T, x *wire.Stream, wanted func(*polymathv1.Replies) bool) *polymathv1.Replies {
	t.Helper()
	for {
		m, err := x.ReceiveReplies()
		if err != nil {
			t.Fatal(err)
		}
		if wanted(m) {
			return m
		}
	}
}

// TestUpgrade: a stream with a connection of its own works, answers when it is
// asked whether anybody is there, says why it ends, and is gone then.
func TestUpgrade(t *testing.T) {
	s := start(t, t.TempDir(), "")
	s.builtin(1)
	answer, x := s.upgraded(t) //nolint:bodyclose // it is, with the test
	if answer.StatusCode != http.StatusSwitchingProtocols || answer.Header.Get("Upgrade") != wire.Protocol {
		t.Fatal(answer.Status, answer.Header)
	}
	until(t, x, func(m *polymathv1.Replies) bool { return len(m.GetReplies()) == 0 }) // it stands
	if err := x.Send(&polymathv1.Calls{}); err != nil {
		t.Fatal(err)
	}
	until(t, x, func(m *polymathv1.Replies) bool { return len(m.GetReplies()) == 0 }) // and is there
	ask := &polymathv1.Submission{Call: 1, Request: &polymathv1.Request{Function: "add", Input: []byte(`{"a":1,"b":2}`)}}
	if err := x.Send(&polymathv1.Calls{Submissions: []*polymathv1.Submission{ask}}); err != nil {
		t.Fatal(err)
	}
	job := until(t, x, func(m *polymathv1.Replies) bool { return len(m.GetReplies()) > 0 }).GetReplies()[0]
	if err := x.Send(&polymathv1.Calls{Waits: []*polymathv1.JobCall{{Call: 2, Job: job.GetJob()}}}); err != nil {
		t.Fatal(err)
	}
	done := until(t, x, func(m *polymathv1.Replies) bool { return len(m.GetReplies()) > 0 }).GetReplies()[0]
	if got := string(done.GetPicture().GetAnswer()); done.GetCall() != 2 || got != "3" {
		t.Errorf("%v: %q", done, got)
	}
	s.stop()
	last := until(t, x, func(m *polymathv1.Replies) bool { return m.GetEnd() != nil })
	if err := wire.ParseError(last.GetEnd()); polymath.CodeOf(err) != polymath.Unavailable || !strings.Contains(err.Error(), "stopping") {
		t.Errorf("the end: %v", err)
	}
	if _, err := x.ReceiveReplies(); err == nil {
		t.Error("something came after the end")
	}
}

// TestUpgradeOfABadTalker: a stream that says what is no message is told so,
// and ends.
func TestUpgradeOfABadTalker(t *testing.T) {
	s := start(t, t.TempDir(), "")
	conn, err := net.Dial("tcp", s.address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "POST /polymath.v1.Polymath/Exchange HTTP/1.1\r\nHost: "+s.address+
		"\r\nConnection: Upgrade\r\nUpgrade: "+wire.Protocol+"\r\n\r\n\xff\xff\xff\xffand so on"); err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(conn)
	answer, err := http.ReadResponse(in, nil)
	if err != nil || answer.StatusCode != http.StatusSwitchingProtocols {
		t.Fatal(answer, err)
	}
	defer answer.Body.Close()
	x := wire.NewStream(conn, in, time.Minute)
	last := until(t, x, func(m *polymathv1.Replies) bool { return m.GetEnd() != nil })
	if err := wire.ParseError(last.GetEnd()); polymath.CodeOf(err) != polymath.TooLarge {
		t.Errorf("the end: %v", err)
	}
	waitFor(t, s, func() bool { return s.calls.Streams() == 0 })
}

// TestUpgradeOfADeafTalker: a client that asks and never reads is let go.
func TestUpgradeOfADeafTalker(t *testing.T) {
	s := start(t, t.TempDir(), "")
	s.calls.Bound(100*time.Millisecond, 64<<10)
	_, x := s.upgraded(t) //nolint:bodyclose // it is, with the test
	ask := &polymathv1.Calls{}
	for call := range uint64(10_000) {
		ask.Gets = append(ask.Gets, &polymathv1.JobCall{Call: call, Job: strings.Repeat("x", 100)})
	}
	for x.Send(ask) == nil {
	}
	waitFor(t, s, func() bool { return s.calls.Streams() == 0 })
}

// TestTooManyUpgrades: beyond the most streams the connection is not taken, and
// the answer says why.
func TestTooManyUpgrades(t *testing.T) {
	s := start(t, t.TempDir(), "")
	s.calls.Open(1_000)
	defer s.calls.Open(-1_000)
	answer, _ := s.upgraded(t) //nolint:bodyclose // it is, with the test
	text, _ := io.ReadAll(answer.Body)
	if answer.StatusCode != http.StatusServiceUnavailable || !strings.Contains(string(text), "1000 streams are open") {
		t.Errorf("%s: %s", answer.Status, text)
	}
}

// TestUpgradeOfASilentTalker: a client that says nothing is let go, and told
// why.
func TestUpgradeOfASilentTalker(t *testing.T) {
	s := start(t, t.TempDir(), "")
	s.calls.BoundSilence(50 * time.Millisecond)
	_, x := s.upgraded(t) //nolint:bodyclose // it is, with the test
	last := until(t, x, func(m *polymathv1.Replies) bool { return m.GetEnd() != nil })
	if err := wire.ParseError(last.GetEnd()); polymath.CodeOf(err) != polymath.Timeout || !strings.Contains(err.Error(), "nothing came for") {
		t.Errorf("the end: %v", err)
	}
	waitFor(t, s, func() bool { return s.calls.Streams() == 0 })
}
