package sim

import (
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/ledger"
	"github.com/polymath-run/polymath/internal/node"
	"github.com/polymath-run/polymath/internal/worker"
)

// member is one worker: a process with a real worker.Loop, far from the node
// or within it, that computes in virtual time.
type member struct {
	w        *world
	name     string
	local    bool
	slow     int // times slower than promised
	life     int
	parallel int // leases worked on at a time
	up       bool
	loop     *worker.Loop
	session  polymath.Ref
	joining  bool
	running  []*running
	wake     time.Duration
	seat     *seat
}

// running is a lease being worked on, or that waits for others to end.
type running struct {
	c       *member
	task    *worker.Task
	started bool
	begun   time.Duration
	takes   time.Duration
	stuck   bool
}

func (c *member) living(do func()) func() {
	life := c.life
	return func() {
		if c.up && c.life == life {
			do()
		}
	}
}

// boot starts the worker's process.
func (c *member) boot() {
	if c.up || (c.local && !c.w.machine.up) {
		c.w.after(time.Second, c.boot)
		return
	}
	c.life++
	c.up, c.joining, c.wake = true, false, 0
	c.session, c.running, c.seat = polymath.Ref{}, nil, nil
	c.slow = 1
	if c.w.odds(4) {
		c.slow = 2 + c.w.chance.IntN(20)
	}
	c.parallel = 1 + c.w.chance.IntN(3)
	c.loop = worker.NewLoop(worker.Config{
		Functions: []string{"f"}, Parallel: c.parallel, Each: 100 * time.Millisecond, Runner: c, Now: c.w.Now,
	})
	c.join()
	c.settle()
}

// crash ends the process without a word.
func (c *member) crash() {
	if !c.up {
		return
	}
	c.up = false
	c.w.counts.WorkerCrashes++
	c.w.log("%s dies", c.name)
	c.w.after(c.w.between(time.Millisecond, 6*time.Second), c.boot)
}

// nodeDied takes those along who lived in the node's process.
func (c *member) nodeDied() {
	if c.local {
		c.crash()
	}
}

// send carries a message between the worker and the node: at once within a
// process, else late, twice or never.
func (c *member) send(do func()) {
	w := c.w
	way := w.between(100*time.Microsecond, 3*time.Millisecond)
	switch {
	case c.local:
		w.after(time.Microsecond, do)
	case w.odds(50):
		w.counts.LostMessages++
	case w.odds(50):
		w.counts.DoubledMessages++
		w.after(way, do)
		w.after(2*way, do)
	default:
		w.after(way, do)
	}
}

// join asks for a session until it has one.
func (c *member) join() {
	if c.joining || !c.session.IsZero() {
		return
	}
	c.joining = true
	m := c.w.machine
	c.send(func() {
		if !m.up {
			return
		}
		m.core.Join(c.name, c.local, func(s polymath.Ref, err error) {
			c.send(c.living(func() { c.joined(s, err) }))
		})
		m.settle()
	})
	c.w.after(2*time.Second, c.living(func() {
		c.joining = false
		c.join()
	}))
}

func (c *member) joined(s polymath.Ref, err error) {
	if err != nil || !c.session.IsZero() {
		return
	}
	c.w.log("%s has session %v", c.name, s)
	c.session = s
	c.seat = &seat{c: c, session: s}
	c.loop.Sit(c.seat)
	c.settle()
}

// hear takes what the node says, some time later.
func (c *member) hear(e node.SeatEvent) {
	session := c.session
	c.send(c.living(func() {
		if c.session != session {
			return
		}
		switch e := e.(type) {
		case node.Granted:
			c.loop.Granted(&e.Lease)
		case node.Retired:
			c.loop.Retired(e.Token)
		case node.Closed:
			c.closed()
		}
		c.settle()
	}))
}

func (c *member) closed() {
	c.session, c.seat = polymath.Ref{}, nil
	c.loop.Closed()
	c.join()
}

// settle plans the loop's next wake-up.
func (c *member) settle() {
	at := max(c.loop.Next(), c.w.now+time.Microsecond)
	if c.wake > 0 && c.wake <= at {
		return
	}
	c.wake = at
	c.w.after(at-c.w.now, c.living(func() {
		if c.wake == at {
			c.wake = 0
			c.loop.Wake()
			c.settle()
		}
	}))
}

// Start implements worker.Runner.
func (c *member) Start(t *worker.Task) worker.Work {
	r := &running{c: c, task: t}
	c.running = append(c.running, r)
	c.advance()
	return r
}

// advance begins what has waited for longest.
func (c *member) advance() {
	for _, r := range c.running[:min(len(c.running), c.parallel)] {
		if !r.started {
			r.begin()
		}
	}
}

func (r *running) begin() {
	c, lease := r.c, r.task.Lease
	r.started, r.begun = true, c.w.now
	k := c.w.job(lease.Input)
	r.takes = max(time.Duration(lease.Interval.Len())*k.unit*time.Duration(c.slow), time.Microsecond)
	if c.w.odds(150) {
		c.w.counts.Stuck++
		r.stuck = true
		c.w.log("%s is stuck on %v", c.name, lease.Token)
		return
	}
	c.w.after(r.takes, c.living(func() { r.end(nil) }))
}

// Stop implements worker.Work.
func (r *running) Stop() bool {
	if !r.started {
		r.remove()
		return false
	}
	r.c.w.after(5*time.Millisecond, r.c.living(func() { r.end(errors.New("stopped")) }))
	return true
}

// Progress implements worker.Work.
func (r *running) Progress() (uint64, bool) {
	if !r.started || r.stuck {
		return 0, r.started
	}
	units := r.task.Lease.Interval.Len()
	return min(uint64(time.Duration(units)*(r.c.w.now-r.begun)/r.takes), units), true
}

// remove takes it from those of its worker, and reports whether it was there.
func (r *running) remove() bool {
	i := slices.Index(r.c.running, r)
	if i >= 0 {
		r.c.running = slices.Delete(r.c.running, i, i+1)
	}
	return i >= 0
}

// end is the end of a piece of work, well or badly.
func (r *running) end(err error) {
	if !r.remove() {
		return
	}
	c, lease := r.c, r.task.Lease
	k := c.w.job(lease.Input)
	output := k.output(lease.Interval)
	switch {
	case err != nil:
	case k.guilty(lease.Interval):
		err = errors.New("a guilty unit")
	case c.w.odds(100):
		err = errors.New("bad luck")
	case c.w.odds(100) && k.reducer != polymath.Collect:
		c.w.counts.Garbage++
		output = "garbage"
	}
	c.advance()
	c.loop.Done(r.task, worker.Outcome{Output: []byte(output), Err: err, Took: c.w.now - r.begun})
	c.settle()
}

// job reads a job's input, as a function does.
func (w *world) job(input []byte) *workload {
	var k workload
	if err := json.Unmarshal(input, &k); err != nil {
		w.violate("a worker got a broken input: %v", err)
		return &workload{}
	}
	return w.clients[k.Number].load
}

// seat is a worker.Seat whose calls cross the network.
type seat struct {
	c       *member
	session polymath.Ref
}

// answerLimit is how long a worker waits for an answer.
const answerLimit = time.Second

// call carries a command to the node and its answer back. Without an answer
// in time the outcome is unknown: a Timeout.
func (s *seat) call(cmd ledger.Command, done func(error)) {
	c, m := s.c, s.c.w.machine
	answered := false
	tell := func(err error) func() {
		return c.living(func() {
			if !answered {
				answered = true
				done(err)
				c.settle()
			}
		})
	}
	c.send(func() {
		if !m.up {
			return
		}
		m.core.Propose(cmd, func(a ledger.Answer) { c.send(tell(a.Err)) })
		m.settle()
	})
	c.w.after(answerLimit, tell(polymath.Errorf(polymath.Timeout, "no answer")))
}

// Demand implements worker.Seat.
func (s *seat) Demand(functions []string, slots uint32, each time.Duration, done func(error)) {
	cmd := &ledger.Demand{Session: s.session, Functions: functions, Slots: slots, Micros: uint64(each.Microseconds())}
	s.call(cmd, done)
}

// Beat implements worker.Seat.
func (s *seat) Beat() {
	c, m := s.c, s.c.w.machine
	c.send(func() {
		if !m.up {
			return
		}
		if err := m.core.Beat(s.session); err != nil {
			c.send(c.living(func() {
				if c.session == s.session {
					c.closed()
					c.settle()
				}
			}))
		}
		m.settle()
	})
}

// Progress implements worker.Seat.
func (s *seat) Progress(token polymath.Token, units uint64) {
	m := s.c.w.machine
	s.c.send(func() {
		if m.up {
			m.core.Progress(token, units)
			m.settle()
		}
	})
}

// Complete implements worker.Seat.
func (s *seat) Complete(token polymath.Token, output []byte, took time.Duration, done func(error)) {
	s.call(&ledger.Complete{Token: token, Output: output, Micros: uint64(took.Microseconds())}, done)
}

// Fail implements worker.Seat.
func (s *seat) Fail(token polymath.Token, text string, done func(error)) {
	s.call(&ledger.Fail{Token: token, Error: text}, done)
}

// Release implements worker.Seat.
func (s *seat) Release(token polymath.Token, done func(error)) {
	s.call(&ledger.Release{Token: token}, done)
}

// Leave implements worker.Seat.
func (s *seat) Leave(done func(error)) {
	s.call(&ledger.Close{Session: s.session}, done)
}
