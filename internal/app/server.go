package app

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/catalog"
	"github.com/polymath-run/polymath/internal/function"
	"github.com/polymath-run/polymath/internal/history"
	"github.com/polymath-run/polymath/internal/ledger"
	"github.com/polymath-run/polymath/internal/rest"
	"github.com/polymath-run/polymath/internal/rpc"
	"github.com/polymath-run/polymath/internal/service"
	"github.com/polymath-run/polymath/internal/telemetry"
)

// Bounds of the HTTP server. Everything else is bounded by request, so that
// streams live.
const (
	headerTimeout  = 10 * time.Second
	idleTimeout    = 2 * time.Minute
	maxHeaderBytes = 64 << 10
	maxConnections = 12_000           // beyond them a connection is closed at once
	pingPause      = 15 * time.Second // of silence on HTTP/2, before the client is asked whether it is there
	drainLimit     = 3 * time.Second  // for requests under way when the server stops
)

// DefaultListen is where a server listens when nobody says otherwise: on this
// machine only.
func DefaultListen() []string { return []string{"127.0.0.1:8080", "[::1]:8080"} }

// ServerOptions are the choices of a Server.
type ServerOptions struct {
	Options
	// Listen are the addresses, host:port; none: DefaultListen, of which one
	// that this machine does not have is left out.
	Listen []string
	// Hosts are further names and addresses by which requests may call the
	// server, beside those it listens on.
	Hosts []string
	// Certificate and Key are the files of a TLS certificate; "": plain HTTP.
	Certificate, Key string
	Functions        *function.Set // built in
	// Workers is how many cores of this process calculate; 0: none.
	Workers int
	// MaxWaiting bounds the unfinished jobs; 0: the default of the ledger.
	MaxWaiting uint64
}

// Server is an App that others use over the network. It must be closed.
type Server struct {
	*App
	options   ServerOptions
	history   *history.History
	metrics   *telemetry.Metrics
	listeners []net.Listener
}

// Serve opens the data directory and begins to serve. It returns when requests
// are answered.
func Serve(ctx context.Context, o ServerOptions) (*Server, error) {
	s := &Server{options: o, history: history.New(now()), metrics: telemetry.New(o.Version)}
	// The directory first: who has it says who it is, an address does not. And
	// an address that is taken is told before anything is opened.
	a, err := claim(o.Options)
	if err != nil {
		return nil, err
	}
	s.App = a
	if err := s.listen(); err != nil {
		return nil, a.abandon(err)
	}
	o.Serving = true
	o.Ready = func(l *ledger.Ledger) { s.history.Restore(now(), l.Sessions(), l.Leases()) }
	o.Observe = func(_ time.Duration, fx *ledger.Effects) { s.history.Observe(now(), fx) }
	if err := a.open(ctx, o.Options); err != nil {
		return nil, errors.Join(a.abandon(err), s.unlisten())
	}
	if err := s.begin(ctx); err != nil {
		return nil, errors.Join(err, a.Close())
	}
	return s, nil
}

// now is the time of day in Unix milliseconds.
func now() int64 { return time.Now().UnixMilli() }

// listen takes the addresses.
func (s *Server) listen() error {
	addresses, chosen := s.options.Listen, len(s.options.Listen) > 0
	if !chosen {
		addresses = DefaultListen()
	}
	for _, address := range addresses {
		l, err := net.Listen("tcp", address)
		switch {
		case err == nil:
			s.listeners = append(s.listeners, &bounded{Listener: l, most: maxConnections})
		case !chosen && len(s.listeners) > 0 && !isInUse(err): // no IPv6 here
		case isInUse(err): // the address is right, and another program has it
			return errors.Join(polymath.Errorf(polymath.Unavailable,
				"cannot listen on %s: another process does already: end it, or choose another address with --listen (%w)", address, err), s.unlisten())
		default:
			return errors.Join(polymath.Errorf(polymath.InvalidArgument,
				"cannot listen on %s: choose another address with --listen (%w)", address, err), s.unlisten())
		}
	}
	return nil
}

func (s *Server) unlisten() error {
	var errs []error
	for _, l := range s.listeners {
		errs = append(errs, l.Close())
	}
	return errors.Join(errs...)
}

// begin starts everything that stands on the node.
func (s *Server) begin(ctx context.Context) error {
	if s.node.Stats().MaxJobs != max(s.options.MaxWaiting, 1) { // 1: it may be the default
		if _, err := s.node.Propose(ctx, &ledger.Configure{MaxJobs: s.options.MaxWaiting}); err != nil {
			return errors.Join(err, s.unlisten())
		}
	}
	trust, err := s.certificate()
	if err != nil {
		return errors.Join(err, s.unlisten())
	}
	s.everySecond("the history", func() { s.history.Sample(now(), s.node.Stats()) })
	s.paceCollector()
	s.watchMetrics()
	s.serve(trust)
	if s.options.Workers > 0 {
		s.Work(s.options.Functions, s.options.Workers)
	}
	s.holder.Address = s.URL()
	return s.directory.announce(s.holder)
}

// certificate reads the TLS certificate, if there is one.
func (s *Server) certificate() (*tls.Config, error) {
	o := &s.options
	if o.Certificate == "" && o.Key == "" {
		return nil, nil //nolint:nilnil // no TLS
	}
	pair, err := tls.LoadX509KeyPair(o.Certificate, o.Key)
	if err != nil {
		return nil, polymath.Errorf(polymath.InvalidArgument, "the TLS certificate %q with the key %q: %w", o.Certificate, o.Key, err)
	}
	return &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}, nil
}

// everySecond does something once a second until the Server is closed.
func (s *Server) everySecond(what string, do func()) {
	ctx, stop := context.WithCancel(context.Background())
	var doing sync.WaitGroup
	doing.Go(func() {
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				do()
			}
		}
	})
	s.stack.push(what, func() error {
		stop()
		doing.Wait()
		return nil
	})
}

func (s *Server) watchMetrics() {
	s.metrics.Watch(telemetry.Shard{
		Node: s.node, History: s.history,
		Journal: func() telemetry.Journal {
			j := s.journal.Stats()
			return telemetry.Journal{Entries: j.Entries, Bytes: j.Bytes, Syncs: j.Syncs}
		},
		Archive: func() telemetry.Archive {
			a := s.archive.Stats()
			return telemetry.Archive{Jobs: a.Jobs, Letters: a.Letters, Events: a.Events}
		},
	})
}

// serve answers requests until the Server is closed.
func (s *Server) serve(trust *tls.Config) {
	stopping, stop := context.WithCancel(context.Background())
	svc := service.New(s.node, catalog.New(s.options.Functions))
	calls := rpc.New(stopping, svc, s.log)
	web := &http.Server{
		Handler: s.handler(stopping, svc, calls), TLSConfig: trust, Protocols: protocols(),
		ReadHeaderTimeout: headerTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeaderBytes,
		HTTP2:    &http.HTTP2Config{SendPingTimeout: pingPause, PingTimeout: pingPause},
		ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	var serving sync.WaitGroup
	for _, l := range s.listeners {
		serving.Go(func() {
			var err error
			if trust != nil {
				err = web.ServeTLS(l, "", "")
			} else {
				err = web.Serve(l)
			}
			if !errors.Is(err, http.ErrServerClosed) {
				s.fail(fmt.Errorf("serve on %v: %w", l.Addr(), err))
			}
		})
	}
	s.stack.push("the service", func() error {
		stop()
		ctx, cancel := context.WithTimeout(context.Background(), drainLimit)
		defer cancel()
		err := web.Shutdown(ctx)
		if errors.Is(err, context.DeadlineExceeded) { // whoever is left asks again
			err = web.Close()
		}
		serving.Wait()
		calls.Settle()
		return err
	})
}

// protocols are those of REST and streams, with TLS and without.
func protocols() *http.Protocols {
	var p http.Protocols
	p.SetHTTP1(true)
	p.SetHTTP2(true)
	p.SetUnencryptedHTTP2(true)
	return &p
}

// handler is the faces, and what stands before them.
func (s *Server) handler(stopping context.Context, svc *service.Service, calls *rpc.Server) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", rest.New(rest.Over(svc, s.history), rest.Options{Version: s.options.Version, Log: s.log, Stopping: stopping}))
	mux.Handle(calls.Handler())
	mux.Handle("GET /metrics", s.metrics.Handler())
	return s.metrics.HTTP(rest.Guard(mux, s.hosts(), "--host NAME"), s.log, rest.LoggedPath)
}

// hosts are the names requests may call this server by.
func (s *Server) hosts() []string {
	hosts := append([]string{"localhost", "127.0.0.1", "::1"}, s.options.Hosts...)
	for _, address := range s.options.Listen {
		if host, _, err := net.SplitHostPort(address); err == nil && host != "" {
			hosts = append(hosts, host)
		}
	}
	return hosts
}

// URL is where the server answers.
func (s *Server) URL() string { return s.urlOf(s.listeners[0].Addr()) }

// URLs are all the places where it does.
func (s *Server) URLs() []string {
	var all []string
	for _, l := range s.listeners {
		all = append(all, s.urlOf(l.Addr()))
	}
	return all
}

// urlOf is the URL of an address that is listened on. One that stands for all
// of this machine is no name to call it by: the URL has its loopback then.
func (s *Server) urlOf(a net.Addr) string {
	scheme, address := "http", a.String()
	if s.options.Certificate != "" {
		scheme = "https"
	}
	if tcp, ok := a.(*net.TCPAddr); ok && tcp.IP.IsUnspecified() {
		address = net.JoinHostPort("127.0.0.1", strconv.Itoa(tcp.Port))
	}
	return scheme + "://" + address
}
