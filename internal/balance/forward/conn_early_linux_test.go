package forward_test

import (
	"io"
	"net"
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
