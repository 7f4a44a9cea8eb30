// Package sim runs the real ledger, node core, write-ahead log, checkpoints
// and worker loops in one goroutine under virtual time, breaks them in every
// way the seed can think of, and lets an oracle judge every step.
//
//	clients ──lossy net──> node.Core ──> journal ──> wal.Log ──> disktest.Crash
//	                         │  ▲                                    (power loss)
//	workers <──lossy net─────┘  └── oracle: looks at every entry applied
//	(worker.Loop)
//
// Everything that happens is an event on one heap, and all chance comes from
// one generator: the same seed gives the same run, to the event.
package sim

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
	"time"
)

// world is one run.
type world struct {
	seed   uint64
	chance *rand.Rand
	now    time.Duration
	events events
	serial uint64
	steps  int
	calm   bool // faults are over: everything must come to its end
	offset int64
	counts Counts
	tail   []string // the last lines of the trace
	trace  func(string)
	broken *Violation

	plant   Plant
	machine *machine
	crew    []*member
	clients []*client
	oracle  *oracle
}

// event is something that happens at a time.
type event struct {
	at     time.Duration
	serial uint64 // breaks ties in the order of planning
	do     func()
}

type events []event

func (e events) Len() int      { return len(e) }
func (e events) Swap(i, k int) { e[i], e[k] = e[k], e[i] }
func (e events) Less(i, k int) bool {
	return e[i].at < e[k].at || (e[i].at == e[k].at && e[i].serial < e[k].serial)
}

// Push is for container/heap.
func (e *events) Push(x any) { *e = append(*e, x.(event)) }

// Pop is for container/heap.
func (e *events) Pop() any {
	last := len(*e) - 1
	x := (*e)[last]
	(*e)[last] = event{}
	*e = (*e)[:last]
	return x
}

// after plans something.
func (w *world) after(d time.Duration, do func()) {
	w.serial++
	heap.Push(&w.events, event{w.now + d, w.serial, do})
}

// between is a random time of [low, high).
func (w *world) between(low, high time.Duration) time.Duration {
	return low + time.Duration(w.chance.Int64N(int64(high-low)))
}

// odds is true once in n, while faults are on.
func (w *world) odds(n int) bool { return !w.calm && w.chance.IntN(n) == 0 }

// step does the next event; false when there is none or the run is over.
func (w *world) step() bool {
	if len(w.events) == 0 || w.broken != nil {
		return false
	}
	e := heap.Pop(&w.events).(event)
	w.now = e.at
	w.steps++
	e.do()
	return true
}

// traceLines is how much of the trace a violation comes with.
const traceLines = 60

func (w *world) log(format string, args ...any) {
	line := fmt.Sprintf("%12s  ", w.now.Round(time.Microsecond)) + fmt.Sprintf(format, args...)
	if w.trace != nil {
		w.trace(line)
	}
	if len(w.tail) >= traceLines {
		copy(w.tail, w.tail[1:])
		w.tail = w.tail[:traceLines-1]
	}
	w.tail = append(w.tail, line)
}

// violate notes the first broken law; the run ends.
func (w *world) violate(format string, args ...any) {
	if w.broken != nil {
		return
	}
	w.broken = &Violation{Seed: w.seed, Step: w.steps, At: w.now, Law: fmt.Sprintf(format, args...)}
	w.log("VIOLATION: %s", w.broken.Law)
	w.broken.Trace = append([]string(nil), w.tail...)
}

// Now is the monotonic clock of every process.
func (w *world) Now() time.Duration { return w.now }

// Wall is the clock on the wall, which somebody keeps setting.
func (w *world) Wall() int64 {
	const start = 1_700_000_000_000 // some day, in Unix milliseconds
	return start + w.now.Milliseconds() + w.offset
}

// newChance is the only source of chance of a run.
func newChance(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 0x706f6c796d617468)) }
