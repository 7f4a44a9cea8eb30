package forward_test

import (
	"io"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/polymath-run/polymath/internal/balance/forward"
	"github.com/polymath-run/polymath/internal/balance/forward/forwardtest"
)

// TestLoopServesOthersBesideAFlood: requests without end that are refused on the
// spot neither keep a loop from others nor pile up in it (D5).
func TestLoopServesOthersBesideAFlood(t *testing.T) {
	const flood, mostHeap = 128 << 20, 32 << 20
	d := forwardtest.NewDirector(t, scripted(t, "127.0.0.1:0", each(answer)))
	d.Refuse = func(x *forward.Exchange) *forward.Refusal {
		if x.Facts.Target() == "/no" {
			return forward.Nobody()
		}
		return nil
	}
	l := startLoop(t, forward.Options{Director: d}, forward.LoopOptions{Threads: 1})
	n, other := connect(t, l), connect(t, l)
	before := heap()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = io.Copy(io.Discard, n)
	}()
	request := "GET /no HTTP/1.1\r\nHost: a\r\n\r\n"
	block := []byte(strings.Repeat(request, (256<<10)/len(request)))
	go func() {
		for sent := 0; sent < flood; sent += len(block) {
			if _, err := n.Write(block); err != nil {
				return
			}
		}
	}()
	most := before
	for range 50 {
		begun := time.Now()
		say(t, other, ask)
		if got := hear(t, other, len(answer)); got != answer {
			t.Fatalf("answered %q", got)
		}
		if took := time.Since(begun); took > time.Second {
			t.Fatalf("another client had to wait for %v", took)
		}
		most = max(most, heap())
		<-time.After(10 * time.Millisecond)
	}
	if most-before > mostHeap {
		t.Errorf("%d bytes pile up", most-before)
	}
	_ = n.Close()
	<-ended
}

// heap is how much memory objects take.
func heap() int64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
