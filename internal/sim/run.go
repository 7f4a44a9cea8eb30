package sim

import (
	"fmt"
	"strings"
	"time"
)

// MinSteps is how many events a run has at least before its faults end.
const MinSteps = 5_000

// Bounds of a run.
const (
	calmLimit  = 2 * time.Hour // virtual: by then everything must have ended
	calmSteps  = 2_000_000     // events, against a run that spins
	maxClients = 32
	arrivals   = 12 * time.Second // virtual: by then all clients have come
	crewSize   = 4
	// maxSegments bounds the log's files: checkpoints must let it be trimmed.
	maxSegments = 64
)

// Counts says what happened in a run, or in many.
type Counts struct {
	Steps, Finished, Checkpoints, Restores          int
	Crashes, PowerLosses, WorkerCrashes, ClockJumps int
	Lost, Refused, Denied, Delayed, Duplicates      int // appends
	LostMessages, DoubledMessages                   int
	Stuck, Garbage                                  int
	Expiries, Speculations, DeadLetters, Discards   int
}

// Violation is a broken law, and how to see it again.
type Violation struct {
	Seed  uint64
	Step  int
	At    time.Duration // virtual
	Law   string
	Trace []string // what happened last
}

// Error tells the law and the way to replay it.
func (v *Violation) Error() string {
	return fmt.Sprintf("seed %d, step %d, %v: %s\nreplay: polymath sim --seeds 1 --seed %d --trace\n%s",
		v.Seed, v.Step, v.At.Round(time.Microsecond), v.Law, v.Seed, strings.Join(v.Trace, "\n"))
}

// Options are the choices of a run.
type Options struct {
	Plant Plant
	Trace func(line string) // nil: none
}

// Run simulates one seed. The Violation is nil when every law held.
func Run(seed uint64, o Options) (Counts, *Violation) {
	w := newWorld(seed, o)
	w.disturb()
	w.tidy()
	for (w.steps < MinSteps || w.now < arrivals) && w.step() {
	}
	w.soothe()
	end := w.now + calmLimit
	for limit := w.steps + calmSteps; w.broken == nil && !w.finished(); {
		if w.now > end || w.steps > limit {
			w.oracle.settled(w.machine.core)
			if w.broken == nil {
				w.violate("the run does not come to its end")
			}
			break
		}
		w.step()
	}
	if w.broken == nil {
		w.oracle.settled(w.machine.core)
		w.machine.checkpoint()
		for w.machine.image != nil && w.step() {
		}
		w.bounded()
	}
	w.counts.Steps = w.steps
	return w.counts, w.broken
}

func newWorld(seed uint64, o Options) *world {
	w := &world{seed: seed, chance: newChance(seed), plant: o.Plant, trace: o.Trace}
	w.oracle = newOracle(w)
	w.machine = newMachine(w)
	for i := range maxClients {
		c := newClient(w, i)
		w.clients = append(w.clients, c)
		w.after(w.between(0, arrivals), c.submit)
	}
	for i := range crewSize {
		c := &member{w: w, name: fmt.Sprintf("worker-%d", i), local: i == 0}
		w.crew = append(w.crew, c)
		w.after(time.Millisecond, c.boot)
	}
	w.machine.boot()
	return w
}

// disturb plans the next disturbance, and that one the next.
func (w *world) disturb() {
	w.after(w.between(50*time.Millisecond, 1200*time.Millisecond), func() {
		if w.calm {
			return
		}
		m := w.machine
		switch w.chance.IntN(10) {
		case 0:
			m.crash(false)
		case 1:
			m.crash(true)
		case 2: // in the middle of writing: at one of the next operations
			m.disk.CrashAt(m.disk.Ops() + w.chance.IntN(6))
			m.images.CrashAt(m.images.Ops() + w.chance.IntN(6))
		case 3, 4:
			w.crew[w.chance.IntN(len(w.crew))].crash()
		case 5:
			w.counts.ClockJumps++
			w.offset += w.chance.Int64N(20_000) - 10_000
			w.log("the clock is set by someone: offset %d ms", w.offset)
		default:
			if m.up {
				m.checkpoint()
			}
		}
		w.disturb()
	})
}

// soothe ends the faults: what follows must bring everything to its end.
func (w *world) soothe() {
	w.calm = true
	w.machine.disk.CrashAt(-1)
	w.machine.images.CrashAt(-1)
	for _, c := range w.crew {
		c.slow = 1
	}
	w.log("the faults are over")
}

// finished reports whether nothing is left to do.
func (w *world) finished() bool {
	m := w.machine
	if !m.up || m.image != nil || len(w.oracle.acked) == 0 {
		return false
	}
	st := m.core.Ledger().Stats()
	return st.Jobs == 0 && st.Leases == 0 && w.now > arrivals && m.core.Quiet()
}

// bounded looks at what must not have grown.
func (w *world) bounded() {
	names, err := w.machine.disk.List()
	if err != nil {
		w.violate("the disk cannot be listed: %v", err)
	}
	if len(names) > maxSegments {
		w.violate("the log has %d files: it is not trimmed", len(names))
	}
	if images, _ := w.machine.images.List(); len(images) > 2 {
		w.violate("there are %d checkpoints after one was taken: %v", len(images), images)
	}
}
