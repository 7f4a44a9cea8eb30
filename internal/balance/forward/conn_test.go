package forward_test

import (
	"context"
	"flag"
	"log/slog"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/polymath-run/polymath/internal/balance/forward"
	"github.com/polymath-run/polymath/internal/balance/forward/forwardtest"
)

var seed = flag.Uint64("forward.seed", 1, "seed of the generated exchanges")

// startFront is forwardtest.Path.Start of a Front.
func startFront(t testing.TB, o forward.Options) netip.AddrPort {
	t.Helper()
	o.Log = slog.New(slog.DiscardHandler)
	f, err := forward.NewFront(o)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- f.Serve(l) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := f.Shutdown(ctx); err != nil {
			t.Errorf("shutdown: %v", err)
		}
		if err := <-served; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	return l.Addr().(*net.TCPAddr).AddrPort()
}

// TestFront holds every path through a Front to one behaviour (W12, D5).
func TestFront(t *testing.T) {
	for _, p := range []forwardtest.Path{
		{Name: "plain"},
		{Name: "TLS", TLS: true},
		{Name: "HTTP2", TLS: true, HTTP2: true},
		{Name: "h2c upstream", Behind: forwardtest.H2C},
		{Name: "TLS upstream", Behind: forwardtest.Secure, Few: true},
		{Name: "HTTP2 TLS upstream", Behind: forwardtest.Secure2, Few: true},
		{Name: "PROXY v1 upstream", Behind: forwardtest.Proxied1, Few: true},
		{Name: "PROXY v2 upstream", Behind: forwardtest.Proxied2, Few: true},
		{Name: "HTTP2 to h2c", TLS: true, HTTP2: true, Behind: forwardtest.H2C, Few: true},
	} {
		p.Start = startFront
		t.Run(p.Name, func(t *testing.T) { forwardtest.Run(t, p, *seed) })
	}
}
