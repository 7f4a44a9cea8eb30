package node

import (
	"errors"
	"slices"
	"time"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/journal"
	"github.com/polymath-run/polymath/internal/ledger"
)

// How long to wait before an entry is appended again.
const (
	firstAgain = 10 * time.Millisecond
	maxAgain   = time.Second
)

// entryHeadBytes is more than the head of an entry takes.
const entryHeadBytes = 128

// lane is one session of the node and the one entry it has under way.
// Entries of different lanes overlap; within a lane the next entry begins
// when the last one was applied, so that numbers never arrive out of order.
type lane struct {
	session polymath.Ref // zero: not open
	nonce   [16]byte     // of the Open under way
	number  uint64       // of the entry applied last
	flight  uint64       // counts entries launched, to know late outcomes
	entry   []byte       // under way; empty: none
	calls   []call       // in it, in order
	room    []call       // of the calls before, to be used again
	unknown bool         // an earlier attempt may have been stored
	tries   int
	again   time.Duration // when to append the entry again; 0: it is with the journal
}

// open begins a session for a lane.
func (c *Core) open(i int) {
	l := &c.lanes[i]
	l.session, l.number, l.nonce = polymath.Ref{}, 0, c.cfg.Nonce()
	e := ledger.Entry{At: c.cfg.Clock.Wall(), Commands: []ledger.Command{
		&ledger.Open{Nonce: l.nonce, Node: c.cfg.Name, Local: true},
	}}
	l.entry = e.Encode(l.entry[:0])
	l.calls, l.unknown, l.tries = nil, false, 0
	c.launch(i)
}

// Gather has what propose proposes travel together: no lane sets off before it
// has returned.
func (c *Core) Gather(propose func()) {
	c.gathering = true
	propose()
	c.gathering = false
	c.pump()
}

// pump gives waiting calls to lanes that are free.
func (c *Core) pump() {
	if c.gathering {
		return
	}
	for i := range c.lanes {
		l := &c.lanes[i]
		if len(c.calls) == 0 {
			return
		}
		if l.session.IsZero() || len(l.entry) > 0 {
			continue
		}
		if c.load(l); len(l.calls) > 0 {
			c.launch(i)
		}
	}
}

// load makes an entry of the calls that wait, as many as fit. A command that
// no entry can hold is refused here, so that it spoils nobody else's.
func (c *Core) load(l *lane) {
	n := 0
	l.calls, l.room = slices.Grow(l.room, min(len(c.calls), ledger.MaxCommands)), nil
	c.commands.Cut(0)
	var refused []call
	for ; n < len(c.calls) && len(l.calls) < ledger.MaxCommands; n++ {
		before := len(c.commands.Bytes())
		k := c.calls[n]
		if err := c.commands.Add(k.cmd); err != nil {
			refused = append(refused, call{done: func(ledger.Answer) { k.done(ledger.Answer{Err: err}) }})
			continue
		}
		if len(c.commands.Bytes()) > maxEntryBytes && len(l.calls) > 0 {
			c.commands.Cut(before)
			break
		}
		l.calls = append(l.calls, k)
	}
	rest := copy(c.calls, c.calls[n:])
	clear(c.calls[rest:])
	c.calls = c.calls[:rest]
	if l.unknown, l.tries = false, 0; len(l.calls) > 0 {
		e := ledger.Entry{Session: l.session, Number: l.number + 1, At: c.cfg.Clock.Wall()}
		l.entry = e.EncodeAround(make([]byte, 0, len(c.commands.Bytes())+entryHeadBytes), len(l.calls), c.commands.Bytes())
	}
	for _, k := range refused {
		k.done(ledger.Answer{})
	}
}

// launch hands the lane's entry to the journal.
func (c *Core) launch(i int) {
	l := &c.lanes[i]
	l.flight++
	l.tries++
	l.again = 0
	c.cfg.Append(i, l.flight, l.entry)
}

// Appended takes the outcome of an append. Success changes nothing: the
// answer comes when the entry is applied.
func (c *Core) Appended(i int, flight uint64, err error) {
	l := &c.lanes[i]
	if flight != l.flight || len(l.entry) == 0 {
		return
	}
	if err == nil {
		if c.cfg.Fault == AnswerOnAppend && len(l.calls) > 0 {
			c.refuse(l, nil)
		}
		return
	}
	if !errors.Is(err, journal.ErrNotAppended) {
		l.unknown = true
	}
	if !l.unknown && len(l.calls) > 0 {
		c.refuse(l, polymath.Errorf(polymath.Unavailable, "nothing was changed: %w", err))
		c.pump()
		return
	}
	if !l.unknown && !c.seated() { // no lane opens: nobody should wait for one
		c.refuseWaiting(polymath.Errorf(polymath.Unavailable, "nothing was changed: %w", err))
	}
	if c.cfg.Fault == NewSessionOnRetry && len(l.calls) > 0 {
		c.restart(i)
		return
	}
	l.again = c.cfg.Clock.Now() + min(firstAgain<<min(l.tries-1, 10), maxAgain)
}

// refuse answers the calls of an entry that is certainly not in the journal,
// and frees the lane with its number unused.
func (c *Core) refuse(l *lane, err error) {
	calls := l.calls
	l.entry, l.calls = nil, nil
	for _, k := range calls {
		k.done(ledger.Answer{Err: err})
	}
}

// seated reports whether any lane has a session.
func (c *Core) seated() bool {
	return slices.ContainsFunc(c.lanes, func(l lane) bool { return !l.session.IsZero() })
}

// refuseWaiting answers the calls that no lane has taken.
func (c *Core) refuseWaiting(err error) {
	calls := c.calls
	c.calls = nil
	for _, k := range calls {
		k.done(ledger.Answer{Err: err})
	}
}

// land looks whether the entry just applied is one of a lane's.
func (c *Core) land(entry []byte) {
	if c.fx.Session.IsZero() {
		c.landOpen(entry)
		return
	}
	for i := range c.lanes {
		l := &c.lanes[i]
		if l.session != c.fx.Session {
			continue
		}
		switch c.fx.Skip {
		case ledger.SkipSession: // somebody closed it: all over in a new one
			c.restart(i)
		case ledger.Applied:
			l.number = c.fx.Number
			calls := l.calls
			l.entry, l.calls, l.again = nil, nil, 0
			for k := range calls {
				calls[k].done(c.fx.Answers[k])
			}
			clear(calls)
			l.room = calls[:0]
		}
	}
}

// restart takes a lane's calls back and proposes them in a new session.
func (c *Core) restart(i int) {
	c.calls = slices.Concat(c.lanes[i].calls, c.calls)
	c.open(i)
}

// landOpen looks for the lane whose session was opened, and closes sessions
// that were opened twice because nobody knew of the first.
func (c *Core) landOpen(entry []byte) {
	if !c.ready || c.fx.Skip != ledger.Applied {
		return
	}
	var e ledger.Entry
	if e.Decode(entry) != nil {
		return
	}
	for k, cmd := range e.Commands {
		open, ok := cmd.(*ledger.Open)
		if !ok {
			continue
		}
		for i := range c.lanes {
			if l := &c.lanes[i]; l.nonce == open.Nonce {
				c.opened(l, c.fx.Answers[k])
			}
		}
	}
}

func (c *Core) opened(l *lane, a ledger.Answer) {
	switch {
	case a.Err != nil: // too many sessions: old ones will be closed
		l.again = c.cfg.Clock.Now() + maxAgain
	case !l.session.IsZero():
		c.Propose(&ledger.Close{Session: a.Ref}, func(ledger.Answer) {})
	default:
		l.session, l.entry, l.again = a.Ref, nil, 0
	}
}
