package rest

import (
	"context"
	"encoding/json"
	"time"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/api"
	"github.com/polymath-run/polymath/internal/event"
)

// Backend is what this face is a face of. Its methods are safe for concurrent
// use. Their errors have codes of the root package; one without a code is
// internal, and its text stays in the log.
type Backend interface {
	Jobs
	Letters
	Workers
	Queues
	State
}

// Jobs takes calculations and tells of them.
type Jobs interface {
	// Submit asks for jobs of a tenant. There is an Outcome for each request,
	// in order; a job is durable when Submit returns.
	Submit(ctx context.Context, tenant string, requests []api.Submit) []Outcome
	// Job reads a job, with its Result if that is short.
	Job(ctx context.Context, id polymath.JobID) (api.Job, error)
	// Wait returns the job once it is finished, or ctx's error.
	Wait(ctx context.Context, id polymath.JobID) (api.Job, error)
	List(ctx context.Context, q JobQuery) (api.JobList, error)
	Cancel(ctx context.Context, id polymath.JobID) error
	// Answer is the whole answer of a job that succeeded; Conflict for others.
	Answer(ctx context.Context, id polymath.JobID) (api.Job, json.RawMessage, error)
	Tasks(ctx context.Context, id polymath.JobID) (api.TaskList, error)
	Why(ctx context.Context, id polymath.JobID) (string, error)
	// Bar draws the input of a job in at most so many buckets.
	Bar(ctx context.Context, id polymath.JobID, buckets int) (api.Bar, error)
}

// Outcome is what became of one request.
type Outcome struct {
	ID       polymath.JobID
	Existing bool  // its key led to a job that was there before
	Err      error // then there is no ID
}

// JobQuery chooses jobs; zero fields choose all.
type JobQuery struct {
	Tenant, Function, Queue string
	State                   polymath.State
	After                   polymath.JobID // those submitted before this one
	Limit                   int            // 1 to api.MaxPage
}

// Letters keeps what used up its attempts.
type Letters interface {
	DeadLetters(ctx context.Context, q LetterQuery) (api.DeadLetterList, error)
	DeadLetter(ctx context.Context, at LetterID) (api.DeadLetter, error)
	// Requeue submits the letter's calculation again, as a job of its own,
	// and lets go of the letter.
	Requeue(ctx context.Context, at LetterID) (polymath.JobID, error)
	// Purge lets go of one letter.
	Purge(ctx context.Context, at LetterID) error
	// PurgeQueue lets go of all letters of a queue.
	PurgeQueue(ctx context.Context, tenant, queue string) error
}

// LetterID names a dead letter.
type LetterID struct {
	Job  polymath.JobID
	Unit uint64
}

// LetterQuery chooses dead letters; zero fields choose all.
type LetterQuery struct {
	Tenant, Queue string
	Job           polymath.JobID
	After         LetterID
	Limit         int // 1 to api.MaxPage
}

// Workers shows the workers, and serves those that speak HTTP and JSON.
type Workers interface {
	Workers(ctx context.Context) (api.WorkerList, error)
	Join(ctx context.Context, j *api.Join) (id string, err error)
	// Exchange takes what a worker says and waits until there is something to
	// tell it, or enough is closed: then there may be nothing. The worker
	// counts as alive until it returns.
	Exchange(ctx context.Context, id string, x *api.Exchange, enough <-chan struct{}) (api.Assignment, error)
	Leave(ctx context.Context, id string) error
}

// Queues shows and sets the queues.
type Queues interface {
	Queues(ctx context.Context) (api.QueueList, error)
	SetQueue(ctx context.Context, tenant, name string, patch *api.QueuePatch) (api.Queue, error)
}

// State tells of the server as a whole.
type State interface {
	Functions(ctx context.Context) (api.FunctionList, error)
	Function(ctx context.Context, name string) (api.Function, error)
	Stats(ctx context.Context) (api.Stats, error)
	// History reads what happened between two times, in steps of 1 or 10
	// seconds.
	History(ctx context.Context, step time.Duration, from, to time.Time) (api.History, error)
	// Spans is a page of leases after a cursor; "" begins with the oldest.
	Spans(ctx context.Context, after string, limit int) (api.SpanList, error)
	// Ready is why the server cannot serve, or nil.
	Ready(ctx context.Context) error
	// Barrier returns when every read that begins now sees all that was
	// acknowledged, by whatever node, before it was called.
	Barrier(ctx context.Context) error
	Events() Listener
}

// Listener is where events are heard; *event.Hub is one.
type Listener interface {
	// Last is the newest event: who begins after it hears what comes.
	Last() event.ID
	// Next waits until there are events after an ID.
	Next(ctx context.Context, after event.ID) (event.Batch, error)
}
