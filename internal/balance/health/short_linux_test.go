package health

import (
	"context"
	"net/http"
	"net/http/httptest"
	"syscall"
	"testing"
	"time"
)

// TestShortageIsNobodysFault: a check for which there is no descriptor says nothing
// of its upstream (D5).
func TestShortageIsNobodysFault(t *testing.T) {
	target := server(t, (*httptest.Server).Start, func(http.ResponseWriter, *http.Request) {})
	for _, path := range []string{"", "/health"} {
		target.Path = path
		if why := once(t, target); why != "" {
			t.Fatal(why) // and what the runtime opens once is open
		}
		var limit syscall.Rlimit
		if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
			t.Fatal(err)
		}
		few := limit
		few.Cur = 1
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &few); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		b := newBoard(target)
		ended := make(chan struct{})
		go func() { (&Prober{Board: b}).Run(ctx); close(ended) }()
		var got string
		select {
		case <-b.dropped:
		case got = <-b.checked:
		case <-time.After(10 * time.Second):
			got = "nothing"
		}
		err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit)
		cancel()
		<-ended
		if err != nil {
			t.Fatal(err)
		}
		if got != "" {
			t.Errorf("path %q: the upstream is told to be bad: %s", path, got)
		}
	}
}
