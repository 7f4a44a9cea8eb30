package forward_test

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"github.com/polymath-run/polymath/internal/balance/forward"
	"github.com/polymath-run/polymath/internal/balance/forward/forwardtest"
)

// grace is how long a loop may take to come to its end in tests.
const grace = 10 * time.Second

// startLoop runs a loop before a front until the test ends.
func startLoop(t testing.TB, o forward.Options, own forward.LoopOptions) *forward.Loop {
	t.Helper()
	front, err := forward.NewFront(o)
	if err != nil {
		t.Fatal(err)
	}
	if !own.Address.IsValid() {
		own.Address = netip.MustParseAddrPort("127.0.0.1:0")
	}
	if own.Fallback == nil {
		own.Fallback = front.Take
	}
	l, err := forward.NewLoop(o, own)
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		l.Serve()
	}()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), grace)
		defer cancel()
		if err := l.Shutdown(ctx); err != nil {
			t.Errorf("the loop does not come to its end: %v", err)
		}
		<-served
		if err := front.Shutdown(ctx); err != nil {
			t.Errorf("the front does not come to its end: %v", err)
		}
		if s := l.Stats(); s.Clients != 0 || s.Upstreams != 0 {
			t.Errorf("connections are left: %+v", s)
		}
	})
	return l
}

// TestLoopBehavesAsAll: the loop, with a front behind it, is held to what every
// forwarder is.
func TestLoopBehavesAsAll(t *testing.T) {
	forwardtest.Run(t, forwardtest.Path{Name: "loop", Start: func(t testing.TB, o forward.Options) netip.AddrPort {
		return startLoop(t, o, forward.LoopOptions{Threads: 2}).Address()
	}}, 5)
}
