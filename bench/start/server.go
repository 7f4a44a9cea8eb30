package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/polymath-run/polymath/bench/server"
	"github.com/polymath-run/polymath/client"
	"github.com/polymath-run/polymath/internal/addresstest"
)

// What waits in the full directory: jobs with an input of 100 bytes.
const (
	million    = 1_000_000
	fillCall   = 1000 // jobs a call
	fillers    = 8    // calls at a time
	inputBytes = 100
	openMetric = "polymath_unfinished_jobs"
)

// startServers measures how long a server takes from its start until it is
// ready: with nothing, and after a kill with a million jobs that wait.
func (m *measurement) startServers(ctx context.Context) (empty, full time.Duration, err error) {
	program, err := server.Build(ctx, m.place)
	if err != nil {
		return 0, 0, err
	}
	address, err := addresstest.Any()
	if err != nil {
		return 0, 0, err
	}
	var took []time.Duration
	for i := range warmRuns {
		s, d, err := startServer(ctx, program, filepath.Join(m.place, fmt.Sprint("empty", i)), address)
		if err != nil {
			return 0, 0, err
		}
		if err := s.Stop(); err != nil {
			return 0, 0, err
		}
		took = append(took, d)
	}
	slices.Sort(took)
	full, err = m.startFull(ctx, program, address)
	return took[warmRuns/2], full, err
}

// startServer starts a server and measures until it is ready.
func startServer(ctx context.Context, p server.Program, data, address string) (*server.Server, time.Duration, error) {
	begun := time.Now()
	s, err := p.Start(ctx, data, address)
	return s, time.Since(begun), err
}

// startFull fills a server, kills it, so that nothing is tidied up before the
// end, and starts it again.
func (m *measurement) startFull(ctx context.Context, p server.Program, address string) (took time.Duration, err error) {
	data := filepath.Join(m.place, "full")
	s, _, err := startServer(ctx, p, data, address)
	if err != nil {
		return 0, err
	}
	if err := errors.Join(fill(ctx, s), s.Kill()); err != nil {
		return 0, err
	}
	s, took, err = startServer(ctx, p, data, address)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, s.Kill()) }()
	waiting, err := s.Metric(ctx, openMetric)
	if err == nil && waiting != million {
		err = fmt.Errorf("%.0f jobs wait after the start, not %d", waiting, million)
	}
	return took, err
}

// fill submits a million jobs that nobody works on.
func fill(ctx context.Context, s *server.Server) error {
	c, err := client.Dial(ctx, s.URL, client.Options{})
	if err != nil {
		return err
	}
	defer c.Close()
	const frame = `{"a":"","b":"0"}`
	input := `{"a":"` + strings.Repeat("1", inputBytes-len(frame)) + `","b":"0"}`
	requests := slices.Repeat([]client.Request{{Function: "add", Input: input}}, fillCall)
	var calls atomic.Int64
	errs := make([]error, fillers)
	var filling sync.WaitGroup
	for i := range fillers {
		filling.Go(func() {
			for errs[i] == nil && calls.Add(1) <= million/fillCall {
				errs[i] = submit(ctx, c, requests)
			}
		})
	}
	filling.Wait()
	return errors.Join(errs...)
}

// submit submits in one call, and wants every job to be accepted.
func submit(ctx context.Context, c *client.Client, requests []client.Request) error {
	outcomes, err := c.SubmitMany(ctx, requests)
	if err != nil {
		return err
	}
	for _, o := range outcomes {
		if o.Err != nil {
			return o.Err
		}
	}
	return nil
}
