package rpc

import (
	"strings"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/api/polymathv1"
	"github.com/polymath-run/polymath/internal/function/remote"
	"github.com/polymath-run/polymath/internal/ledger"
	"github.com/polymath-run/polymath/internal/node"
	"github.com/polymath-run/polymath/internal/service"
	"github.com/polymath-run/polymath/internal/wire"
)

// prepared is a request that was planned, or why it was not.
type prepared struct {
	tenant string
	spec   polymath.Spec
	ticket []byte
	err    error
}

// prepare plans a request.
func (s *Server) prepare(q *polymathv1.Request) (p prepared) {
	r := service.Request{
		Function: q.GetFunction(), Input: q.GetInput(), Tenant: q.GetTenant(), Key: q.GetKey(), Ticket: q.GetTicket(),
		Options: polymath.Options{
			Queue: q.GetQueue(), Priority: int8(q.GetPriority()), Attempts: uint8(q.GetAttempts()), SkipDead: q.GetSkipDead(),
			NotBefore: q.GetNotBefore(), Deadline: q.GetDeadline(),
		},
	}
	p.ticket = r.Ticket
	switch {
	case int32(r.Options.Priority) != q.GetPriority():
		p.err = polymath.Errorf(polymath.InvalidArgument, "priority %d is not between %d and %d",
			q.GetPriority(), polymath.MinPriority, polymath.MaxPriority)
	case uint32(r.Options.Attempts) != q.GetAttempts():
		p.err = polymath.Errorf(polymath.InvalidArgument, "%d attempts are more than %d", q.GetAttempts(), polymath.MaxAttempts)
	default:
		p.tenant, p.spec, p.err = s.service.Prepare(&r)
	}
	return p
}

// enter asks for the job; done hears what became of it. One that cannot be
// planned may have been taken before, by a server that knew its function: what
// its ticket led to is the answer.
func (p *prepared) enter(b *node.Batch, done func(ledger.Answer)) {
	if p.err == nil {
		b.Submit(p.tenant, &p.spec, done)
		return
	}
	if polymath.CodeOf(p.err) == polymath.NotFound && len(p.ticket) == service.TicketBytes {
		if id, known := b.Keyed([service.TicketBytes]byte(p.ticket)); known {
			done(ledger.Answer{Ref: id.Ref, Existing: true})
			return
		}
	}
	done(ledger.Answer{Err: p.err})
}

// refusal is an error for a message; what stays private is logged.
func (s *Server) refusal(err error) *polymathv1.Error {
	if polymath.CodeOf(err) == polymath.Internal {
		s.log.Error("a call failed", "error", err)
	}
	return wire.Error(err)
}

// maxAnswerBytes is how large an answer may be in a message: with the rest of
// it, what clients read.
const maxAnswerBytes = wire.MaxMessageBytes - messageBytes - 2*polymath.MaxInlineBytes

// picture is a job as clients read it.
func (s *Server) picture(job *polymath.Job, working uint64) *polymathv1.Job {
	p := &polymathv1.Job{
		Id: job.ID.String(), Function: job.Function, Tenant: job.Tenant, Queue: job.Options.Queue, State: job.State.String(),
		Units: job.Units, Done: job.Done, Working: min(working, job.Units-job.Done), Leased: job.Leased, Dead: job.Dead,
		Submitted: job.Submitted, Started: job.Started, Finished: job.Finished, Input: job.Input,
	}
	switch job.State {
	case polymath.Succeeded:
		answer, err := s.service.Answer(job)
		if err == nil && len(answer) > maxAnswerBytes {
			answer, err = nil, polymath.Errorf(polymath.TooLarge,
				"the answer has %d bytes, more than the %d a message of this stream has room for: read it over HTTP", len(answer), maxAnswerBytes)
		}
		p.Answer, p.Error = answer, s.refusal(err)
	case polymath.Failed, polymath.Cancelled:
		p.Error = &polymathv1.Error{Code: job.Code.String(), Message: strings.ToValidUTF8(job.Error, "\uFFFD")}
	}
	return p
}

// declarations reads what a worker says of its functions. Bad ones are found
// by whoever checks them.
func declarations(all []*polymathv1.Declaration) []remote.Declaration {
	out := make([]remote.Declaration, len(all))
	for i, d := range all {
		out[i] = remote.Declaration{
			Name: d.GetName(), Summary: d.GetSummary(), Kind: remote.Kind(d.GetKind()), Reducer: reducer(d.GetReducer()),
			Micros: d.GetMicros(), LongestRun: d.GetLongestRun(),
		}
	}
	return out
}

// reducer finds a reducer by its name; 0, which no check lets pass, for an
// unknown one.
func reducer(name string) polymath.Reducer {
	for _, r := range polymath.Reducers() {
		if r.String() == name {
			return r
		}
	}
	return 0
}
