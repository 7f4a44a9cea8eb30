package forward_test

import (
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/polymath-run/polymath/internal/balance/forward"
	"github.com/polymath-run/polymath/internal/balance/forward/forwardtest"
)

// TestFrontHearsEarlyAnswers: an upstream that has a client go on may answer, and
// be heard, before it has everything.
func TestFrontHearsEarlyAnswers(t *testing.T) {
	up := scripted(t, "127.0.0.1:0", func(c net.Conn) {
		heard(c)
		_, _ = io.WriteString(c, "HTTP/1.1 100 Continue\r\n\r\n")
		if _, err := io.ReadFull(c, make([]byte, 3)); err != nil {
			return
		}
		<-time.After(3 * soon) // longer than the client goes unwatched
		_, _ = io.WriteString(c, answer)
		_, _ = io.Copy(io.Discard, c)
	})
	d := forwardtest.NewDirector(t, up)
	n, _ := dialFront(t, startFront(t, forward.Options{Director: d, Timeouts: forward.Timeouts{Body: 20 * soon}}))
	say(t, n, "PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 6\r\n\r\n")
	hear(t, n, len("HTTP/1.1 100 Continue\r\n\r\n"))
	say(t, n, "abc")
	if got := hear(t, n, len(answer)); !strings.HasPrefix(got, "HTTP/1.1 200 ") {
		t.Errorf("answered %q", got)
	}
}

// endless is a body that goes on until nobody takes it.
type endless struct{}

func (endless) Read(b []byte) (int, error) { return len(b), nil }

// TestHTTP2EarlyEndIsAnEnd: an answer whose end is that of the connection, and
// that comes while the request is still on its way, ends and is not cut.
func TestHTTP2EarlyEndIsAnEnd(t *testing.T) {
	up := scripted(t, "127.0.0.1:0", func(c net.Conn) {
		heard(c)
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\nhello")
		_ = c.(*net.TCPConn).CloseWrite()
		_, _ = io.Copy(io.Discard, c)
	})
	address := startFront(t, forward.Options{Director: forwardtest.NewDirector(t, up), CleartextHTTP2: true})
	p := new(http.Protocols)
	p.SetUnencryptedHTTP2(true)
	client := &http.Client{Transport: &http.Transport{Protocols: p}}
	defer client.CloseIdleConnections()
	for i := range 300 {
		a, err := client.Post("http://"+address.String(), "", endless{})
		if err != nil {
			t.Fatalf("exchange %d: %v", i, err)
		}
		body, err := io.ReadAll(a.Body)
		if _ = a.Body.Close(); err != nil || string(body) != "hello" {
			t.Fatalf("exchange %d: %q, %v", i, body, err)
		}
	}
}
