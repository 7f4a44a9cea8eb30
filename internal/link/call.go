package link

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"sync/atomic"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/api/polymathv1"
)

// Tickets makes keys that no other request has: eight bytes of chance and a
// number. It is safe for concurrent use.
type Tickets struct {
	process [8]byte
	number  atomic.Uint64
}

// NewTickets begins a series of tickets.
func NewTickets() *Tickets {
	t := &Tickets{}
	_, _ = rand.Read(t.process[:]) // it never fails
	return t
}

// Next is a new ticket.
func (t *Tickets) Next() []byte {
	return binary.BigEndian.AppendUint64(append(make([]byte, 0, 16), t.process[:]...), t.number.Add(1))
}

// Outcome is what became of a request for a job.
type Outcome struct {
	Job      polymath.JobID
	Existing bool // its key led to a job that was there before
	Err      error
}

// requestBytes is what a request takes on the wire beside its texts, about.
const requestBytes = 64

// Submit asks for jobs and returns what became of each, in their order. A
// request should have a key or a ticket: it is sent again when the stream
// breaks. The error says that ctx ended first, and that the jobs may exist.
func (l *Link) Submit(ctx context.Context, requests []*polymathv1.Request) ([]Outcome, error) {
	outcomes := make([]Outcome, len(requests))
	left := atomic.Int64{}
	left.Store(int64(len(requests)))
	all := make(chan struct{})
	if len(requests) == 0 {
		close(all)
	}
	calls := make([]*call, len(requests))
	for i, q := range requests {
		c := &call{}
		c.put = func(m *polymathv1.Calls) int {
			m.Submissions = append(m.Submissions, &polymathv1.Submission{Call: c.number, Request: q})
			return requestBytes + len(q.GetInput())
		}
		c.done = func(r *polymathv1.Reply, err error) {
			if err == nil {
				outcomes[i].Job, err = polymath.ParseJobID(r.GetJob())
				outcomes[i].Existing = r.GetExisting()
			}
			outcomes[i].Err = err
			if left.Add(-1) == 0 {
				close(all)
			}
		}
		calls[i] = c
	}
	if err := l.ask(calls...); err != nil {
		return nil, err
	}
	select {
	case <-all:
		return outcomes, nil
	case <-ctx.Done():
		for _, c := range calls {
			l.forget(c)
		}
		return nil, gaveUp(ctx)
	}
}

func gaveUp(ctx context.Context) error {
	return polymath.Errorf(polymath.Timeout, "gave up waiting; what was asked for may still happen: %w", ctx.Err())
}

// jobCall asks something about a job and returns the reply.
func (l *Link) jobCall(ctx context.Context, id polymath.JobID, list func(*polymathv1.Calls) *[]*polymathv1.JobCall) (*polymathv1.Reply, error) {
	type answer struct {
		reply *polymathv1.Reply
		err   error
	}
	told := make(chan answer, 1)
	name := id.String()
	c := &call{done: func(r *polymathv1.Reply, err error) { told <- answer{r, err} }}
	c.put = func(m *polymathv1.Calls) int {
		calls := list(m)
		*calls = append(*calls, &polymathv1.JobCall{Call: c.number, Job: name})
		return requestBytes
	}
	if err := l.ask(c); err != nil {
		return nil, err
	}
	select {
	case a := <-told:
		return a.reply, a.err
	case <-ctx.Done():
		l.forget(c)
		l.say(func(m *polymathv1.Calls) int {
			m.Forgotten = append(m.Forgotten, c.number)
			return 8
		})
		return nil, gaveUp(ctx)
	}
}

// Get reads a job.
func (l *Link) Get(ctx context.Context, id polymath.JobID) (*polymathv1.Job, error) {
	r, err := l.jobCall(ctx, id, func(m *polymathv1.Calls) *[]*polymathv1.JobCall { return &m.Gets })
	return r.GetPicture(), err
}

// Wait reads a job once it is finished.
func (l *Link) Wait(ctx context.Context, id polymath.JobID) (*polymathv1.Job, error) {
	r, err := l.jobCall(ctx, id, func(m *polymathv1.Calls) *[]*polymathv1.JobCall { return &m.Waits })
	return r.GetPicture(), err
}

// Cancel ends a job that is not finished. NotFound when there is no such job,
// or it is finished: by an earlier try of this very call, perhaps.
func (l *Link) Cancel(ctx context.Context, id polymath.JobID) error {
	_, err := l.jobCall(ctx, id, func(m *polymathv1.Calls) *[]*polymathv1.JobCall { return &m.Cancels })
	return err
}
