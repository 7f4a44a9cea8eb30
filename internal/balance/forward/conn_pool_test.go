package forward

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
	"time"
)

// TestPoolsOfHTTP2AreForgotten: the pool of an upstream of HTTP/2 goes when
// nobody has used it for a while, its connections with it, and not before.
// Upstreams come and go, and each would leave its pool behind.
func TestPoolsOfHTTP2AreForgotten(t *testing.T) {
	ended := make(chan struct{}, 1)
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.Protocols = new(http.Protocols)
	server.Config.Protocols.SetUnencryptedHTTP2(true)
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateClosed {
			ended <- struct{}{}
		}
	}
	server.Start()
	defer server.Close()
	o := Options{Timeouts: Timeouts{Idle: time.Hour, Connect: time.Minute}, MaxIdle: 1}
	s := pools{o: &o, all: make(map[*Upstream]*pool)}
	defer s.close()
	u := &Upstream{Address: server.Listener.Addr().(*net.TCPAddr).AddrPort(), HTTP2: true}
	p := s.of(u)
	b, err := p.dial(t.Context(), netip.AddrPort{}, netip.AddrPort{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(b.nc, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	a, err := http.ReadResponse(bufio.NewReader(b.nc), nil)
	if err != nil || a.StatusCode != http.StatusNotFound {
		t.Fatalf("%+v, %v", a, err)
	}
	if _, err := io.Copy(io.Discard, a.Body); err != nil {
		t.Fatal(err)
	}
	_ = a.Body.Close()

	later := time.Now().Add(3 * o.Timeouts.Idle)
	if s.reap(later); s.of(u) != p {
		t.Fatal("forgotten, with a connection in use")
	}
	p.put(b)
	if s.reap(time.Now()); s.of(u) != p {
		t.Fatal("forgotten, with a connection that is not idle for long")
	}
	s.reap(later) // ends the pipe
	p.gateway.live.Wait()
	if s.reap(later); len(s.all) > 0 {
		t.Fatal("not forgotten")
	}
	<-ended
	if s.of(u) == p {
		t.Error("it is not made anew")
	}
}
