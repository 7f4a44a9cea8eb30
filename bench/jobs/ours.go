package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"sync"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/bench/process"
	"github.com/polymath-run/polymath/bench/server"
	"github.com/polymath-run/polymath/client"
	"github.com/polymath-run/polymath/internal/addresstest"
	"github.com/polymath-run/polymath/worker"
)

// The metrics of the server that are read.
const (
	syncsMetric    = "polymath_journal_syncs_total"
	finishedMetric = "polymath_jobs_finished_total"
)

// nothing is the function.
const nothing = "nothing"

// oursSystem is the program's server, as built from this checkout.
type oursSystem struct {
	program server.Program

	running *server.Server
	client  *client.Client
	work    sync.WaitGroup
	leave   func() // ends the worker
	left    error  // why the worker ended; read after work.Wait

	mu    sync.Mutex
	count int                     // jobs submitted since start
	last  [callers]polymath.JobID // the newest of them, in turn
}

// input is 100 bytes of JSON, and output 50.
func input() json.RawMessage {
	return json.RawMessage(`{"t":"` + text(inputBytes-len(`{"t":""}`)) + `"}`)
}

func output() string { return text(outputBytes - len(`""`)) }

func (s *oursSystem) start(ctx context.Context, dir string) error {
	address, err := addresstest.Any()
	if err != nil {
		return err
	}
	s.count = 0
	if s.running, err = s.program.Start(ctx, filepath.Join(dir, "data"), address); err != nil {
		return err
	}
	working, leave := context.WithCancel(ctx)
	s.leave = leave
	f := worker.Call(nothing, func(context.Context, json.RawMessage) (any, error) { return output(), nil })
	s.work.Go(func() {
		s.left = worker.Run(working, worker.Options{Server: s.running.URL, Name: "bench", Parallel: workers}, f)
	})
	if s.client, err = client.Dial(ctx, s.running.URL, client.Options{}); err != nil {
		return err
	}
	return s.joined(ctx)
}

// joined returns once the worker offers its function, which nobody can submit
// to before: with the first job, which is not one of those that are counted.
func (s *oursSystem) joined(ctx context.Context) error {
	return s.running.Ready(ctx, func(ctx context.Context) error {
		job, err := s.submit(ctx)
		if err != nil {
			return err
		}
		return s.wait(ctx, job)
	})
}

func (s *oursSystem) submit(ctx context.Context) (string, error) {
	id, err := s.client.Submit(ctx, client.Request{Function: nothing, Input: input()})
	if err != nil {
		return "", err
	}
	s.remember(id)
	return id.String(), nil
}

func (s *oursSystem) submitMany(ctx context.Context, n int) error {
	requests := make([]client.Request, n)
	for i := range requests {
		requests[i] = client.Request{Function: nothing, Input: input()}
	}
	outcomes, err := s.client.SubmitMany(ctx, requests)
	if err != nil {
		return err
	}
	for _, o := range outcomes {
		if o.Err != nil {
			return o.Err
		}
		s.remember(o.Job)
	}
	return nil
}

func (s *oursSystem) remember(id polymath.JobID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last[s.count%len(s.last)] = id
	s.count++
}

func (s *oursSystem) wait(ctx context.Context, job string) error {
	id, err := polymath.ParseJobID(job)
	if err != nil {
		return err
	}
	return s.finished(ctx, id)
}

// finished waits for one job and looks at its answer.
func (s *oursSystem) finished(ctx context.Context, id polymath.JobID) error {
	job, err := s.client.Wait(ctx, id)
	if err != nil {
		return err
	}
	if want := `"` + output() + `"`; job.Err != nil || string(job.Answer) != want {
		return fmt.Errorf("job %v %v with the answer %q: %w", id, job.State, job.Answer, job.Err)
	}
	return nil
}

// drain waits for the newest jobs and looks at their answers, and then has the
// server count: of jobs that are equal in all else, the last one submitted is
// the last one leased, but those beside it may end after it.
func (s *oursSystem) drain(ctx context.Context, n int) error {
	for _, id := range s.last {
		if err := s.finished(ctx, id); err != nil {
			return err
		}
	}
	want := float64(n + 1) // with that of joined
	return s.running.Ready(ctx, func(ctx context.Context) error {
		have, err := s.running.Metric(ctx, finishedMetric)
		if err == nil && have != want {
			err = fmt.Errorf("%.0f jobs have finished, not %.0f", have, want)
		}
		return err
	})
}

func (s *oursSystem) server() *process.Process { return s.running.Process }

func (s *oursSystem) syncs(ctx context.Context) (int, error) {
	n, err := s.running.Metric(ctx, syncsMetric)
	return int(n), err
}

func (s *oursSystem) close() error {
	if s.client != nil {
		s.client.Close()
		s.client = nil
	}
	var err error
	if s.leave != nil {
		s.leave()
		s.work.Wait()
		s.leave = nil
		if !errors.Is(s.left, context.Canceled) {
			err = s.left
		}
	}
	if s.running != nil {
		err = errors.Join(err, s.running.Stop())
		s.running = nil
	}
	return err
}

// ourEntrants is the program's server, with one job a call and in bulk.
func ourEntrants(ctx context.Context, place string) ([]*entrant, error) {
	program, err := server.Build(ctx, place)
	if err != nil {
		return nil, err
	}
	label := fmt.Sprint(workers, " workers")
	return []*entrant{
		{name: ours, variants: []variant{{label, &oursSystem{program: program}}}, batch: 1},
		{name: oursBulk, variants: []variant{{label, &oursSystem{program: program}}}, batch: bulk},
	}, nil
}
