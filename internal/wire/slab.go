package wire

import (
	"strings"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/api/polymathv1"
)

// Bounds of the memory for the parts of a message.
const (
	maxBlock  = 128 // values made at once
	keptParts = 512 // values kept for the next message, unless lately more were needed
	nameBytes = refBytes + TokenBytes
	usualID   = 16 // bytes: more than most ids of jobs have
)

// room makes the values of a list of a message, many at once, and may make the
// same ones for a list of the next message.
type room[T any] struct {
	list   []*T // so far; beyond its length those of earlier lists, empty
	block  []T  // for more of them
	lately Lately
}

// begin makes room for a list of so many. What was made before is not to be
// used any more.
func (r *room[T]) begin(parts int) {
	for _, v := range r.list {
		var empty T
		*v = empty
	}
	r.list = r.list[:0]
	if !r.lately.Keep(cap(r.list), parts, keptParts) || parts > cap(r.list) {
		kept := r.lately
		*r = room[T]{lately: kept}
		if parts > 0 {
			r.list = make([]*T, 0, parts)
		}
	}
}

func (r *room[T]) next() *T {
	n := len(r.list)
	if n < cap(r.list) {
		if v := r.list[:n+1][n]; v != nil {
			r.list = r.list[:n+1]
			return v
		}
	}
	if len(r.block) == 0 {
		r.block = make([]T, max(1, min(cap(r.list)-n, maxBlock)))
	}
	v := &r.block[0]
	r.block = r.block[1:]
	r.list = append(r.list, v)
	return v
}

// Slab makes the messages of a server, one after the other, in a few pieces of
// memory for all their parts: one each would cost more than what is written
// into it. Its zero value is ready.
type Slab struct {
	replies room[polymathv1.Reply]
	grants  room[polymathv1.Grant]
	names   []byte          // sessions and tokens
	jobs    strings.Builder // ids, one after the other
	ids     int             // about how many there will be
}

// Begin begins a message of about so many replies and grants. The one before is
// not to be used any more.
func (s *Slab) Begin(replies, grants int) {
	s.replies.begin(replies)
	s.grants.begin(grants)
	s.jobs.Reset()
	s.ids = replies + grants
	if s.names = s.names[:0]; cap(s.names) > keptParts*nameBytes {
		s.names = nil
	}
}

// Message is the message with the replies and grants that were made for it.
func (s *Slab) Message() *polymathv1.Replies {
	return &polymathv1.Replies{Replies: s.replies.list, Grants: s.grants.list}
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
	if from == 0 {
		s.jobs.Grow(max(1, s.ids) * usualID)
	}
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
		s.names = make([]byte, 0, nameBytes*max(1, min(cap(s.grants.list), maxBlock)))
	}
	g := s.grants.next()
	g.Session = s.name(appendRef(s.names, session))
	g.Token = s.name(AppendToken(s.names, l.Token))
	g.Job, g.Function, g.Input = s.Job(l.Job), l.Function, l.Input
	g.From, g.To, g.Attempt, g.Micros = l.Interval.From, l.Interval.To, l.Attempt, l.Micros
	g.LongestRun, g.Speculative = l.LongestRun, l.Speculative
	return g
}
