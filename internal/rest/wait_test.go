package rest_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/api"
	"github.com/polymath-run/polymath/internal/rest"
)

const add = `{"function":"add"}`

// handle makes a request without a network.
func handle(ctx context.Context, h http.Handler, method, path, body string, headers ...string) reply {
	req := httptest.NewRequestWithContext(ctx, method, path, strings.NewReader(body))
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, req)
	return reply{w.Code, w.Header(), w.Body.Bytes()}
}

// TestPrefer: who prefers to wait waits so long, at most a minute, and no
// longer than the job takes.
func TestPrefer(t *testing.T) {
	for _, c := range []struct {
		prefer string
		want   time.Duration
	}{
		{"", 0}, {"wait=0", 0}, {"wait=10", 10 * time.Second}, {"wait=600", time.Minute}, {"Wait = 5", 5 * time.Second},
		{"respond-async, wait=5", 5 * time.Second}, {`wait="7"; x=1`, 7 * time.Second}, {"wait", 0}, {"wait=-1", 0}, {"wait=1.5", 0},
		{"handling=lenient", 0}, {"wait=99999999999999", 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			h := rest.New(newFake(), rest.Options{})
			begin := time.Now()
			a := handle(t.Context(), h, "POST", "/v1/jobs", add, "Prefer", c.prefer)
			if a.status != http.StatusAccepted || time.Since(begin) != c.want {
				t.Errorf("%q: status %d after %v, want %v", c.prefer, a.status, time.Since(begin), c.want)
			}
			applied := ""
			if c.want > 0 {
				applied = fmt.Sprintf("wait=%d", int(c.want.Seconds()))
			}
			if got := a.header.Get("Preference-Applied"); got != applied {
				t.Errorf("%q: applied %q, want %q", c.prefer, got, applied)
			}
		})
	}
}

func TestWaitEndsWithTheJob(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newFake()
		h := rest.New(b, rest.Options{})
		id := b.Submit(t.Context(), "", []api.Submit{{Function: "add"}})[0].ID
		b.Backend = answers{}
		var reading sync.WaitGroup
		for _, path := range []string{"", "/result"} {
			reading.Go(func() {
				a := handle(t.Context(), h, "GET", "/v1/jobs/"+id.String()+path, "", "Prefer", "wait=60")
				if a.status != http.StatusOK || a.header.Get("Retry-After") != "" || !strings.Contains(string(a.body), `"result":3`) {
					t.Errorf("%d %v %s", a.status, a.header, a.body)
				}
			})
			<-b.entered
		}
		synctest.Wait()
		if b.waiting != 2 {
			t.Errorf("%d wait", b.waiting)
		}
		b.finish(id, "3")
		reading.Wait()
		if b.waiting != 0 {
			t.Errorf("%d wait", b.waiting)
		}
	})
}

// answers is the Answer of a fake.
type answers struct{ rest.Backend }

// Answer implements rest.Jobs.
func (answers) Answer(context.Context, polymath.JobID) (api.Job, json.RawMessage, error) {
	return api.Job{}, json.RawMessage("3"), nil
}

// TestWaitingIsBounded: one too many is refused before anything happened, and
// places come back: also those of clients that go away.
func TestWaitingIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newFake()
		h := rest.NewBounded(b, 2, 2)
		ctx, leave := context.WithCancel(t.Context())
		var clients sync.WaitGroup
		for range 2 {
			clients.Go(func() { handle(ctx, h, "POST", "/v1/jobs", add, "Prefer", "wait=60") })
			<-b.entered
		}
		jobs := len(b.jobs)
		a := handle(t.Context(), h, "POST", "/v1/jobs", add, "Prefer", "wait=60")
		problem(t, a, http.StatusServiceUnavailable, polymath.Overloaded, "2 requests that wait")
		if a.header.Get("Retry-After") == "" || len(b.jobs) != jobs {
			t.Errorf("%v, %d jobs", a.header, len(b.jobs))
		}
		if a := handle(t.Context(), h, "POST", "/v1/jobs", add); a.status != http.StatusAccepted {
			t.Errorf("without a wait: %d", a.status)
		}
		leave()
		clients.Wait()
		if a := handle(t.Context(), h, "POST", "/v1/jobs", add, "Prefer", "wait=1"); a.status != http.StatusAccepted {
			t.Errorf("after they left: %d %s", a.status, a.body)
		}
	})
}

// TestStopping: a server that stops answers those who wait with what there is.
func TestStopping(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newFake()
		stopping, stop := context.WithCancel(t.Context())
		h := rest.New(b, rest.Options{Stopping: stopping})
		var client sync.WaitGroup
		client.Go(func() {
			if a := handle(t.Context(), h, "POST", "/v1/jobs", add, "Prefer", "wait=60"); a.status != http.StatusAccepted {
				t.Errorf("%d %s", a.status, a.body)
			}
		})
		<-b.entered
		begin := time.Now()
		stop()
		client.Wait()
		if time.Since(begin) != 0 {
			t.Errorf("it took %v", time.Since(begin))
		}
		problem(t, handle(t.Context(), h, "GET", "/readyz", ""), http.StatusServiceUnavailable, polymath.Unavailable, "stopping")
	})
}

func TestLinearizableAsks(t *testing.T) {
	b := newFake()
	h := rest.New(b, rest.Options{})
	id := b.Submit(t.Context(), "", []api.Submit{{Function: "add"}})[0].ID
	for _, level := range []string{"", "causal", "sequential", "eventual", "linearizable"} {
		handle(t.Context(), h, "GET", "/v1/jobs/"+id.String()+"?consistency="+level, "")
	}
	if b.barrier != 1 {
		t.Errorf("the end of the journal was asked for %d times", b.barrier)
	}
}

// pipes is a network in memory, with deadlines on the clock of a test.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func newPipes() *pipes { return &pipes{conns: make(chan net.Conn), done: make(chan struct{})} }

// Accept implements net.Listener.
func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (p *pipes) Close() error {
	p.once.Do(func() { close(p.done) })
	return nil
}

// Addr implements net.Listener.
func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe"} }

func (p *pipes) dial() net.Conn {
	here, there := net.Pipe()
	p.conns <- there
	return here
}

// TestSlowBody: a body that does not come is given up, and a connection that
// waits for its job keeps no deadline from its body.
func TestSlowBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newFake()
		network := newPipes()
		server := &http.Server{Handler: rest.New(b, rest.Options{})}
		var serving sync.WaitGroup
		serving.Go(func() { _ = server.Serve(network) })
		c := network.dial()
		begin := time.Now()
		_, _ = fmt.Fprint(c, "POST /v1/jobs HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{")
		answer := make([]byte, 4096)
		n, err := c.Read(answer)
		if took := time.Since(begin); err != nil || took != 30*time.Second || !strings.Contains(string(answer[:n]), " 408 ") || !strings.Contains(string(answer[:n]), `"code":"timeout"`) {
			t.Errorf("%v after %v: %s", err, took, answer[:n])
		}
		c.Close()

		c = network.dial()
		begin = time.Now()
		_, _ = fmt.Fprintf(c, "POST /v1/jobs HTTP/1.1\r\nHost: x\r\nPrefer: wait=60\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(add), add)
		n, err = c.Read(answer)
		if took := time.Since(begin); err != nil || took != time.Minute || !strings.Contains(string(answer[:n]), " 202 ") {
			t.Errorf("%v after %v: %s", err, took, answer[:n])
		}
		c.Close()
		server.Close()
		serving.Wait()
	})
}
