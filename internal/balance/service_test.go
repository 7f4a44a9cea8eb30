package balance

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/polymath-run/polymath/internal/addresstest"
	"github.com/polymath-run/polymath/internal/balance/forward"
)

// origin is a real server that can be killed and started again.
type origin struct {
	address string
	served  atomic.Int64
	server  *http.Server
	stopped chan struct{}
}

func (o *origin) start(t *testing.T) {
	t.Helper()
	l, err := net.Listen("tcp", o.address)
	if err != nil {
		t.Fatal(err)
	}
	o.address = l.Addr().String()
	o.server = &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/health_check" {
			o.served.Add(1)
		}
		if _, err := io.WriteString(w, "ok"); err != nil {
			return // killed: the client sees it
		}
	})}
	o.stopped = make(chan struct{})
	go func() {
		defer close(o.stopped)
		if err := o.server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("a server ended: %v", err)
		}
	}()
}

// kill ends the server and all its connections at once.
func (o *origin) kill() {
	o.server.Close()
	<-o.stopped
}

// front starts a pool behind a forwarder, with its checks, and gives its URL and
// what ends both.
func front(t *testing.T, p *Pool) (url string, stop func()) {
	t.Helper()
	f, err := forward.NewFront(forward.Options{Director: p, Now: p.now})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	all.Go(func() { p.Checker().Run(ctx) })
	all.Go(func() {
		if err := f.Serve(l); err != nil && !errors.Is(err, net.ErrClosed) {
			t.Errorf("the front ended: %v", err)
		}
	})
	stop = sync.OnceFunc(func() {
		cancel()
		limited, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := f.Shutdown(limited); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
		all.Wait()
	})
	t.Cleanup(stop)
	return "http://" + l.Addr().String(), stop
}

// TestRealKill kills one of three real servers behind a real forwarder in the
// middle of requests: no idempotent one fails; and when it is there again it gets
// its share again (D5, D8).
func TestRealKill(t *testing.T) {
	s := Defaults()
	s.Policy.Name = "round-robin"
	s.Health.Interval, s.Health.Path, s.Health.SlowStart = 100*time.Millisecond, "/health_check", 0
	origins, list := make([]*origin, 3), make([]Upstream, 3)
	for i := range origins {
		origins[i] = &origin{address: addresstest.Free(t)}
		origins[i].start(t)
		address := netip.MustParseAddrPort(origins[i].address)
		list[i] = Upstream{Server: forward.Upstream{Name: "http://" + address.String(), Address: address}, Weight: 1}
	}
	defer func() {
		for _, o := range origins {
			o.kill()
		}
	}()
	p, err := New(Options{}, s, list)
	if err != nil {
		t.Fatal(err)
	}
	url, stop := front(t, p)
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 8}, Timeout: 10 * time.Second}
	defer client.CloseIdleConnections()
	send := func(requests int) {
		t.Helper()
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				for range requests / 8 {
					response, err := client.Get(url)
					if err != nil {
						t.Errorf("a request failed: %v", err)
						return
					}
					body, err := io.ReadAll(response.Body)
					response.Body.Close()
					if response.StatusCode != http.StatusOK || string(body) != "ok" || err != nil {
						t.Errorf("a request was answered with %d, %q, %v", response.StatusCode, body, err)
					}
				}
			})
		}
		all.Wait()
	}
	send(400)
	killed := make(chan struct{})
	go func() {
		origins[1].kill()
		close(killed)
	}()
	send(800)
	<-killed
	send(80)
	if got := p.Stats(); got.Retries == 0 {
		t.Errorf("nothing was tried again: %+v", got.Totals)
	}

	before := origins[1].served.Load()
	origins[1].start(t)
	for deadline := time.Now().Add(30 * time.Second); origins[1].served.Load() < before+50; {
		if time.Now().After(deadline) {
			t.Fatalf("there again, the server gets no share: %+v", p.Stats().Upstreams[1])
		}
		send(80)
	}
	client.CloseIdleConnections()
	stop() // a client may have its answer before the attempt is done
	for _, u := range p.Stats().Upstreams {
		if u.InFlight != 0 || u.Picked == 0 {
			t.Errorf("in the end: %+v", u)
		}
	}
}
