package rest_test

import (
	"context"
	"encoding/json"
	"sync"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/api"
	"github.com/polymath-run/polymath/internal/event"
	"github.com/polymath-run/polymath/internal/rest"
)

// fake is a Backend in memory: jobs that finish when they are told to, under
// the laws of the real one. What a test does not use is missing.
type fake struct {
	rest.Backend // nil: an unexpected call fails the test loudly
	hub          *event.Hub
	log          *log

	mu      sync.Mutex
	jobs    map[polymath.JobID]*fakeJob
	keys    map[string]polymath.JobID
	next    uint64
	refusal error // of every Submit, nil for none
	barrier int   // calls of Barrier
	waiting int   // calls of Wait that have not returned
	entered chan struct{}
}

type fakeJob struct {
	picture api.Job
	request string
	done    chan struct{} // closed when it is final
}

// log is a Source of all events there ever were, or of those retention left.
type log struct {
	mu     sync.Mutex
	events []event.Event
	gone   event.ID // up to here retention removed
}

// Events implements event.Source.
func (l *log) Events(after event.ID, limit int) (out []event.Event, gap bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range l.events {
		if e.ID.Compare(after) > 0 && e.ID.Compare(l.gone) > 0 && len(out) < limit {
			out = append(out, e)
		}
	}
	return out, after.Compare(l.gone) < 0, nil
}

func (l *log) last() (id event.ID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.events) > 0 {
		id = l.events[len(l.events)-1].ID
	}
	return id
}

func newFake() *fake { return fakeOver(&log{}) }

// fakeOver is a fake whose events go on from a log, as after a restart.
func fakeOver(l *log) *fake {
	return &fake{
		hub: event.NewHub(l, l.last()), log: l, jobs: make(map[polymath.JobID]*fakeJob), keys: make(map[string]polymath.JobID),
		entered: make(chan struct{}, 100),
	}
}

// publish makes an event. f.mu is held, or nobody else is there.
func (f *fake) publish(kind event.Kind, job polymath.JobID, name string) event.ID {
	last := f.log.last()
	e := event.Event{ID: event.ID{Index: polymath.Index{Epoch: 1, Position: last.Index.Position + 1}}, Kind: kind, Job: job, Name: name, At: 1_700_000_000_000}
	f.log.mu.Lock()
	f.log.events = append(f.log.events, e)
	f.log.mu.Unlock()
	f.hub.Publish([]event.Event{e})
	return e.ID
}

// Submit implements rest.Jobs.
func (f *fake) Submit(_ context.Context, tenant string, requests []api.Submit) []rest.Outcome {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := make([]rest.Outcome, len(requests))
	for i, r := range requests {
		if f.refusal != nil {
			out[i].Err = f.refusal
			continue
		}
		text, _ := json.Marshal(r)
		key := tenant + "/" + r.Key
		if old, known := f.keys[key]; known && r.Key != "" {
			out[i] = rest.Outcome{ID: old, Existing: true}
			if f.jobs[old].request != string(text) {
				out[i] = rest.Outcome{Err: polymath.Errorf(polymath.KeyReused, "the key came with another request")}
			}
			continue
		}
		f.next++
		id := polymath.JobID{Ref: polymath.Ref{Index: polymath.Index{Epoch: 1, Position: f.next}}}
		f.jobs[id] = &fakeJob{
			picture: api.Job{ID: id.String(), Tenant: "default", Queue: "default", Function: r.Function, State: "queued", Units: 10},
			request: string(text), done: make(chan struct{}),
		}
		if r.Key != "" {
			f.keys[key] = id
		}
		f.publish(event.JobQueued, id, r.Function)
		out[i] = rest.Outcome{ID: id}
	}
	return out
}

// finish ends a job.
func (f *fake) finish(id polymath.JobID, answer string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	j := f.jobs[id]
	j.picture.State, j.picture.Done, j.picture.Result = "succeeded", j.picture.Units, json.RawMessage(answer)
	close(j.done)
	f.publish(event.JobSucceeded, id, j.picture.Function)
}

// advance lets a job be further.
func (f *fake) advance(id polymath.JobID) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.jobs[id].picture.State = "running"
	f.jobs[id].picture.Done++
}

func (f *fake) find(id polymath.JobID) (*fakeJob, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if j := f.jobs[id]; j != nil {
		return j, nil
	}
	return nil, polymath.Errorf(polymath.NotFound, "there is no job %v", id)
}

// Job implements rest.Jobs.
func (f *fake) Job(_ context.Context, id polymath.JobID) (api.Job, error) {
	j, err := f.find(id)
	if err != nil {
		return api.Job{}, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return j.picture, nil
}

// Wait implements rest.Jobs.
func (f *fake) Wait(ctx context.Context, id polymath.JobID) (api.Job, error) {
	j, err := f.find(id)
	if err != nil {
		return api.Job{}, err
	}
	f.count(1)
	defer f.count(-1)
	f.entered <- struct{}{}
	select {
	case <-j.done:
		return f.Job(ctx, id)
	case <-ctx.Done():
		return api.Job{}, polymath.Errorf(polymath.Timeout, "gave up waiting: %w", ctx.Err())
	}
}

func (f *fake) count(n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.waiting += n
}

// Barrier implements rest.State.
func (f *fake) Barrier(context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.barrier++
	return nil
}

// Events implements rest.State.
func (f *fake) Events() rest.Listener { return f.hub }

// Ready implements rest.State.
func (f *fake) Ready(context.Context) error { return nil }
