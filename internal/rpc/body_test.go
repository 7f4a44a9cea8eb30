package rpc_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"

	"github.com/polymath-run/polymath/api/polymathv1"
	"github.com/polymath-run/polymath/api/polymathv1/polymathv1connect"
)

// TestDribblingBodies: who sends a part of a message and then nothing is told,
// and let go, as is who sends a body nobody asked for.
func TestDribblingBodies(t *testing.T) {
	s := start(t, t.TempDir(), "")
	s.calls.BoundBody(50 * time.Millisecond)
	for name, c := range map[string]struct {
		path   string
		status int
		text   string
	}{
		"a call":    {"Submit", http.StatusGatewayTimeout, "the message did not arrive within 50ms"},
		"no call":   {"Nothing", http.StatusNotFound, "there is no call"},
		"no stream": {"Exchange", http.StatusHTTPVersionNotSupported, "HTTP/2"},
	} {
		t.Run(name, func(t *testing.T) {
			conn, err := net.Dial("tcp", s.address)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			_ = conn.SetDeadline(time.Now().Add(time.Minute)) // or a failure would take ten
			_, err = io.WriteString(conn, "POST /polymath.v1.Polymath/"+c.path+" HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{")
			if err != nil {
				t.Fatal(err)
			}
			in := bufio.NewReader(conn)
			answer, err := http.ReadResponse(in, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer answer.Body.Close()
			text, _ := io.ReadAll(answer.Body)
			if answer.StatusCode != c.status || !strings.Contains(string(text), c.text) || strings.Contains(string(text), "127.0.0.1") {
				t.Errorf("%s: %s", answer.Status, text)
			}
			if _, err := in.ReadByte(); err == nil {
				t.Error("the connection goes on")
			}
		})
	}
}

// TestDribblingMessage: the same over HTTP/2, in a stream that others go beside.
func TestDribblingMessage(t *testing.T) {
	s := start(t, t.TempDir(), "")
	s.calls.BoundBody(50 * time.Millisecond)
	half, rest := io.Pipe()
	defer rest.Close()
	go func() { _, _ = io.WriteString(rest, `{"requests":[`) }()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url()+"/polymath.v1.Polymath/Submit", half)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	answer, err := web(t, true).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var refused struct{ Code, Message string }
	if err := json.NewDecoder(answer.Body).Decode(&refused); err != nil || refused.Code != "deadline_exceeded" || answer.Header.Get("Polymath-Code") != "timeout" {
		t.Errorf("%s %v %+v, %v", answer.Status, answer.Header, refused, err)
	}
}

// TestBodyIsThere: the time for a message to arrive is no time for its answer.
func TestBodyIsThere(t *testing.T) {
	s := start(t, t.TempDir(), "")
	s.calls.BoundBody(500 * time.Millisecond)
	for name, c := range map[string]struct {
		two     bool
		options []connect.ClientOption
	}{
		"Connect":              {true, nil},
		"Connect over HTTP/1":  {false, nil},
		"gRPC":                 {true, []connect.ClientOption{connect.WithGRPC()}},
		"gRPC-Web over HTTP/1": {false, []connect.ClientOption{connect.WithGRPCWeb()}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			calls := polymathv1connect.NewPolymathClient(web(t, c.two), s.url(), c.options...)
			some, err := calls.Submit(t.Context(), connect.NewRequest(&polymathv1.SubmitRequest{
				Requests: []*polymathv1.Request{{Function: "add", Input: []byte(`{"a":1,"b":2}`)}}, // nobody calculates it
			}))
			if err != nil {
				t.Fatal(err)
			}
			job, err := calls.Wait(t.Context(), connect.NewRequest(&polymathv1.WaitRequest{Job: some.Msg.GetOutcomes()[0].GetJob(), Seconds: 1}))
			if err != nil || job.Msg.GetState() != "queued" {
				t.Errorf("%v, %v", job, fmt.Sprint(err))
			}
		})
	}
}
