package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"
)

// The low load: jobs at equal distances, whatever became of those before.
const (
	pace      = 200 // jobs a second
	paced     = 1000
	pacedWarm = 100 // of them, at the beginning, that are not counted
	paceLimit = 20 * time.Second
)

// latency is how long jobs take that have the system for themselves.
type latency struct {
	acknowledged []time.Duration // sorted
	visible      []time.Duration // until the result could be read, sorted
}

// measurePace starts a system, submits at a low rate and ends it.
func measurePace(ctx context.Context, s system, place string) (l latency, err error) {
	dir, err := os.MkdirTemp(place, "pace-")
	if err != nil {
		return l, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if err := s.start(ctx, dir); err != nil {
		return l, errors.Join(fmt.Errorf("start: %w", err), s.close())
	}
	defer func() { err = errors.Join(err, s.close()) }()
	ctx, cancel := context.WithTimeout(ctx, paceLimit)
	defer cancel()
	l.acknowledged, l.visible = make([]time.Duration, paced), make([]time.Duration, paced)
	failures := make([]error, paced)
	tick := time.NewTicker(time.Second / pace)
	defer tick.Stop()
	var running sync.WaitGroup
	for i := range paced {
		<-tick.C
		running.Go(func() {
			begun := time.Now()
			job, err := s.submit(ctx)
			l.acknowledged[i] = time.Since(begun)
			if err == nil {
				err = s.wait(ctx, job)
			}
			l.visible[i], failures[i] = time.Since(begun), err
		})
	}
	running.Wait()
	if err := errors.Join(failures...); err != nil {
		return l, err
	}
	l.acknowledged, l.visible = l.acknowledged[pacedWarm:], l.visible[pacedWarm:]
	slices.Sort(l.acknowledged)
	slices.Sort(l.visible)
	return l, nil
}
