package rpc_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/client"
	"github.com/polymath-run/polymath/internal/archive"
	"github.com/polymath-run/polymath/internal/catalog"
	"github.com/polymath-run/polymath/internal/checkpoint"
	"github.com/polymath-run/polymath/internal/disk"
	"github.com/polymath-run/polymath/internal/function/all"
	"github.com/polymath-run/polymath/internal/journal/local"
	"github.com/polymath-run/polymath/internal/link"
	"github.com/polymath-run/polymath/internal/node"
	"github.com/polymath-run/polymath/internal/rpc"
	"github.com/polymath-run/polymath/internal/service"
	"github.com/polymath-run/polymath/worker"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// server is a node on a directory, with the calls on a port.
type server struct {
	t       *testing.T
	dir     string
	address string
	node    *node.Node
	calls   *rpc.Server
	stop    func()
}

// start starts a server; address "" is any port.
func start(t *testing.T, dir, address string) *server {
	t.Helper()
	s := &server{t: t, dir: dir}
	closers := s.open()
	ctx, cancel := context.WithCancel(context.Background())
	s.calls = rpc.New(ctx, service.New(s.node, catalog.New(all.Set(true))), slog.New(slog.DiscardHandler))
	mux := http.NewServeMux()
	mux.Handle(s.calls.Handler())
	if address == "" {
		address = "127.0.0.1:0"
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	s.address = listener.Addr().String()
	var p http.Protocols
	p.SetHTTP1(true)
	p.SetUnencryptedHTTP2(true)
	web := &http.Server{Handler: mux, Protocols: &p}
	var serving sync.WaitGroup
	serving.Go(func() { _ = web.Serve(listener) })
	s.stop = sync.OnceFunc(func() {
		cancel()
		_ = web.Close()
		serving.Wait()
		for _, c := range closers {
			if err := c(); err != nil {
				t.Error(err)
			}
		}
	})
	t.Cleanup(s.stop)
	return s
}

// open opens the node; it returns what closes it, in order.
func (s *server) open() (closers []func() error) {
	must := func(err error) {
		if err != nil {
			s.t.Fatal(err)
		}
	}
	log, err := disk.Dir(filepath.Join(s.dir, "wal"))
	must(err)
	images, err := disk.Dir(filepath.Join(s.dir, "checkpoint"))
	must(err)
	checkpoints, err := checkpoint.Open(images)
	must(err)
	finished, err := archive.Open(filepath.Join(s.dir, "archive.db"), archive.Options{})
	must(err)
	journal, err := local.Open(local.Options{FS: log})
	must(err)
	s.node, err = node.Open(s.t.Context(), node.Options{
		Name: "local", Journal: journal, Checkpoints: checkpoints, Archive: finished, Log: slog.New(slog.DiscardHandler),
	})
	must(err)
	return []func() error{s.node.Close, journal.Close, finished.Close}
}

func (s *server) url() string { return "http://" + s.address }

// dial connects a client that is closed with the test.
func (s *server) dial() *client.Client {
	s.t.Helper()
	c, err := client.Dial(s.t.Context(), s.url(), client.Options{})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(c.Close)
	return c
}

// work runs a worker until the test ends, or stop is called.
func (s *server) work(run func(ctx context.Context) error) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var working sync.WaitGroup
	working.Go(func() {
		if err := run(ctx); err != nil {
			s.t.Error(err)
		}
	})
	stop = sync.OnceFunc(func() {
		cancel()
		working.Wait()
	})
	s.t.Cleanup(stop)
	return stop
}

// builtin runs a worker of the built-in functions.
func (s *server) builtin(parallel int) (stop func()) {
	return s.work(func(ctx context.Context) error {
		w := link.Work{Server: s.url(), Name: "w", Functions: all.Set(true), Parallel: parallel}
		return w.Run(ctx)
	})
}

// TestJobOverTheWire is the whole way of a job between three processes' worth
// of parts (P1, P3, W4, W5).
func TestJobOverTheWire(t *testing.T) {
	s := start(t, t.TempDir(), "")
	c := s.dial()
	s.builtin(2)
	answer, err := c.Run(t.Context(), client.Request{Function: "primes", Input: map[string]any{"to": "1e6"}})
	if err != nil || string(answer) != "78498" {
		t.Errorf("%s, %v", answer, err)
	}
	_, err = c.Run(t.Context(), client.Request{Function: "divide", Input: `{"numbers":[1,0]}`})
	if err == nil {
		t.Error("a division by zero has an answer")
	}
}

// TestOwnFunctions: a program's own functions of every kind.
func TestOwnFunctions(t *testing.T) {
	s := start(t, t.TempDir(), "")
	c := s.dial()
	s.work(func(ctx context.Context) error {
		return worker.Run(ctx, worker.Options{Server: s.url(), Parallel: 3},
			worker.Call("greet", func(_ context.Context, input json.RawMessage) (any, error) {
				return map[string]any{"hello": input}, nil
			}),
			worker.List("double", func(_ context.Context, item json.RawMessage) (any, error) {
				var n int
				err := json.Unmarshal(item, &n)
				return 2 * n, err
			}),
			worker.Range("odd", worker.Count, func(_ context.Context, s worker.Span) (n int64, err error) {
				for i := s.From; i <= s.To; i++ {
					n += int64(i % 2)
				}
				s.Progress(s.To - s.From + 1)
				return n, nil
			}))
	})
	for {
		if _, err := c.Submit(t.Context(), client.Request{Function: "greet"}); err == nil {
			break // the worker has joined
		} else if polymath.CodeOf(err) != polymath.NotFound {
			t.Fatal(err)
		}
	}
	for _, q := range []struct{ function, input, want string }{
		{"greet", `{"a": 1}`, `{"hello":{"a":1}}`},
		{"double", `{"items": [1, 2, 3]}`, `[2,4,6]`},
		{"odd", `{"from": 10, "to": 1000000}`, `499995`},
	} {
		answer, err := c.Run(t.Context(), client.Request{Function: q.function, Input: q.input})
		if err != nil || string(answer) != q.want {
			t.Errorf("%s: %s, %v", q.function, answer, err)
		}
	}
	if _, err := c.Run(t.Context(), client.Request{Function: "double", Input: `{"items": ["x"]}`, Attempts: 1}); polymath.CodeOf(err) != polymath.JobFailed {
		t.Errorf("a bad element: %v", err)
	}
}
