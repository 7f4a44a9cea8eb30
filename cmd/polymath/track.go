package main

import (
	"context"
	"sync"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/api"
	"github.com/polymath-run/polymath/client"
)

// tracked is a job of a server that somebody looks at: one goroutine follows
// it, another draws it.
type tracked struct {
	id polymath.JobID

	mu      sync.Mutex // guards what follows
	job     polymath.Job
	working uint64
	known   bool
}

// look is what is known of the job.
func (t *tracked) look() (job polymath.Job, working uint64, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.known {
		return job, 0, polymath.Errorf(polymath.NotFound, "nothing is known of %v yet", t.id)
	}
	return t.job, t.working, nil
}

// follow follows the job to its end, and returns it with its whole answer.
func (t *tracked) follow(ctx context.Context, c *client.Client) (job api.Job, err error) {
	if job, err = c.Detail(ctx, t.id); err != nil {
		return job, err
	}
	t.mu.Lock()
	t.job.Function = job.Function
	t.mu.Unlock()
	if !job.Final() {
		for e, err := range c.Follow(ctx, t.id) {
			if err != nil {
				return job, err
			}
			if e.Progress != nil {
				t.tell(e.Progress)
			}
		}
		if job, err = c.Detail(ctx, t.id); err != nil {
			return job, err
		}
	}
	t.tell(&api.Progressed{State: job.State, Units: job.Units, Done: job.Done, Dead: job.Dead})
	if job.State == polymath.Succeeded.String() && job.Result == nil {
		job.Result, err = c.Answer(ctx, t.id)
	}
	return job, err
}

// tell takes down how far the job is.
func (t *tracked) tell(p *api.Progressed) {
	state, err := polymath.ParseState(p.State)
	if err != nil {
		return // of a newer server: the next one may be known
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.known, t.working = true, uint64(p.Working)
	t.job.State, t.job.Units, t.job.Done, t.job.Dead = state, uint64(p.Units), uint64(p.Done), uint64(p.Dead)
}
