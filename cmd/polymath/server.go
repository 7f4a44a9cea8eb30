package main

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"time"

	"github.com/spf13/cobra"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/app"
	"github.com/polymath-run/polymath/internal/function/all"
	"github.com/polymath-run/polymath/internal/link"
)

// serverSettings are the flags of server and up.
type serverSettings struct {
	*settings
	listen           []string
	hosts            []string
	certificate, key string
	maxWaiting       uint64
	workers          int // of up
	verbose          bool
}

// serverCommand serves jobs that workers elsewhere calculate.
func serverCommand(s *settings) *cobra.Command {
	o := &serverSettings{settings: s}
	cmd := &cobra.Command{
		Use:   "server",
		Short: "Take jobs over the network, for workers to calculate",
		Long: `Take jobs over HTTP and keep them in the data directory until workers have
calculated them. Start workers with 'polymath worker --server URL'; 'polymath up'
is a server and workers in one.

The addresses are printed on standard output, one a line, once requests are
answered. Ctrl-C or SIGTERM ends the server in order; whatever ends it, jobs
that were acknowledged go on when it is started again.`,
		Example: `  polymath server
  polymath server --listen 0.0.0.0:8080 --host compute.example.org`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.serve(cmd.Context(), 0) },
	}
	o.flags(cmd)
	return cmd
}

// upCommand is a server with workers of its own.
func upCommand(s *settings) *cobra.Command {
	o := &serverSettings{settings: s}
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Take jobs over the network and calculate them here",
		Long: `A server and workers on all cores, in one process. Further workers may join
from other machines.`,
		Example: "  polymath up",
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			workers, err := cores(o.workers)
			if err != nil {
				return err
			}
			return o.serve(cmd.Context(), workers)
		},
	}
	o.flags(cmd)
	cmd.Flags().IntVar(&o.workers, "workers", 0, "how many cores calculate (default all)")
	return cmd
}

func (o *serverSettings) flags(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringSliceVar(&o.listen, "listen", app.DefaultListen(), "the `address` to listen on, host:port; may be repeated")
	flags.StringSliceVar(&o.hosts, "host", nil, "a further `name` by which requests may call the server; may be repeated")
	flags.StringVar(&o.certificate, "tls-cert", "", "the `file` of the TLS certificate")
	flags.StringVar(&o.key, "tls-key", "", "the `file` of its key")
	flags.Uint64Var(&o.maxWaiting, "max-waiting", 0, "how many unfinished jobs are taken (default one million)")
	flags.BoolVar(&o.verbose, "verbose", false, "log every request")
}

// cores is how many cores are to calculate, for what was typed.
func cores(typed int) (int, error) {
	if typed < 0 || typed > maxWorkers {
		return 0, polymath.Errorf(polymath.InvalidArgument, "--workers is %d: it must be from 1 to %d, or 0 for all cores", typed, maxWorkers)
	}
	if typed == 0 {
		typed = runtime.GOMAXPROCS(0)
	}
	return typed, nil
}

func (o *serverSettings) logger() *slog.Logger {
	level := slog.LevelInfo
	if o.verbose {
		level = slog.LevelDebug
	}
	return slog.New(slog.NewTextHandler(o.stderr, &slog.HandlerOptions{Level: level}))
}

// serve serves until ctx ends.
func (o *serverSettings) serve(ctx context.Context, workers int) error {
	if (o.certificate == "") != (o.key == "") {
		return polymath.Errorf(polymath.InvalidArgument, "--tls-cert and --tls-key belong together: one is missing")
	}
	path, err := o.directory()
	if err != nil {
		return err
	}
	log := o.logger()
	s, err := app.Serve(ctx, app.ServerOptions{
		Options: app.Options{Directory: path, Version: version(), Log: log},
		Listen:  o.listen, Hosts: o.hosts, Certificate: o.certificate, Key: o.key,
		Functions: all.Set(o.dev), Workers: workers, MaxWaiting: o.maxWaiting,
	})
	if err != nil {
		return err
	}
	for _, url := range s.URLs() {
		if _, err := fmt.Fprintln(o.stdout, url); err != nil {
			log.Warn("the address could not be printed", "address", url, "error", err)
		}
	}
	log.Info("serving", "data", path, "workers", workers)
	select {
	case <-ctx.Done():
		log.Info("stopping")
	case <-s.Failed():
		err = s.Err()
	}
	if closing := s.Close(); closing != nil {
		log.Warn("the server was not left in order; nothing that was acknowledged is lost", "error", closing)
	}
	return err
}

// complaintPause is the least time between two lines of the log that say that
// there is no connection.
const complaintPause = 10 * time.Second

// complaints logs that there is no connection, now and then. The function it
// makes is called by one goroutine.
func complaints(log *slog.Logger, server string) func(error) {
	var last time.Time
	return func(err error) {
		if now := time.Now(); now.Sub(last) >= complaintPause {
			last = now
			log.Warn("no connection to the server; trying until there is one", "server", server, "error", err)
		}
	}
}

// workerCommand calculates for a server elsewhere.
func workerCommand(s *settings) *cobra.Command {
	var server, name string
	var workers int
	cmd := &cobra.Command{
		Use:   "worker",
		Short: "Calculate for a server",
		Long: `Take parts of jobs from a server and calculate them on this machine. The
worker connects again whenever the connection breaks. Ctrl-C or SIGTERM hands
back what it holds; when it is killed, its work runs elsewhere within seconds.`,
		Example: "  polymath worker --server http://127.0.0.1:8080",
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			parallel, err := cores(workers)
			if err != nil {
				return err
			}
			if cmd.Flags().Changed("name") {
				if err := polymath.CheckName("worker", name); err != nil {
					return polymath.Errorf(polymath.InvalidArgument, "--name: %w", err)
				}
			}
			log := slog.New(slog.NewTextHandler(s.stderr, nil))
			log.Info("joining", "server", server, "workers", parallel)
			w := link.Work{
				Server: server, Name: name, Functions: all.Set(s.dev), Parallel: parallel,
				Lost: complaints(log, server),
			}
			return w.Run(cmd.Context())
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&server, "server", defaultServer, "the `URL` of the server")
	flags.StringVar(&name, "name", "", "the `name` of this worker (default host name and process id)")
	flags.IntVar(&workers, "workers", 0, "how many cores calculate (default all)")
	return cmd
}
