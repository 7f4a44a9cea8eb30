package node

import "github.com/polymath-run/polymath/internal/ledger"

// draft is commands that will travel in one entry, encoded as they come: whoever
// proposes one need not keep it, and nobody else does. A draft that is full gets
// no more, nor one that a lane has taken, unless that gives it back unsent.
type draft struct {
	commands ledger.Commands
	calls    []func(ledger.Answer) // whom to tell of each, in order
}

// draw adds a command to the last draft, or to another when that is full. The
// error says that no entry can hold the command: nothing was added.
func (c *Core) draw(cmd ledger.Command, done func(ledger.Answer)) error {
	if len(c.drafts) == 0 {
		c.drafts = append(c.drafts, c.fresh())
	}
	d := c.drafts[len(c.drafts)-1]
	before := len(d.commands.Bytes())
	if err := d.commands.Add(cmd); err != nil {
		return err
	}
	if len(d.calls) == ledger.MaxCommands || before > 0 && len(d.commands.Bytes()) > maxEntryBytes {
		d.commands.Cut(before)
		d = c.fresh()
		if err := d.commands.Add(cmd); err != nil {
			return err // no: it was added before
		}
		c.drafts = append(c.drafts, d)
	}
	d.calls = append(d.calls, done)
	c.waiting++
	return nil
}

// refuse answers all calls of a draft.
func (d *draft) refuse(err error) {
	for _, tell := range d.calls {
		tell(ledger.Answer{Err: err})
	}
}

// fresh is an empty draft.
func (c *Core) fresh() *draft {
	last := len(c.spare) - 1
	if last < 0 {
		return new(draft)
	}
	d := c.spare[last]
	c.spare = c.spare[:last]
	return d
}

// keptDrafts bounds the drafts that are kept: as many as are filled while those
// of the lanes are under way. None is larger than an entry.
const keptDrafts = 6

// reuse keeps a draft whose calls were told for the commands to come.
func (c *Core) reuse(d *draft) {
	if len(c.spare) == keptDrafts {
		return
	}
	clear(d.calls)
	d.calls = d.calls[:0]
	d.commands.Cut(0)
	c.spare = append(c.spare, d)
}
