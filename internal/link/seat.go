package link

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/api/polymathv1"
	"github.com/polymath-run/polymath/internal/wire"
	"github.com/polymath-run/polymath/internal/worker"
)

// Host is a server as workers see it. It implements worker.Host.
type Host struct {
	link      *Link
	functions []*polymathv1.Declaration
}

// seat is a worker's session at the server. It outlives the stream.
type seat struct {
	link      *Link
	name      string
	functions []*polymathv1.Declaration
	post      func(worker.Event)
	session   polymath.Ref
	encoded   []byte
	rejoining *call // guarded by Link.mu
}

// Join implements worker.Host.
func (h *Host) Join(ctx context.Context, name string, post func(worker.Event)) (worker.Seat, error) {
	s := &seat{link: h.link, name: name, functions: h.functions, post: post}
	joined := make(chan error, 1)
	c := &call{once: true, question: &asked{write: s.putJoin, hear: func(r *polymathv1.Reply, err error) { joined <- s.joined(r, err) }}}
	if err := h.link.ask(c); err != nil {
		return nil, err
	}
	select {
	case err := <-joined:
		if err != nil {
			return nil, err
		}
		return s, nil
	case <-ctx.Done():
		return nil, gaveUp(ctx)
	}
}

// putJoin adds the seat's Join to a message: for a new session, or for the
// one it has.
func (s *seat) putJoin(m *polymathv1.Calls, number uint64) int {
	m.Joins = append(m.Joins, &polymathv1.Join{Call: number, Name: s.name, Session: s.encoded, Functions: s.functions})
	return requestBytes * (1 + len(s.functions))
}

// joined takes the session; from then on its news come here.
func (s *seat) joined(r *polymathv1.Reply, err error) error {
	if err != nil {
		return err
	}
	if s.session, err = wire.ParseSession(r.GetSession()); err != nil {
		return err
	}
	s.encoded = bytes.Clone(r.GetSession()) // which is part of a message
	s.link.mu.Lock()
	s.link.seats[s.session] = s
	s.link.mu.Unlock()
	return nil
}

// rejoin takes the seat's session up again in a new stream. l.mu is held.
func (l *Link) rejoin(s *seat) {
	if s.rejoining != nil {
		delete(l.pending, s.rejoining.number)
	}
	l.number++
	c := &call{number: l.number, once: true, question: &asked{write: s.putJoin, hear: func(_ *polymathv1.Reply, err error) {
		// Unavailable is a stream that broke: there will be another. With
		// any other error nothing will come of this session: nobody else
		// would tell the worker.
		if err != nil && polymath.CodeOf(err) != polymath.Unavailable {
			s.over()
		}
	}}}
	s.rejoining = c
	l.pending[c.number] = c
	l.put(c)
	// A server that started anew without this worker's functions knows them
	// with the Join, and grants what it holds again.
}

// over ends the seat.
func (s *seat) over() {
	s.link.mu.Lock()
	_, open := s.link.seats[s.session]
	delete(s.link.seats, s.session)
	s.link.mu.Unlock()
	if open {
		s.post(worker.EventFunc((*worker.Loop).Closed))
	}
}

// granted tells the workers of their leases. It comes before the replies of a
// message: one of them may be to the completion of a lease told again.
func (l *Link) granted(grants []*polymathv1.Grant) {
	for len(grants) > 0 {
		session := grants[0].GetSession()
		n := slices.IndexFunc(grants, func(g *polymathv1.Grant) bool { return !bytes.Equal(g.GetSession(), session) })
		if n < 0 {
			n = len(grants)
		}
		if s := l.seat(session); s != nil {
			s.granted(grants[:n])
		}
		grants = grants[n:]
	}
}

// granted tells the worker of its leases, all at once.
func (s *seat) granted(grants []*polymathv1.Grant) {
	leases := make([]polymath.Lease, 0, len(grants))
	for _, g := range grants {
		if lease, err := wire.ParseGrant(g); err == nil {
			leases = append(leases, lease)
		}
	}
	if len(leases) == 0 {
		return
	}
	s.post(worker.EventFunc(func(w *worker.Loop) {
		for i := range leases {
			w.Granted(&leases[i])
		}
	}))
}

// ended tells the workers which of their leases and sessions are over.
func (l *Link) ended(m *polymathv1.Replies) {
	for _, r := range m.GetRetired() {
		s := l.seat(r.GetSession())
		token, err := wire.ParseToken(r.GetToken())
		if s != nil && err == nil {
			s.post(worker.EventFunc(func(w *worker.Loop) { w.Retired(token) }))
		}
	}
	for _, session := range m.GetClosed() {
		if s := l.seat(session); s != nil {
			s.over()
		}
	}
}

// seat finds the seat of a session, or nil.
func (l *Link) seat(session []byte) *seat {
	r, err := wire.ParseSession(session)
	if err != nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.seats[r]
}

// ask sends a call of the worker's.
func (s *seat) ask(c *call) {
	c.once = true
	if err := s.link.ask(c); err != nil {
		c.end(nil, err)
	}
}

// tell is how the worker hears of an outcome: through its mailbox.
func (s *seat) tell(done func(error), err error) {
	s.post(worker.EventFunc(func(*worker.Loop) { done(err) }))
}

// Demand implements worker.Seat.
func (s *seat) Demand(functions []string, slots uint32, each time.Duration, done func(error)) {
	s.ask(&call{question: &asked{
		write: func(m *polymathv1.Calls, n uint64) int {
			m.Demands = append(m.Demands, &polymathv1.Demand{
				Call: n, Session: s.encoded, Functions: functions, Slots: slots, Micros: uint64(each.Microseconds()),
			})
			return requestBytes * (1 + len(functions))
		},
		hear: func(_ *polymathv1.Reply, err error) { s.tell(done, err) },
	}})
}

// Beat implements worker.Seat.
func (s *seat) Beat() {
	s.link.say(func(m *polymathv1.Calls) int {
		m.Beats = append(m.Beats, s.encoded)
		return len(s.encoded)
	})
}

// Progress implements worker.Seat.
func (s *seat) Progress(token polymath.Token, units uint64) {
	s.link.say(func(m *polymathv1.Calls) int {
		m.Progress = append(m.Progress, &polymathv1.Progress{Token: wire.Token(token), Done: units})
		return requestBytes
	})
}

// report tells of the end of a lease. It is the event of its answer, too.
type report struct {
	call    call
	seat    *seat
	message polymathv1.Report
	token   [wire.TokenBytes]byte // of message
	told    func(error)
	err     error // of the answer
}

func (r *report) put(m *polymathv1.Calls, number uint64) int {
	r.message.Call = number
	m.Reports = append(m.Reports, &r.message)
	return requestBytes + len(r.message.GetOutput()) + len(r.message.GetError())
}

func (r *report) done(_ *polymathv1.Reply, err error, _ bool) {
	r.err = err
	r.seat.post(r)
}

// Apply implements worker.Event.
func (r *report) Apply(*worker.Loop) { r.told(r.err) }

// report begins a report of a kind; send sends it.
func (s *seat) report(kind polymathv1.Report_Kind, t polymath.Token, done func(error)) *report {
	r := &report{seat: s, told: done}
	r.call.question = r
	r.message.Kind = kind
	r.message.Token = wire.AppendToken(r.token[:0], t)
	return r
}

func (r *report) send() { r.seat.ask(&r.call) }

// Complete implements worker.Seat.
func (s *seat) Complete(token polymath.Token, output []byte, took time.Duration, done func(error)) {
	r := s.report(polymathv1.Report_COMPLETE, token, done)
	r.message.Output, r.message.Micros = output, uint64(took.Microseconds())
	r.send()
}

// Fail implements worker.Seat.
func (s *seat) Fail(token polymath.Token, text string, done func(error)) {
	r := s.report(polymathv1.Report_FAIL, token, done)
	r.message.Error = strings.ToValidUTF8(text, "\uFFFD")
	r.send()
}

// Release implements worker.Seat.
func (s *seat) Release(token polymath.Token, done func(error)) {
	s.report(polymathv1.Report_RELEASE, token, done).send()
}

// Leave implements worker.Seat.
func (s *seat) Leave(done func(error)) {
	left := func(err error) {
		s.link.mu.Lock()
		delete(s.link.seats, s.session)
		s.link.mu.Unlock()
		done(err)
	}
	s.ask(&call{question: &asked{
		write: func(m *polymathv1.Calls, n uint64) int {
			m.Leaves = append(m.Leaves, &polymathv1.Leave{Call: n, Session: s.encoded})
			return requestBytes
		},
		hear: func(_ *polymathv1.Reply, err error) { s.tell(left, err) },
	}})
}
