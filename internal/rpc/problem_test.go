package rpc_test

import (
	"bufio"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/api"
	"github.com/polymath-run/polymath/internal/wire"
)

// say sends a request as it stands and reads the answer.
func (s *server) say(t *testing.T, request string) (*http.Response, string) {
	t.Helper()
	conn, err := net.Dial("tcp", s.address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode == http.StatusSwitchingProtocols {
		return answer, ""
	}
	text, _ := io.ReadAll(answer.Body)
	return answer, string(text)
}

// TestProblems: what is refused before it is a call is refused with a problem,
// as everywhere.
func TestProblems(t *testing.T) {
	s := start(t, t.TempDir(), "")
	upgrade := "POST /polymath.v1.Polymath/Exchange HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: " + wire.Protocol + "\r\n\r\n"
	for _, c := range []struct {
		name, request string
		streams       int64
		status        int
		code          polymath.Code
		part          string
	}{
		{"unknown call", "POST /polymath.v1.Polymath/Nothing HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", 0, 404, polymath.NotFound, "Submit, Get, Wait, Cancel and Exchange"},
		{"no call", "GET /polymath.v1.Polymath/ HTTP/1.1\r\nHost: x\r\n\r\n", 0, 404, polymath.NotFound, "there is no call"},
		{"a stream over HTTP/1.1", "POST /polymath.v1.Polymath/Exchange HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", 0, 505, polymath.InvalidArgument, "HTTP/2"},
		{"too many", upgrade, 1_000, 503, polymath.Overloaded, "1000 streams are open"},
	} {
		s.calls.Open(c.streams)
		answer, text := s.say(t, c.request) //nolint:bodyclose // it is
		s.calls.Open(-c.streams)
		var p api.Problem
		if err := json.Unmarshal([]byte(text), &p); err != nil || answer.Header.Get("Content-Type") != api.ProblemType {
			t.Errorf("%s: %s %v %q", c.name, answer.Status, answer.Header, text)
			continue
		}
		if answer.StatusCode != c.status || p.Status != c.status || p.Code != c.code.String() || p.Type != c.code.Problem() || p.Title == "" ||
			p.Instance == "" || !strings.Contains(p.Detail, c.part) {
			t.Errorf("%s: %s %+v", c.name, answer.Status, p)
		}
		if seconds, err := strconv.Atoi(answer.Header.Get("Retry-After")); (c.status == 503) != (err == nil) || seconds > 30 {
			t.Errorf("%s: Retry-After %q", c.name, answer.Header.Get("Retry-After"))
		}
	}
}

// TestStrictUpgrade: a connection is taken over for exactly what was agreed on,
// and everything else is answered as a request.
func TestStrictUpgrade(t *testing.T) {
	s := start(t, t.TempDir(), "")
	const post, tail = "POST /polymath.v1.Polymath/Exchange HTTP/1.1\r\nHost: x\r\n", "\r\n\r\n"
	for name, c := range map[string]struct {
		request string
		status  int
	}{
		"as agreed":             {post + "Connection: Upgrade\r\nUpgrade: " + wire.Protocol + tail, 101},
		"in a list":             {post + "Connection: keep-alive, UPGRADE\r\nUpgrade: websocket, " + wire.Protocol + tail, 101},
		"in two lines":          {post + "Connection: keep-alive\r\nConnection: upgrade\r\nUpgrade: " + wire.Protocol + "\r\nContent-Length: 0" + tail, 101},
		"by GET":                {strings.Replace(post, "POST", "GET", 1) + "Connection: Upgrade\r\nUpgrade: " + wire.Protocol + tail, 505},
		"over HTTP/1.0":         {strings.Replace(post, "1.1", "1.0", 1) + "Connection: Upgrade\r\nUpgrade: " + wire.Protocol + "\r\nContent-Length: 0" + tail, 505},
		"without Connection":    {post + "Upgrade: " + wire.Protocol + "\r\nContent-Length: 0" + tail, 505},
		"with another word":     {post + "Connection: upgraded\r\nUpgrade: " + wire.Protocol + "\r\nContent-Length: 0" + tail, 505},
		"another protocol":      {post + "Connection: Upgrade\r\nUpgrade: polymath-stream/2\r\nContent-Length: 0" + tail, 505},
		"a longer name":         {post + "Connection: Upgrade\r\nUpgrade: x" + wire.Protocol + "\r\nContent-Length: 0" + tail, 505},
		"with a body":           {post + "Connection: Upgrade\r\nUpgrade: " + wire.Protocol + "\r\nContent-Length: 2" + tail + "ab", 505},
		"with a body in chunks": {post + "Connection: Upgrade\r\nUpgrade: " + wire.Protocol + "\r\nTransfer-Encoding: chunked" + tail + "0\r\n\r\n", 505},
	} {
		if answer, text := s.say(t, c.request); answer.StatusCode != c.status { //nolint:bodyclose // it is
			t.Errorf("%s: %s %.200s, want %d", name, answer.Status, text, c.status)
		}
	}
	waitFor(t, s, func() bool { return s.calls.Streams() == 0 })
}
