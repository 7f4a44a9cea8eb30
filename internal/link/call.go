package link

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"sync/atomic"
	"unicode/utf8"

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

// TicketBytes is how long a ticket is.
const TicketBytes = 16

// Append appends a new ticket.
func (t *Tickets) Append(b []byte) []byte {
	return binary.BigEndian.AppendUint64(append(b, t.process[:]...), t.number.Add(1))
}

// Outcome is what became of a request for a job.
type Outcome struct {
	Job      polymath.JobID
	Existing bool // its key led to a job that was there before
	Err      error
}

// requestBytes is what a request takes on the wire beside its texts, about.
const requestBytes = 64

// maxRequestBytes bounds a request: so many after one message is almost full
// still make none that a server refuses to read.
const maxRequestBytes = messageBytes

// check refuses what no server could read, however often it is sent: the stream
// would break each time, and every call with it.
func check(q *polymathv1.Request) error {
	size := len(q.GetInput()) + len(q.GetFunction()) + len(q.GetTenant()) + len(q.GetQueue()) + len(q.GetKey()) + len(q.GetTicket())
	if size > maxRequestBytes {
		return polymath.Errorf(polymath.TooLarge, "the request has %d bytes, more than %d: split it over several jobs", size, maxRequestBytes)
	}
	for _, text := range []string{q.GetFunction(), q.GetTenant(), q.GetQueue(), q.GetKey()} {
		if !utf8.ValidString(text) {
			return polymath.Errorf(polymath.InvalidArgument, "%.80q is no UTF-8", text)
		}
	}
	return nil
}

// Submit asks for jobs and returns what became of each, in their order. A
// request should have a key or a ticket: it is sent again when the stream
// breaks. The error says that ctx ended first, and that the jobs may exist.
func (l *Link) Submit(ctx context.Context, requests []*polymathv1.Request) ([]Outcome, error) {
	outcomes := make([]Outcome, len(requests))
	asked := make([]submission, len(requests))
	calls := make([]*call, 0, len(requests))
	left := &countdown{zero: make(chan struct{})}
	for i, q := range requests {
		if outcomes[i].Err = check(q); outcomes[i].Err == nil {
			calls = append(calls, asked[i].ask(q, &outcomes[i], left))
		}
	}
	if len(calls) == 0 {
		return outcomes, nil
	}
	left.n.Store(int64(len(calls)))
	if err := l.ask(calls...); err != nil {
		return nil, err
	}
	select {
	case <-left.zero:
		return outcomes, nil
	case <-ctx.Done():
		l.forget(calls...)
		return nil, gaveUp(ctx)
	}
}

// countdown is how many outcomes are not known yet.
type countdown struct {
	n    atomic.Int64
	zero chan struct{} // closed with the last one
}

func (c *countdown) done() {
	if c.n.Add(-1) == 0 {
		close(c.zero)
	}
}

// submission asks for a job.
type submission struct {
	call    call
	message polymathv1.Submission
	outcome *Outcome
	left    *countdown
}

// ask is the call that asks for the job of a request.
func (s *submission) ask(q *polymathv1.Request, o *Outcome, left *countdown) *call {
	s.call.question, s.message.Request, s.outcome, s.left = s, q, o, left
	return &s.call
}

func (s *submission) put(m *polymathv1.Calls, number uint64) int {
	s.message.Call = number
	m.Submissions = append(m.Submissions, &s.message)
	return requestBytes + len(s.message.GetRequest().GetInput()) + len(s.message.GetRequest().GetKey())
}

func (s *submission) done(r *polymathv1.Reply, err error, again bool) {
	if err == nil {
		s.outcome.Job, err = polymath.ParseJobID(r.GetJob())
		s.outcome.Existing = r.GetExisting()
	}
	if again {
		err = doubt(err)
	}
	s.outcome.Err = err
	s.left.done()
}

// doubt is an error of a call that was asked for in an earlier stream as well:
// that this time nothing was changed says nothing of the first time.
func doubt(err error) error {
	switch polymath.CodeOf(err) {
	case polymath.Overloaded, polymath.Unavailable:
		return polymath.Errorf(polymath.Unavailable,
			"the connection broke, what was asked for may or may not have happened, and when it was asked for again: %w", err)
	default:
		return err
	}
}

func gaveUp(ctx context.Context) error {
	return polymath.Errorf(polymath.Timeout, "gave up waiting; what was asked for may still happen: %w", ctx.Err())
}

// jobCall asks something about a job and returns its picture, if the reply has
// one.
func (l *Link) jobCall(ctx context.Context, id polymath.JobID, list func(*polymathv1.Calls) *[]*polymathv1.JobCall) (*polymathv1.Job, error) {
	type answer struct {
		picture *polymathv1.Job
		err     error
	}
	told := make(chan answer, 1)
	name := id.String()
	c := &call{question: &asked{
		write: func(m *polymathv1.Calls, number uint64) int {
			calls := list(m)
			*calls = append(*calls, &polymathv1.JobCall{Call: number, Job: name})
			return requestBytes
		},
		hear: func(r *polymathv1.Reply, err error) { told <- answer{r.GetPicture(), err} },
	}}
	if err := l.ask(c); err != nil {
		return nil, err
	}
	select {
	case a := <-told:
		return a.picture, a.err
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
	return l.jobCall(ctx, id, func(m *polymathv1.Calls) *[]*polymathv1.JobCall { return &m.Gets })
}

// Wait reads a job once it is finished.
func (l *Link) Wait(ctx context.Context, id polymath.JobID) (*polymathv1.Job, error) {
	return l.jobCall(ctx, id, func(m *polymathv1.Calls) *[]*polymathv1.JobCall { return &m.Waits })
}

// Cancel ends a job that is not finished. NotFound when there is no such job,
// or it is finished: by an earlier try of this very call, perhaps.
func (l *Link) Cancel(ctx context.Context, id polymath.JobID) error {
	_, err := l.jobCall(ctx, id, func(m *polymathv1.Calls) *[]*polymathv1.JobCall { return &m.Cancels })
	return err
}
