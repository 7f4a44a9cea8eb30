package forward_test

import (
	"fmt"
	"io"
	"net"
	"os"
	"testing"

	"github.com/polymath-run/polymath/internal/balance/forward"
	"github.com/polymath-run/polymath/internal/balance/forward/forwardtest"
)

// TestLoopDoesNotSpeakWithItself: a connection to a port where nobody listens may
// get that port for its own end, and would hear itself.
func TestLoopDoesNotSpeakWithItself(t *testing.T) {
	const asks = 40_000
	low, high := 0, 0
	text, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Sscan(string(text), &low, &high); err != nil {
		t.Fatal(err)
	}
	var free net.Listener
	for port := (low+high)/2&^1 | low&1; free == nil; port += 2 { // the half that Linux gives to who connects
		free, _ = net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port)) // nil: taken
	}
	up := &forward.Upstream{Name: "nobody", Address: free.Addr().(*net.TCPAddr).AddrPort()}
	_ = free.Close()
	d := forwardtest.NewDirector(t, up)
	l := startLoop(t, forward.Options{Director: d}, forward.LoopOptions{Threads: 1})
	n := connect(t, l)
	go func() {
		for range asks {
			if _, err := io.WriteString(n, ask); err != nil {
				return
			}
		}
	}()
	none := forward.Failure(forward.Unreached).Append(nil, false, false)
	for i := range asks {
		if got := hear(t, n, len(none)); got != string(none) {
			t.Fatalf("request %d is answered %q", i, got)
		}
	}
	if n := d.Count(forward.Unreached); n != asks {
		t.Errorf("%d attempts reached nobody, not %d", n, asks)
	}
}
