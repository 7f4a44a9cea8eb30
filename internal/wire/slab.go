package wire

import (
	"strings"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/api/polymathv1"
)

// maxBlock bounds how many values are made at once.
const maxBlock = 128

// room makes values for the parts of a message, many at once: about as many as
// there are.
type room[T any] struct {
	parts int
	block []T
}

func (r *room[T]) next() *T {
	if len(r.block) == 0 {
		r.block = make([]T, max(1, min(r.parts, maxBlock)))
	}
	v := &r.block[0]
	r.block = r.block[1:]
	r.parts--
	return v
}

// Slab makes the parts of one message of a server, in a few pieces of memory
// for all of them: one each would cost more than what is written into it. Its
// zero value is ready.
type Slab struct {
	replies room[polymathv1.Reply]
	grants  room[polymathv1.Grant]
	names   []byte          // sessions and tokens
	jobs    strings.Builder // ids, one after the other
}

// NewSlab makes a slab for about so many replies and grants.
func NewSlab(replies, grants int) *Slab {
	return &Slab{replies: room[polymathv1.Reply]{parts: replies}, grants: room[polymathv1.Grant]{parts: grants}}
}

// Reply is a new reply to a call.
func (s *Slab) Reply(call uint64) *polymathv1.Reply {
	r := s.replies.next()
	r.Call = call
	return r
}

// Job writes the id of a job.
func (s *Slab) Job(id polymath.JobID) string {
	from := s.jobs.Len()
	s.jobs.WriteString(id.String())
	return s.jobs.String()[from:]
}

// name gives a name that was appended to s.names, whose next one leaves it
// as it is.
func (s *Slab) name(appended []byte) []byte {
	from := len(s.names)
	s.names = appended
	return appended[from:len(appended):len(appended)]
}

// Grant writes a lease for the worker of a session.
func (s *Slab) Grant(session polymath.Ref, l *polymath.Lease) *polymathv1.Grant {
	if s.names == nil {
		s.names = make([]byte, 0, (refBytes+TokenBytes)*max(1, min(s.grants.parts, maxBlock)))
	}
	g := s.grants.next()
	g.Session = s.name(appendRef(s.names, session))
	g.Token = s.name(AppendToken(s.names, l.Token))
	g.Job, g.Function, g.Input = s.Job(l.Job), l.Function, l.Input
	g.From, g.To, g.Attempt, g.Micros = l.Interval.From, l.Interval.To, l.Attempt, l.Micros
	g.LongestRun, g.Speculative = l.LongestRun, l.Speculative
	return g
}
