package rpc

import (
	"time"

	"github.com/polymath-run/polymath/api/polymathv1"
	"github.com/polymath-run/polymath/internal/node"
	"github.com/polymath-run/polymath/internal/wire"
)

// Bound makes the bounds of the streams that open from now on small enough
// to be reached in a test: how long a message may take to be read, and how
// many bytes may wait.
func (s *Server) Bound(write time.Duration, unsent int) { s.writeLimit, s.unsentLimit = write, unsent }

// Open counts n streams as open.
func (s *Server) Open(n int64) { s.streams.Add(n) }

// Stream is a stream without a wire.
type Stream struct{ stream *stream }

// Stream opens one.
func (s *Server) Stream() Stream { return Stream{newStream(s)} }

// Take does what a message asks for.
func (s Stream) Take(m *polymathv1.Calls) { s.stream.take(m) }

// Replies is what there is to say now.
func (s Stream) Replies() (all []*polymathv1.Replies) {
	for taken := s.stream.out.take(); len(taken) > 0; taken = s.stream.out.take() {
		for items := taken; len(items) > 0; {
			var m *polymathv1.Replies
			m, items = s.stream.server.message(items, new(wire.Slab))
			all = append(all, m)
		}
		s.stream.out.sent(taken)
	}
	return all
}

// Owed is how many calls are not answered.
func (s Stream) Owed() (n int) {
	s.stream.server.service.Node().Do(func(*node.Batch) { n = s.stream.owed })
	return n
}

// End closes the stream.
func (s Stream) End() { s.stream.end() }

// Held is how many items wait to be sent, and how many bytes of inputs and
// results they keep in memory.
func (s Stream) Held() (items, bytes int) {
	o := s.stream.out
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, i := range o.queue {
		if i.job != nil {
			bytes += len(i.job.Input) + len(i.job.Result)
		}
	}
	return len(o.queue), bytes
}
