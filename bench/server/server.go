// Package server runs the program's server and its workers as their users do:
// each a process of its own, built from this checkout.
package server

import (
	"bufio"
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/polymath-run/polymath/bench/checkout"
	"github.com/polymath-run/polymath/bench/process"
	"github.com/polymath-run/polymath/internal/addresstest"
)

// Program is the program, built.
type Program struct{ path string }

// Build builds the program into a directory.
func Build(ctx context.Context, dir string) (Program, error) {
	p := Program{filepath.Join(dir, "polymath")}
	return p, checkout.Build(ctx, p.path)
}

// Command is the program with arguments.
func (p Program) Command(ctx context.Context, args ...string) *exec.Cmd {
	return exec.CommandContext(ctx, p.path, args...)
}

// Server is a server that was started.
type Server struct {
	*process.Process
	URL string
}

// Start starts a server on a data directory at an address, and returns when it
// is ready. It runs no functions itself: see Worker.
func (p Program) Start(ctx context.Context, data, address string) (*Server, error) {
	started, err := process.Start(p.Command(ctx, "server", "--data", data, "--listen", address))
	if err != nil {
		return nil, err
	}
	s := &Server{started, "http://" + address}
	if err := s.Ready(ctx, s.ready); err != nil {
		_ = s.Kill() // err says why already
		return nil, err
	}
	return s, nil
}

// Launch builds the program into a directory and starts a server on an address
// of its own, with its data there.
func Launch(ctx context.Context, dir string) (Program, *Server, error) {
	p, err := Build(ctx, dir)
	if err != nil {
		return p, nil, err
	}
	address, err := addresstest.Any()
	if err != nil {
		return p, nil, err
	}
	s, err := p.Start(ctx, filepath.Join(dir, "data"), address)
	return p, s, err
}

// Worker starts a worker of a server with the functions that are built in. It
// may not have joined yet when Worker returns.
func (p Program) Worker(ctx context.Context, s *Server) (*process.Process, error) {
	return process.Start(p.Command(ctx, "worker", "--server", s.URL))
}

// ready asks once whether the server is ready.
func (s *Server) ready(ctx context.Context) error {
	body, err := s.get(ctx, "/readyz")
	if err != nil {
		return err
	}
	return body.Close()
}

// Metric reads one of the server's metrics, over all its labels.
func (s *Server) Metric(ctx context.Context, name string) (sum float64, err error) {
	body, err := s.get(ctx, "/metrics")
	if err != nil {
		return 0, err
	}
	defer func() { _ = body.Close() }() // it was only read
	found := false
	for lines := bufio.NewScanner(body); lines.Scan(); {
		value, ok := sample(lines.Text(), name)
		if !ok {
			continue
		}
		v, err := strconv.ParseFloat(value, 64)
		if err != nil {
			return 0, fmt.Errorf("metric %s: %w", name, err)
		}
		sum, found = sum+v, true
	}
	if !found {
		return 0, fmt.Errorf("%s/metrics has no %s", s.URL, name)
	}
	return sum, nil
}

// sample is the value in a line of the Prometheus text format, if it is one of
// that metric.
func sample(line, name string) (value string, ok bool) {
	rest, ok := strings.CutPrefix(line, name)
	if !ok || rest == "" || rest[0] != ' ' && rest[0] != '{' {
		return "", false
	}
	rest = rest[strings.LastIndexByte(rest, '}')+1:]
	value, _, _ = strings.Cut(strings.TrimSpace(rest), " ") // a time may follow
	return value, value != ""
}
