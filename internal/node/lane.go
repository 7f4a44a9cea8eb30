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
	draft   *draft       // that it was made of; nil: it is an Open
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
	l.draft, l.unknown, l.tries = nil, false, 0
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

// pump gives drafts to lanes that are free.
func (c *Core) pump() {
	if c.gathering {
		return
	}
	for i := range c.lanes {
		l := &c.lanes[i]
		if c.waiting == 0 {
			return
		}
		if l.session.IsZero() || len(l.entry) > 0 {
			continue
		}
		c.load(l)
		c.launch(i)
	}
}

// load makes an entry of the first draft.
func (c *Core) load(l *lane) {
	l.draft = c.drafts[0]
	c.drafts = slices.Delete(c.drafts, 0, 1)
	c.waiting -= len(l.draft.calls)
	commands := l.draft.commands.Bytes()
	e := ledger.Entry{Session: l.session, Number: l.number + 1, At: c.cfg.Clock.Wall()}
	l.entry = e.EncodeAround(make([]byte, 0, len(commands)+entryHeadBytes), len(l.draft.calls), commands)
	l.unknown, l.tries = false, 0
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
		if c.cfg.Fault == AnswerOnAppend && l.draft != nil {
			c.refuse(l, nil)
		}
		return
	}
	if !errors.Is(err, journal.ErrNotAppended) {
		l.unknown = true
	}
	if !l.unknown && l.draft != nil {
		c.refuse(l, polymath.Errorf(polymath.Unavailable, "nothing was changed: %w", err))
		c.pump()
		return
	}
	if !l.unknown && !c.seated() { // no lane opens: nobody should wait for one
		c.refuseWaiting(polymath.Errorf(polymath.Unavailable, "nothing was changed: %w", err))
	}
	if c.cfg.Fault == NewSessionOnRetry && l.draft != nil {
		c.restart(i)
		return
	}
	l.again = c.cfg.Clock.Now() + min(firstAgain<<min(l.tries-1, 10), maxAgain)
}

// refuse answers the calls of an entry that is certainly not in the journal,
// and frees the lane with its number unused.
func (c *Core) refuse(l *lane, err error) {
	d := l.draft
	l.entry, l.draft = nil, nil
	d.refuse(err)
}

// seated reports whether any lane has a session.
func (c *Core) seated() bool {
	return slices.ContainsFunc(c.lanes, func(l lane) bool { return !l.session.IsZero() })
}

// refuseWaiting answers the calls that no lane has taken.
func (c *Core) refuseWaiting(err error) {
	drafts := c.drafts
	c.drafts, c.waiting = nil, 0
	for _, d := range drafts {
		d.refuse(err)
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
			d := l.draft
			l.entry, l.draft, l.again = nil, nil, 0
			if d == nil { // they were answered before
				continue
			}
			for k, tell := range d.calls {
				tell(c.fx.Answers[k])
			}
			c.reuse(d)
		}
	}
}

// restart takes a lane's draft back: it is the first to travel in a new session.
func (c *Core) restart(i int) {
	if d := c.lanes[i].draft; d != nil {
		c.drafts = slices.Insert(c.drafts, 0, d)
		c.waiting += len(d.calls)
	}
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
