package forward_test

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/polymath-run/polymath/internal/balance/forward"
	"github.com/polymath-run/polymath/internal/balance/forward/forwardtest"
)

// handledOverHTTP2 is handled, where HTTP/2 is spoken.
func handledOverHTTP2(t testing.TB, h http.HandlerFunc) *forward.Upstream {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.Config.Protocols = new(http.Protocols)
	s.Config.Protocols.SetUnencryptedHTTP2(true)
	s.Start()
	t.Cleanup(s.Close)
	return &forward.Upstream{Name: s.URL, Address: s.Listener.Addr().(*net.TCPAddr).AddrPort(), HTTP2: true}
}

// TestHTTP2UpstreamIsLetGo: an upstream of HTTP/2 that takes too long hears that
// nobody waits any more, whatever the request had of a body: its stream would be
// there for ever else.
func TestHTTP2UpstreamIsLetGo(t *testing.T) {
	left := make(chan error, 1)
	up := handledOverHTTP2(t, func(_ http.ResponseWriter, q *http.Request) {
		if _, err := io.Copy(io.Discard, q.Body); err != nil {
			left <- err
			return
		}
		select {
		case <-q.Context().Done():
			left <- nil
		case <-time.After(wait):
			left <- errors.New("it was not told")
		}
	})
	address := startFront(t, forward.Options{Director: forwardtest.NewDirector(t, up), Timeouts: forward.Timeouts{FirstByte: 50 * time.Millisecond}})
	for name, body := range map[string][]string{
		"none": {"\r\n"}, "with the head": {"Content-Length: 5\r\n\r\nhello"}, "later": {"Content-Length: 10\r\n\r\nhello", "hello"},
		"in chunks": {"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", "0\r\n\r\n"},
		"large":     {"Content-Length: 200000\r\n\r\n", strings.Repeat("a", 200_000)},
	} {
		c, r := dialFront(t, address)
		tell(t, c, "POST / HTTP/1.1\r\nHost: a\r\n")
		for _, piece := range body {
			tell(t, c, piece)
		}
		if a, _ := readWhole(t, r); a.StatusCode != http.StatusGatewayTimeout {
			t.Errorf("%s: answered %d", name, a.StatusCode)
		}
		if err := <-left; err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestHTTP2ClientThatTakesNothing: a client whose stream has no room for its
// answer has as long as one whose connection has none.
func TestHTTP2ClientThatTakesNothing(t *testing.T) {
	up := handled(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") })
	address := startFront(t, forward.Options{
		Director: forwardtest.NewDirector(t, up), CleartextHTTP2: true, Timeouts: forward.Timeouts{Write: 100 * time.Millisecond},
	})
	const headers, reset, settings = 1, 3, 4
	for target, path := range map[string]string{"answered": "\x84", "refused": "\x04\x03/ a"} {
		c, r := dialFront(t, address)
		frame := func(kind, flags byte, stream uint32, payload string) string {
			head := binary.BigEndian.AppendUint32(nil, uint32(len(payload)))[1:]
			head = binary.BigEndian.AppendUint32(append(head, kind, flags), stream)
			return string(head) + payload
		}
		tell(t, c, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"+frame(settings, 0, 0, "\x00\x04\x00\x00\x00\x00")+
			frame(headers, 5, 1, "\x82\x86"+path+"\x41\x01a")) // the end of the stream, and of the fields
		var head [9]byte
		for head[3] != reset {
			if _, err := io.ReadFull(r, head[:]); err != nil {
				t.Fatalf("%s: its stream goes on: %v", target, err)
			}
			if _, err := r.Discard(int(binary.BigEndian.Uint32(head[:4]) >> 8)); err != nil {
				t.Fatal(err)
			}
		}
	}
}
