package rpc_test

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/polymath-run/polymath/client"
	"github.com/polymath-run/polymath/internal/archive"
	"github.com/polymath-run/polymath/internal/catalog"
	"github.com/polymath-run/polymath/internal/checkpoint"
	"github.com/polymath-run/polymath/internal/disk"
	"github.com/polymath-run/polymath/internal/function/all"
	"github.com/polymath-run/polymath/internal/journal/local"
	"github.com/polymath-run/polymath/internal/ledger"
	"github.com/polymath-run/polymath/internal/link"
	"github.com/polymath-run/polymath/internal/node"
	"github.com/polymath-run/polymath/internal/rpc"
	"github.com/polymath-run/polymath/internal/service"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// server is a node on a directory, with the calls on a port.
type server struct {
	t       testing.TB
	dir     string
	address string
	node    *node.Node
	archive *archive.Archive
	journal *local.Journal
	service *service.Service
	calls   *rpc.Server
	stop    func()
	broken  bool // the test broke it: it need not close well

	attempts atomic.Uint32 // of the lease that was tried most often
}

// start starts a server; address "" is any port.
func start(t testing.TB, dir, address string) *server {
	t.Helper()
	s := &server{t: t, dir: dir}
	closers := s.open()
	ctx, cancel := context.WithCancel(context.Background())
	s.service = service.New(s.node, catalog.New(all.Set(true)))
	s.calls = rpc.New(ctx, s.service, slog.New(slog.DiscardHandler))
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
		s.calls.Settle()
		for _, c := range closers {
			if err := c(); err != nil && !s.broken {
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
		Observe: s.observe,
	})
	must(err)
	s.archive, s.journal = finished, journal
	return []func() error{s.node.Close, journal.Close, finished.Close}
}

// observe notes how often the leases of an entry were tried.
func (s *server) observe(_ time.Duration, fx *ledger.Effects) {
	for i := range fx.Grants {
		if n := fx.Grants[i].Lease.Attempt; n > s.attempts.Load() {
			s.attempts.Store(n)
		}
	}
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
