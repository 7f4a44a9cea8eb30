package rpc

import (
	"context"
	"errors"
	"io"
	"os"
	"slices"
	"sync"
	"time"

	"connectrpc.com/connect"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/api/polymathv1"
	"github.com/polymath-run/polymath/internal/function/remote"
	"github.com/polymath-run/polymath/internal/ledger"
	"github.com/polymath-run/polymath/internal/node"
	"github.com/polymath-run/polymath/internal/wire"
)

// Bounds of one stream.
const (
	maxOwed      = 65_536           // calls that are not answered yet
	maxSessions  = 100              // of workers
	maxParts     = 4 * maxOwed      // of one message: each takes the node for a moment
	maxReads     = 256              // jobs read with the node in hand at a time
	writeTimeout = 15 * time.Second // for one message; a client that reads nothing is gone
)

// stream is the stream of one client process. What is not said to belong to
// one goroutine is used with the node in hand only.
type stream struct {
	server *Server
	out    *outbox
	route  *node.Route

	owed     int               // calls not answered yet
	waits    map[uint64]func() // by call: how to stop
	sessions map[polymath.Ref][]remote.Declaration
	joining  int // sessions under way
	over     bool

	specs  []prepared  // room for those of one message; the reader's
	lately wire.Lately // of specs

	slab wire.Slab // of the messages; the writer's

	complete ledger.Complete // room for one that is proposed
}

func newStream(s *Server) *stream {
	st := &stream{
		server: s, out: newOutbox(s.unsentLimit),
		waits: make(map[uint64]func()), sessions: make(map[polymath.Ref][]remote.Declaration),
	}
	st.route = &node.Route{Post: st.post}
	return st
}

// Exchange implements the call.
func (s *Server) Exchange(ctx context.Context, x *connect.BidiStream[polymathv1.Calls, polymathv1.Replies]) error {
	if err := s.enter(); err != nil {
		return fault(err)
	}
	defer s.leave()
	if err := s.serve(ctx, called{x, controller(ctx)}); err != nil {
		return fault(err)
	}
	return nil
}

// serve is the life of a stream. The error says why the server ended it; nil
// when the client did.
func (s *Server) serve(ctx context.Context, x exchange) error {
	st := newStream(s)
	defer st.end()

	ctx, stop := context.WithCancelCause(ctx)
	defer context.AfterFunc(s.ending, func() {
		stop(polymath.Errorf(polymath.Unavailable, "the server is stopping: connect again"))
	})()
	var reading sync.WaitGroup
	reading.Go(func() { stop(st.read(ctx, x)) })
	err := st.write(ctx, x)
	stop(err)
	if cause := context.Cause(ctx); cause != nil && err == nil {
		err = cause
	}
	switch {
	case errors.Is(err, io.EOF) || errors.Is(err, context.Canceled):
		err = nil
	case errors.Is(err, os.ErrDeadlineExceeded):
		err = polymath.Errorf(polymath.Timeout, "nothing came for %v: a client says something every few seconds", silenceLimit)
	case errors.Is(err, context.DeadlineExceeded):
		err = polymath.Errorf(polymath.Timeout, "the time the client set for this stream is over: a stream needs no deadline")
	}
	// Whatever the client is about to say, it is too late.
	x.finish(err)
	reading.Wait()
	return err
}

// read takes the messages of the client until the stream ends.
func (st *stream) read(ctx context.Context, x exchange) error {
	for {
		for st.out.full() {
			select {
			case <-st.out.room:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		m, err := x.Receive()
		if err != nil {
			return err
		}
		if ctx.Err() != nil {
			continue // until the client closes: what it said last must not hide why the stream ends
		}
		if n := parts(m); n > maxParts {
			return polymath.Errorf(polymath.TooLarge, "a message asks for %d things, more than %d", n, maxParts)
		}
		if parts(m) == 0 { // it asks whether we are here
			st.out.put(item{})
			continue
		}
		st.take(m)
	}
}

// parts is how many things a message asks for.
func parts(m *polymathv1.Calls) int {
	return len(m.GetSubmissions()) + len(m.GetGets()) + len(m.GetWaits()) + len(m.GetForgotten()) + len(m.GetCancels()) +
		len(m.GetJoins()) + len(m.GetDemands()) + len(m.GetBeats()) + len(m.GetProgress()) + len(m.GetReports()) + len(m.GetLeaves())
}

// write sends what gathers in the outbox until the stream ends. The first
// message, an empty one, says that the stream stands.
func (st *stream) write(ctx context.Context, x exchange) error {
	g := newGuard(x, st.server.writeLimit)
	defer g.end()
	failed := st.server.service.Node().Failed()
	select {
	case <-failed:
		return errStopped()
	default:
	}
	if err := g.send(&polymathv1.Replies{}); err != nil {
		return err
	}
	for {
		select {
		case <-ctx.Done():
			if st.server.ending.Err() == nil {
				return nil
			}
			g.limit = lingerLimit
			return st.flush(g) // what is known already need not be asked for again
		case <-failed: // nothing more will be answered
			return errStopped()
		case <-st.out.wake:
		}
		// Whoever holds the node now has more to tell, most likely: one
		// message for all of it costs what one for the first would.
		st.server.service.Node().Do(func(*node.Batch) {})
		if err := st.flush(g); err != nil {
			return err
		}
	}
}

// flush sends what the outbox holds.
func (st *stream) flush(g *guard) error {
	taken := st.out.take()
	for items := taken; len(items) > 0; {
		var m *polymathv1.Replies
		m, items = st.server.message(items, &st.slab)
		if err := g.send(m); err != nil {
			return err
		}
	}
	st.out.sent(taken)
	return nil
}

// end lets go of all that the stream held.
func (st *stream) end() {
	st.server.service.Node().Do(func(b *node.Batch) {
		st.over = true
		for call := range st.waits {
			st.stopWait(call)
		}
		for session, declared := range st.sessions {
			if st.server.ending.Err() == nil { // however long a server takes to stop, its workers are not away
				b.Detach(session, st.route)
			}
			st.server.service.Catalog().Retract(declared)
		}
		clear(st.sessions)
	})
}

// post hears what there is to tell a worker of this stream.
func (st *stream) post(session polymath.Ref, e node.SeatEvent) {
	if _, closed := e.(node.Closed); closed {
		st.server.service.Catalog().Retract(st.sessions[session])
		delete(st.sessions, session)
	}
	st.out.put(item{session: session, news: e})
}

// take does what a message asks for: everything in one batch, after what can
// be done without the node.
func (st *stream) take(m *polymathv1.Calls) {
	specs := slices.Grow(st.specs, len(m.GetSubmissions()))
	for _, sub := range m.GetSubmissions() {
		specs = append(specs, st.server.prepare(sub.GetRequest()))
	}
	st.readAhead(m)
	st.server.service.Node().Do(func(b *node.Batch) {
		if st.over {
			return
		}
		for i, sub := range m.GetSubmissions() {
			st.submit(b, sub.GetCall(), &specs[i])
		}
		for _, c := range m.GetGets() {
			st.get(b, c)
		}
		for _, c := range m.GetWaits() {
			st.wait(b, c)
		}
		for _, call := range m.GetForgotten() {
			if st.stopWait(call) {
				st.owed--
			}
		}
		for _, c := range m.GetCancels() {
			st.cancel(b, c)
		}
		st.work(b, m)
	})
	clear(specs) // what was submitted was copied
	if st.specs = specs[:0]; !st.lately.Keep(cap(specs), len(specs), keptItems) {
		st.specs = nil
	}
}

// readAhead reads jobs while more are asked for than are read in one go: each
// may have to come from the disk, and others want the node, too.
func (st *stream) readAhead(m *polymathv1.Calls) {
	for len(m.GetGets())+len(m.GetWaits()) > maxReads {
		gets := m.Gets[:min(len(m.Gets), maxReads)]
		waits := m.Waits[:min(len(m.Waits), maxReads-len(gets))]
		m.Gets, m.Waits = m.Gets[len(gets):], m.Waits[len(waits):]
		st.server.service.Node().Do(func(b *node.Batch) {
			if st.over {
				return
			}
			for _, c := range gets {
				st.get(b, c)
			}
			for _, c := range waits {
				st.wait(b, c)
			}
		})
	}
}

// owe notes that a call has to be answered; false when there are too many,
// which is then its answer.
func (st *stream) owe(call uint64) bool {
	if st.owed >= maxOwed {
		st.out.put(item{answer: true, call: call, err: wire.Error(polymath.Errorf(polymath.Overloaded,
			"%d calls of this stream are not answered yet: ask for less at a time", maxOwed))})
		return false
	}
	st.owed++
	return true
}

// reply answers a call.
func (st *stream) reply(call uint64, i item) {
	st.owed--
	if i.answer, i.call = true, call; !st.over {
		st.out.put(i)
	}
}

// done answers a call with nothing but its error.
func (st *stream) done(call uint64, err error) {
	st.reply(call, item{err: st.server.refusal(err)})
}

func (st *stream) submit(b *node.Batch, call uint64, p *prepared) {
	if !st.owe(call) {
		return
	}
	p.enter(b, st.ask(call, polymath.Token{}))
}

func (st *stream) get(b *node.Batch, c *polymathv1.JobCall) {
	if !st.owe(c.GetCall()) {
		return
	}
	id, err := polymath.ParseJobID(c.GetJob())
	var job polymath.Job
	var working uint64
	if err == nil {
		job, working, err = b.Job(id)
	}
	if err != nil {
		st.done(c.GetCall(), err)
		return
	}
	st.reply(c.GetCall(), item{job: &job, working: working})
}

func (st *stream) wait(b *node.Batch, c *polymathv1.JobCall) {
	call := c.GetCall()
	if !st.owe(call) {
		return
	}
	id, err := polymath.ParseJobID(c.GetJob())
	if _, twice := st.waits[call]; twice {
		err = polymath.Errorf(polymath.InvalidArgument, "call %d waits already", call)
	}
	if err == nil {
		err = st.server.service.BeginWait()
	}
	if err != nil {
		st.done(call, err)
		return
	}
	st.waits[call] = func() {}
	stop, err := b.Wait(id, func(job polymath.Job) {
		st.stopWait(call)
		st.reply(call, item{job: &job})
	})
	if err != nil {
		st.stopWait(call)
		st.done(call, err)
		return
	}
	if _, waiting := st.waits[call]; waiting {
		st.waits[call] = stop
	}
}

// stopWait ends a waiting; false when there is none of that call.
func (st *stream) stopWait(call uint64) bool {
	stop, waiting := st.waits[call]
	if waiting {
		delete(st.waits, call)
		stop()
		st.server.service.EndWait()
	}
	return waiting
}

func (st *stream) cancel(b *node.Batch, c *polymathv1.JobCall) {
	call := c.GetCall() // what is told later must not keep c, which is part of a message
	if !st.owe(call) {
		return
	}
	id, err := polymath.ParseJobID(c.GetJob())
	if err != nil {
		st.done(call, err)
		return
	}
	b.Propose(&ledger.Cancel{Job: id}, func(a ledger.Answer) { st.done(call, a.Err) })
}
