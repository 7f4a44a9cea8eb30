// Package client asks a Polymath server for calculations.
//
//	c, err := client.Dial(ctx, "http://127.0.0.1:8080", client.Options{})
//	if err != nil { ... }
//	defer c.Close()
//	answer, err := c.Run(ctx, client.Request{Function: "primes", Input: map[string]any{"to": 1e9}})
//
// A Client is safe for any number of goroutines, and better with many: what
// they ask for at the same time travels in one message. It opens its
// connection again when it breaks and repeats what was not answered; a ticket
// with every request sees to it that no job is begun twice.
//
// Submit, Get, Wait and Cancel travel in that stream. What is for people and
// for management, lists, events, queues and dead letters, is asked for over
// HTTP and JSON, in the types of package api; it is asked once, and the caller
// decides whether to ask again.
//
// Errors are *polymath.Error: polymath.CodeOf tells what kind.
package client

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"time"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/api/polymathv1"
	"github.com/polymath-run/polymath/internal/link"
	"github.com/polymath-run/polymath/internal/wire"
)

// Options are the choices of a Client.
type Options struct {
	// Tenant is whose jobs are asked for; "" is "default". A Request may name
	// another.
	Tenant string
	// TLS is how to trust a server whose URL is https; nil: as the system does.
	TLS *tls.Config
	// Lost, if it is there, hears why a connection broke, each time it does.
	// It must not block.
	Lost func(error)
}

// Client is a connection to a server. It must be closed.
type Client struct {
	link    *link.Link
	tickets *link.Tickets
	tenant  string
}

// Dial connects to the server at a URL such as http://127.0.0.1:8080. The
// error is Unavailable when no server answers there before ctx ends.
func Dial(ctx context.Context, server string, o Options) (*Client, error) {
	l, err := link.Dial(ctx, server, link.Options{TLS: o.TLS, Lost: o.Lost})
	if err != nil {
		return nil, err
	}
	return &Client{link: l, tickets: link.NewTickets(), tenant: o.Tenant}, nil
}

// Close ends the connection. Jobs that were submitted go on.
func (c *Client) Close() { c.link.Close() }

// Request asks for one calculation. Its zero fields stand for the defaults.
type Request struct {
	Function string
	// Input is the input object: a json.RawMessage, []byte or string with
	// JSON, or anything json.Marshal makes an object of; nil is {}.
	Input any

	Tenant   string // "" is the Client's
	Queue    string // "" is "default"
	Priority int8   // -100 to 100, the higher the sooner
	Attempts uint8  // of a part that fails, up to 20; 0 is 4
	SkipDead bool   // answer without the units that cannot be calculated
	// NotBefore and Deadline are when to begin, and when to fail unless
	// finished. Zero: at once, and never. A Deadline that has passed, or is not
	// after NotBefore, is refused.
	NotBefore, Deadline time.Time
	// Key makes the request idempotent over processes and restarts: with the
	// same Key and the same request it leads to the same job, for at least an
	// hour after that is finished; with another request it is refused
	// (KeyReused). At most 255 bytes.
	Key string
}

// Outcome is what became of one of many requests.
type Outcome struct {
	Job      polymath.JobID
	Existing bool // the request's Key led to this job, which was there before
	Err      error
}

// Submit asks for a job. When it returns nil the job is durable: it will
// finish, whatever dies. Unavailable and Timeout leave open whether there is a
// job; any other error says that there is none. To ask again after those two
// without a second job, give the request a Key.
func (c *Client) Submit(ctx context.Context, r Request) (polymath.JobID, error) {
	outcomes, err := c.SubmitMany(ctx, []Request{r})
	if err != nil {
		return polymath.JobID{}, err
	}
	return outcomes[0].Job, outcomes[0].Err
}

// SubmitMany asks for many jobs at once and says what became of each, in their
// order: one that is refused does not stop the others. The error says that
// nothing is known of any: ctx ended first, or the Client is closed.
func (c *Client) SubmitMany(ctx context.Context, requests []Request) ([]Outcome, error) {
	out := make([]Outcome, len(requests))
	messages := make([]*polymathv1.Request, 0, len(requests))
	room := make([]polymathv1.Request, len(requests))
	tickets := make([]byte, 0, link.TicketBytes*len(requests))
	places := make([]int, 0, len(requests))
	for i := range requests {
		m := &room[i]
		if out[i].Err = c.message(&requests[i], m); out[i].Err != nil {
			continue
		}
		if m.GetKey() == "" {
			from := len(tickets)
			tickets = c.tickets.Append(tickets)
			m.Ticket = tickets[from:len(tickets):len(tickets)]
		}
		messages, places = append(messages, m), append(places, i)
	}
	outcomes, err := c.link.Submit(ctx, messages)
	if err != nil {
		return nil, err
	}
	for i, o := range outcomes {
		out[places[i]] = Outcome(o)
	}
	return out, nil
}

// message writes a request for the wire, without a ticket.
func (c *Client) message(r *Request, m *polymathv1.Request) error {
	input, err := inputOf(r.Input)
	if err != nil {
		return err
	}
	m.Function, m.Input, m.Tenant, m.Queue, m.Key = r.Function, input, r.Tenant, r.Queue, r.Key
	m.Priority, m.Attempts, m.SkipDead = int32(r.Priority), uint32(r.Attempts), r.SkipDead
	m.NotBefore, m.Deadline = millis(r.NotBefore), millis(r.Deadline)
	if m.GetTenant() == "" {
		m.Tenant = c.tenant
	}
	return nil
}

func inputOf(v any) ([]byte, error) {
	switch v := v.(type) {
	case nil:
		return nil, nil
	case json.RawMessage:
		return v, nil
	case []byte:
		return v, nil
	case string:
		return []byte(v), nil
	}
	data, err := json.Marshal(v)
	if err != nil {
		return nil, polymath.Errorf(polymath.InvalidArgument, "the input cannot be written as JSON: %w", err)
	}
	return data, nil
}

func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// Job is a picture of a job.
type Job struct {
	ID       polymath.JobID
	Function string
	Tenant   string
	Queue    string
	Input    json.RawMessage
	State    polymath.State
	Units    uint64
	Done     uint64 // units that are part of the answer
	Working  uint64 // units done by leases that are still out
	Leased   uint64 // units out with workers
	Dead     uint64 // units the answer is without
	// Answer is one JSON value, of a job that succeeded.
	Answer json.RawMessage
	// Err says why a job has no answer: JobFailed, CancelledJob, Timeout, ...
	Err error
	// Zero: not yet.
	Submitted, Started, Finished time.Time
}

// Get reads a job. NotFound and Gone as their codes say.
func (c *Client) Get(ctx context.Context, id polymath.JobID) (Job, error) {
	m, err := c.link.Get(ctx, id)
	if err != nil {
		return Job{}, err
	}
	return job(m)
}

// Wait reads a job once it is finished.
func (c *Client) Wait(ctx context.Context, id polymath.JobID) (Job, error) {
	m, err := c.link.Wait(ctx, id)
	if err != nil {
		return Job{}, err
	}
	return job(m)
}

// Cancel ends a job that is not finished. One that is cancelled already is no
// error; one that ended otherwise is a Conflict.
func (c *Client) Cancel(ctx context.Context, id polymath.JobID) error {
	err := c.link.Cancel(ctx, id)
	if polymath.CodeOf(err) != polymath.NotFound {
		return err
	}
	job, lost := c.Get(ctx, id)
	switch {
	case lost != nil:
		return lost
	case job.State == polymath.Cancelled:
		return nil
	default:
		return polymath.Errorf(polymath.Conflict, "job %v is finished: it %v", id, job.State)
	}
}

// Run submits a job and waits for its answer: one JSON value. The error of a
// job that has none is why. When ctx ends first the job goes on.
func (c *Client) Run(ctx context.Context, r Request) (json.RawMessage, error) {
	id, err := c.Submit(ctx, r)
	if err != nil {
		return nil, err
	}
	j, err := c.Wait(ctx, id)
	if err != nil {
		return nil, err
	}
	return j.Answer, j.Err
}

// job reads a picture.
func job(m *polymathv1.Job) (j Job, err error) {
	j = Job{
		Function: m.GetFunction(), Tenant: m.GetTenant(), Queue: m.GetQueue(), Input: m.GetInput(), Units: m.GetUnits(),
		Done: m.GetDone(), Working: m.GetWorking(), Leased: m.GetLeased(), Dead: m.GetDead(), Answer: m.GetAnswer(),
		Err: wire.ParseError(m.GetError()), Submitted: moment(m.GetSubmitted()), Started: moment(m.GetStarted()), Finished: moment(m.GetFinished()),
	}
	if j.ID, err = polymath.ParseJobID(m.GetId()); err != nil {
		return j, err
	}
	j.State, err = polymath.ParseState(m.GetState())
	return j, err
}

func moment(millis int64) time.Time {
	if millis == 0 {
		return time.Time{}
	}
	return time.UnixMilli(millis).UTC()
}
