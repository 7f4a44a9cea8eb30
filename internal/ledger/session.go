package ledger

import (
	"slices"

	"github.com/polymath-run/polymath"
)

// session is an open stream of numbered entries, and for a worker also its
// standing demand and the leases it holds.
type session struct {
	ref   polymath.Ref
	nonce [16]byte // of the Open; zero: none
	node  string
	name  string // "" for a proposer
	local bool
	last  uint64 // number of the entry applied last

	functions []uint16 // wanted, by number, sorted
	slots     uint32
	micros    uint64
	leases    []*lease // held, by token
	rates     []rate
	since     uint64 // place among the idle sessions, 0: not idle
}

// rate is how fast a session runs a function: microseconds of the cost table
// done in a real microsecond, times rateOne.
type rate struct {
	function uint16
	value    uint64
}

func (l *Ledger) find(r polymath.Ref) (int, bool) {
	return slices.BinarySearchFunc(l.sessions, r, func(s *session, r polymath.Ref) int { return s.ref.Compare(r) })
}

// session finds an open session, or nil.
func (l *Ledger) session(r polymath.Ref) *session {
	if i, ok := l.find(r); ok {
		return l.sessions[i]
	}
	return nil
}

func (o *Open) apply(l *Ledger, fx *Effects) Answer {
	if o.Nonce != [16]byte{} {
		for _, s := range l.sessions { // the entry may have been appended twice
			if s.nonce == o.Nonce {
				return Answer{Ref: s.ref, Existing: true}
			}
		}
	}
	if len(l.sessions) >= MaxSessions {
		return refused(polymath.Overloaded, "there are %d open sessions, the most this server takes: close some", MaxSessions)
	}
	s := &session{ref: l.newRef(), nonce: o.Nonce, node: o.Node, name: o.Name, local: o.Local}
	l.sessions = append(l.sessions, s)
	if s.name != "" {
		fx.Events = append(fx.Events, Event{Kind: WorkerJoined, Name: s.name})
		fx.Joined = append(fx.Joined, s.ref)
	}
	return Answer{Ref: s.ref}
}

func (k *Close) apply(l *Ledger, fx *Effects) Answer {
	i, ok := l.find(k.Session)
	if !ok {
		return refused(polymath.NotFound, "session %v is not open", k.Session)
	}
	s := l.sessions[i]
	l.sessions = slices.Delete(l.sessions, i, i+1)
	l.want(s, nil, 0)
	fx.Closed = append(fx.Closed, s.ref)
	for len(s.leases) > 0 {
		ls := s.leases[0]
		if ls.outcome = Returned; k.Lost {
			ls.outcome = Expired
			l.lose(ls, "worker "+s.name+" vanished", fx)
		} else {
			l.giveBack(ls)
		}
	}
	if s.name != "" {
		fx.Events = append(fx.Events, Event{Kind: WorkerLeft, Name: s.name})
	}
	return Answer{}
}

func (d *Demand) apply(l *Ledger, _ *Effects) Answer {
	s := l.session(d.Session)
	if s == nil {
		return refused(polymath.NotFound, "session %v is not open: open another", d.Session)
	}
	if d.Slots > polymath.MaxSlots {
		return refused(polymath.InvalidArgument, "%d slots are more than the %d a session may have", d.Slots, polymath.MaxSlots)
	}
	var wanted []uint16
	var refusal error
	for _, name := range d.Functions {
		f, err := l.function(name)
		if err != nil {
			refusal = err
			break
		}
		l.functions[f].wanted++ // so that the next name does not take its place
		wanted = append(wanted, f)
	}
	for _, f := range wanted {
		l.functions[f].wanted--
	}
	if refusal != nil {
		return Answer{Err: refusal}
	}
	slices.Sort(wanted)
	s.micros = d.Micros
	l.want(s, slices.Compact(wanted), d.Slots)
	return Answer{}
}

// want replaces what a session asks for. One that goes on asking for the same
// keeps its place among the idle.
func (l *Ledger) want(s *session, functions []uint16, slots uint32) {
	if s.slots != slots || !slices.Equal(s.functions, functions) {
		l.unpark(s)
		l.countWants(s, -1)
		s.functions, s.slots = functions, slots
		l.countWants(s, +1)
	}
	l.park(s)
}

// countWants adds a session's demand to that for its functions, or takes it
// away.
func (l *Ledger) countWants(s *session, sign int) {
	for _, n := range s.functions {
		f := l.functions[n]
		f.wanted += uint32(sign)
		f.slots += uint64(sign) * uint64(s.slots)
	}
}

// park puts a session with free slots behind the idle ones, and takes one
// without out of them.
func (l *Ledger) park(s *session) {
	switch free := uint32(len(s.leases)) < s.slots; {
	case !free:
		l.unpark(s)
	case s.since == 0:
		l.parked++
		s.since = l.parked
		for _, n := range s.functions {
			l.functions[n].idle.join(s)
		}
	}
}

func (l *Ledger) unpark(s *session) {
	if s.since == 0 {
		return
	}
	s.since = 0
	for _, n := range s.functions {
		l.functions[n].idle.idle--
	}
}

// rate is how fast the session runs a function, and whether that is known.
func (s *session) rate(function uint16) (uint64, bool) {
	for _, r := range s.rates {
		if r.function == function {
			return r.value, true
		}
	}
	return rateOne, false
}

// learn moves the session's rate a quarter of the way to what a lease just
// showed: work that should have taken cost took micros.
func (s *session) learn(function uint16, cost, micros uint64) {
	seen := min(mulDiv(cost, rateOne, max(micros, 1)), maxRate)
	seen = max(seen, minRate)
	for i := range s.rates {
		if r := &s.rates[i]; r.function == function {
			r.value = r.value - r.value/4 + seen/4
			return
		}
	}
	s.rates = append(s.rates, rate{function, seen})
}

func (*Assume) apply(l *Ledger, _ *Effects) Answer {
	l.term = l.newRef()
	return Answer{Ref: l.term}
}

// stale answers a command of a timekeeper that is one no longer.
func (l *Ledger) stale(term polymath.Ref) (Answer, bool) {
	if term == l.term && !term.IsZero() {
		return Answer{}, false
	}
	return refused(polymath.Conflict, "term %v is over, the timekeeper's term is %v", term, l.term), true
}
