package sim

import (
	"encoding/binary"
	"time"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/ledger"
)

// client submits one job and wants to see the right answer.
type client struct {
	w     *world
	load  *workload
	spec  polymath.Spec
	owner string // tenant
	keyed bool
	acked []polymath.JobID // every id a submission was acknowledged with
	tries int
}

// maxTries bounds the submissions of a client without a key: each may make a
// job of its own.
const maxTries = 3

func newClient(w *world, number int) *client {
	c := &client{w: w, load: w.invent(number), keyed: w.chance.IntN(2) == 0, owner: []string{"t", "u"}[w.chance.IntN(2)]}
	c.spec = w.spec(c.load)
	if c.keyed {
		binary.LittleEndian.PutUint64(c.spec.Options.Key[:], uint64(number)+1)
		binary.LittleEndian.PutUint64(c.spec.Options.Body[:], c.load.Salt)
	}
	return c
}

// submit sends the job, and again while no answer comes. With a key it also
// repeats itself for no reason.
func (c *client) submit() {
	w, m := c.w, c.w.machine
	c.tries++
	answered := false
	if m.up {
		c.load.Try = c.tries
		c.spec.Input = c.load.input()
		cmd := &ledger.Submit{Tenant: c.owner, Spec: c.spec}
		m.core.Submit(cmd, func(a ledger.Answer) {
			if w.odds(20) {
				w.counts.LostMessages++
				return
			}
			w.after(time.Millisecond, func() {
				answered = true
				c.answered(a)
			})
		})
		m.settle()
	}
	w.after(3*time.Second, func() {
		if !answered && (c.keyed || c.tries < maxTries) {
			c.submit()
		}
	})
}

func (c *client) answered(a ledger.Answer) {
	w := c.w
	if a.Err != nil {
		w.log("job %d is refused: %v", c.load.Number, a.Err)
		if c.keyed || c.tries < maxTries {
			w.after(time.Second, c.submit)
		}
		return
	}
	id := polymath.JobID{Ref: a.Ref}
	w.log("job %d is acknowledged as %v", c.load.Number, id)
	if c.keyed && len(c.acked) > 0 && c.acked[0] != id {
		w.violate("one idempotency key gave two jobs: %v and %v", c.acked[0], id)
	}
	c.acked = append(c.acked, id)
	w.oracle.acknowledged(id)
	if c.keyed && w.odds(3) {
		w.after(w.between(time.Millisecond, 10*time.Second), c.submit)
	}
	if w.odds(15) {
		w.after(w.between(0, 3*time.Second), func() { c.cancel(id) })
	}
}

func (c *client) cancel(id polymath.JobID) {
	if m := c.w.machine; m.up {
		m.core.Propose(&ledger.Cancel{Job: id}, func(ledger.Answer) {})
		m.settle()
	}
}
