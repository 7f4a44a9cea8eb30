package node

import (
	"encoding/binary"
	"slices"
	"testing"
	"time"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/journal"
	"github.com/polymath-run/polymath/internal/ledger"
)

// contrary is a core whose journal takes of the entries that are under way
// together always the one that was appended last.
type contrary struct {
	*Core
	t      *testing.T
	now    time.Duration
	under  []func() // to be taken
	taken  uint64
	nonces uint64
	leases []polymath.Lease // granted, in order
}

// roomy is an archive that has room, and nothing else.
type roomy struct{ Archive }

func (roomy) Room() error                               { return nil }
func (roomy) Put(polymath.Index, *ledger.Effects) error { return nil }

// Now implements Clock.
func (c *contrary) Now() time.Duration { return c.now }

// Wall implements Clock.
func (c *contrary) Wall() int64 { return 1_795_000_000_000 + c.now.Milliseconds() }

func newContrary(t *testing.T) *contrary {
	c := &contrary{t: t, now: time.Second}
	c.Core = NewCore(Config{
		Name: "n", Lanes: DefaultLanes, Ledger: ledger.New(0), Clock: c, Archive: roomy{},
		Nonce: func() (b [16]byte) {
			c.nonces++
			binary.LittleEndian.PutUint64(b[:], c.nonces)
			return b
		},
		Append: func(lane int, flight uint64, entry []byte) {
			entry = slices.Clone(entry)
			c.under = append(c.under, func() {
				c.taken++
				if err := c.Apply(journal.Record{Index: polymath.Index{Epoch: 1, Position: c.taken}, Entry: entry}); err != nil {
					t.Fatal(err)
				}
				c.Appended(lane, flight, nil)
			})
		},
		Deliver: func(_ polymath.Ref, e SeatEvent) {
			if g, is := e.(Granted); is {
				c.leases = append(c.leases, g.Lease)
			}
		},
	})
	c.Ready()
	c.settle()
	return c
}

// settle has the journal take all there is.
func (c *contrary) settle() {
	for len(c.under) > 0 {
		last := c.under[len(c.under)-1]
		c.under = c.under[:len(c.under)-1]
		last()
	}
}

// rest lets time pass, without a word of any worker.
func (c *contrary) rest(d time.Duration) {
	for end := c.now + d; c.now < end; {
		c.now += lookPause
		c.Wake()
		c.settle()
	}
}

// join has a worker ask for one lease at a time.
func (c *contrary) join(name string) {
	c.t.Helper()
	c.Join(name, false, func(s polymath.Ref, err error) {
		if err != nil {
			c.t.Error(err)
		}
		c.Propose(&ledger.Demand{Session: s, Functions: []string{"f"}, Slots: 1}, func(ledger.Answer) {})
	})
	c.settle()
}

// TestVanishedWorkerCountsInAnyOrder: what a worker had not begun when it
// vanished was no attempt, in whatever order the journal takes what the
// timekeeper says of it. (W8)
func TestVanishedWorkerCountsInAnyOrder(t *testing.T) {
	c := newContrary(t)
	c.rest(2 * lookPause) // the timekeeper has its term
	c.join("gone")
	c.rest(beatLimit - startLimit/2)
	spec := polymath.Spec{Function: "f", Plan: polymath.Plan{Units: 1, Reducer: polymath.Count}}
	c.Submit(&ledger.Submit{Spec: spec}, func(ledger.Answer) {})
	c.settle()
	c.rest(startLimit / 2)
	if n := len(c.Ledger().Sessions()) - DefaultLanes; n != 0 {
		t.Fatalf("%d workers are there", n)
	}
	c.join("next")
	if len(c.leases) != 2 || c.leases[1].Attempt != 1 {
		t.Errorf("granted %+v", c.leases)
	}
}
