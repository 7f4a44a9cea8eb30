package forward_test

import (
	"flag"
	"net/netip"
	"testing"

	"github.com/polymath-run/polymath/internal/balance/forward"
	"github.com/polymath-run/polymath/internal/balance/forward/forwardtest"
)

var seed = flag.Uint64("forward.seed", 1, "seed of the generated exchanges")

// startFront is forwardtest.Path.Start of a Front.
func startFront(t testing.TB, o forward.Options) netip.AddrPort {
	t.Helper()
	_, address := newFront(t, o)
	return address
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
