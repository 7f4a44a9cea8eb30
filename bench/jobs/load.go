package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/polymath-run/polymath/bench/process"
)

// Bounds of a run.
const (
	warmJobs   = 40 * callers      // at least, to warm up
	warmPart   = 5                 // of a run's time is spent on it, at least
	drainLimit = 100 * time.Second // from the last submission to the last result
)

// errNotCounted is of a system that does not tell how often it syncs.
var errNotCounted = errors.New("not counted")

// load is what a system is given to do.
type load struct {
	length time.Duration // how long it should take, about
	batch  int           // jobs a call; 1 is one job a call
}

// result is what a run under load has shown.
type result struct {
	jobs     int
	took     time.Duration   // from the first submission until the last job finished
	waits    []time.Duration // for each acknowledgement, sorted
	server   time.Duration   // processor time of the server's processes
	own      time.Duration   // processor time of this one: callers and workers
	syncs    float64         // of the server, for each job
	syncsErr error           // why syncs is unknown
}

// rate is jobs per second, end to end.
func (r result) rate() float64 { return float64(r.jobs) / r.took.Seconds() }

// perJob is a part of the run's time for each of its jobs.
func (r result) perJob(d time.Duration) time.Duration { return d / time.Duration(r.jobs) }

// run starts a system, warms it up, measures it under load and ends it.
func (l load) run(ctx context.Context, s system, place string) (r result, err error) {
	dir, err := os.MkdirTemp(place, "run-")
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if err := s.start(ctx, dir); err != nil {
		return r, errors.Join(fmt.Errorf("start: %w", err), s.close())
	}
	defer func() { err = errors.Join(err, s.close()) }()
	warmed, rate, err := l.warm(ctx, s)
	if err != nil {
		return r, fmt.Errorf("warm-up: %w", err)
	}
	runtime.GC()
	calls := max(callers, int(rate*l.length.Seconds())/l.batch)
	if r, err = l.measure(ctx, s, calls*l.batch, warmed); err != nil {
		return r, err
	}
	syncs, err := s.syncs(ctx)
	r.syncs, r.syncsErr = float64(syncs)/float64(warmed+r.jobs), err
	if errors.Is(err, errNotCounted) {
		err = nil
	}
	return r, err
}

// warm submits more and more jobs, until they take a part of the time a run
// should take. It returns how many there were, and the last rate.
func (l load) warm(ctx context.Context, s system) (warmed int, rate float64, err error) {
	for jobs := max(warmJobs, callers*l.batch); ; jobs *= 2 {
		r, err := l.measure(ctx, s, jobs, warmed)
		if err != nil {
			return 0, 0, err
		}
		warmed += jobs
		if r.took >= l.length/warmPart {
			return warmed, r.rate(), nil
		}
	}
}

// measure submits jobs and waits until they have finished, after those that
// were before.
func (l load) measure(ctx context.Context, s system, jobs, before int) (r result, err error) {
	own, err := process.OwnCPU()
	if err != nil {
		return r, err
	}
	server, err := s.server().CPU()
	if err != nil {
		return r, err
	}
	begun := time.Now()
	if r.waits, err = l.submit(ctx, s, jobs); err != nil {
		return r, fmt.Errorf("submit: %w", err)
	}
	draining, cancel := context.WithTimeout(ctx, drainLimit)
	defer cancel()
	if err := s.drain(draining, before+jobs); err != nil {
		return r, fmt.Errorf("drain: %w", err)
	}
	r.jobs, r.took = jobs, time.Since(begun)
	if r.server, err = s.server().CPU(); err != nil {
		return r, err
	}
	if r.own, err = process.OwnCPU(); err != nil {
		return r, err
	}
	r.server, r.own = r.server-server, r.own-own
	return r, nil
}

// submit has all callers submit until there are so many jobs. It returns how
// long each call took, sorted.
func (l load) submit(ctx context.Context, s system, jobs int) (waits []time.Duration, err error) {
	ctx, cancel := context.WithCancel(ctx) // the first failure ends all callers
	defer cancel()
	left := atomic.Int64{}
	left.Store(int64(jobs / l.batch))
	var mu sync.Mutex // guards the results
	var calling sync.WaitGroup
	for range callers {
		calling.Go(func() {
			var own []time.Duration
			var failure error
			for failure == nil && left.Add(-1) >= 0 {
				begun := time.Now()
				failure = l.call(ctx, s)
				own = append(own, time.Since(begun))
			}
			if failure != nil {
				cancel()
			}
			mu.Lock()
			defer mu.Unlock()
			if waits = append(waits, own...); err == nil {
				err = failure
			}
		})
	}
	calling.Wait()
	slices.Sort(waits)
	return waits, err
}

// call is one call of one caller.
func (l load) call(ctx context.Context, s system) error {
	if l.batch == 1 {
		_, err := s.submit(ctx)
		return err
	}
	many, ok := s.(bulkSystem)
	if !ok {
		return errors.New("it takes no jobs in bulk")
	}
	return many.submitMany(ctx, l.batch)
}

// quantile of sorted times; q is from 0 to 1.
func quantile(sorted []time.Duration, q float64) time.Duration {
	return sorted[int(q*float64(len(sorted)-1))]
}
