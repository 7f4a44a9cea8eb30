// Package sim is a journal in memory with every fault that the port allows: the
// engine that somebody else runs, on its worst day. Appends get lost, come
// late, come twice, or are stored while their caller is told nothing; the
// engine crashes and forgets what it acknowledged. The same seed and the same
// calls from one goroutine give the same faults.
//
// It is for tests of what uses a journal. Several Journals may be open on one
// Engine, as several nodes share one engine.
package sim

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/journal"
)

// Limits of an Engine.
const (
	// MaxWaiting is how many appends a held engine takes in; the next block.
	MaxWaiting = 1024
	// maxDelay is how many calls later a delayed entry appears, at most.
	maxDelay = 8
)

// The errors that are not those of the port.
var (
	// ErrCrashed is returned by every call on a Journal that was open when
	// its engine crashed. Open another one.
	ErrCrashed = errors.New("sim: the engine crashed")
	// ErrUnknown is what an Append gets whose outcome is unknown.
	ErrUnknown = errors.New("sim: no answer from the engine: the outcome is unknown")
)

// Options say how an Engine behaves.
type Options struct {
	Seed uint64
	Odds Odds
	// MaxLoss is how many of the newest entries a crash loses at most,
	// acknowledged ones too. Above 0 every crash raises the epoch.
	MaxLoss int
	// MaxEntry is the largest entry in bytes; 0 is polymath.MaxEntryBytes.
	MaxEntry int
}

// Engine holds what survives its Journals.
type Engine struct {
	options Options

	mu       sync.Mutex // guards what follows, and the ends of the Journals
	chance   *rand.Rand
	epoch    uint32
	cut      journal.Record   // newest entry trimmed, its bytes gone
	records  []journal.Record // those after it
	late     []lateEntry      // on their way
	calls    uint64           // counts Append and Tail: the clock of delays
	planned  []Fault
	counts   [faultEnd]int
	full     bool
	held     bool
	waiting  int           // appends taken in while held
	left     int           // those of them whose callers have gone: they are in late
	open     []*Journal    // neither closed nor crashed
	changing chan struct{} // closed when anything changes; nil: nobody waits
}

// lateEntry appears when the count of calls reaches due.
type lateEntry struct {
	due   uint64
	entry []byte
}

// New makes an empty engine.
func New(o Options) *Engine {
	if o.MaxEntry == 0 {
		o.MaxEntry = polymath.MaxEntryBytes
	}
	return &Engine{options: o, epoch: 1, chance: rand.New(rand.NewPCG(o.Seed, 0x6a6f75726e616c))}
}

// Open opens the journal of the engine.
func (e *Engine) Open() *Journal {
	e.mu.Lock()
	defer e.mu.Unlock()
	j := &Journal{engine: e}
	e.open = append(e.open, j)
	return j
}

// Crash kills the engine and starts it again: every open Journal is dead, what
// was on its way is gone, and up to MaxLoss entries are lost.
func (e *Engine) Crash() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.crash()
}

func (e *Engine) crash() {
	e.counts[Crash]++
	for _, j := range e.open {
		j.end = ErrCrashed
	}
	e.open, e.late = nil, nil
	e.forget()
	if e.options.MaxLoss > 0 {
		e.lose(e.chance.IntN(min(e.options.MaxLoss, len(e.records)) + 1))
	}
	e.change()
}

// LoseTail takes the newest n entries away, as a failover to a replica that was
// behind does: the epoch rises, Journals stay open, followers who have seen
// them get ErrDiverged.
func (e *Engine) LoseTail(n int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.lose(min(n, len(e.records)))
	e.change()
}

func (e *Engine) lose(n int) {
	e.records = e.records[:len(e.records)-n]
	e.epoch++
}

// Len is the number of entries ever stored and not lost.
func (e *Engine) Len() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return int(e.last().Index.Position)
}

// Hold makes the engine answer no appends until Release.
func (e *Engine) Hold() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.held = true
}

// Release ends Hold: what was taken in is appended.
func (e *Engine) Release() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.held = false
	e.forget()
	e.change()
}

// forget makes room for others in place of those whose callers have gone.
func (e *Engine) forget() {
	e.waiting -= e.left
	e.left = 0
}

// SetFull says whether there is no space: then appends get ErrFull.
func (e *Engine) SetFull(full bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.full = full
}

// Settle lets everything that is on its way appear.
func (e *Engine) Settle() {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, l := range e.late {
		e.store(l.entry)
	}
	e.late = nil
}

// tick counts a call and lets appear what is due.
func (e *Engine) tick() {
	e.calls++
	e.late = slices.DeleteFunc(e.late, func(l lateEntry) bool {
		if l.due > e.calls || e.held {
			return false
		}
		e.store(l.entry)
		return true
	})
}

// store makes an entry the newest.
func (e *Engine) store(entry []byte) {
	last := e.last()
	e.records = append(e.records, journal.Record{
		Index: polymath.Index{Epoch: e.epoch, Position: last.Index.Position + 1},
		Sum:   last.Sum.Next(entry),
		Entry: entry,
	})
	e.change()
}

// last is the newest entry, or what is left of it.
func (e *Engine) last() journal.Record {
	if n := len(e.records); n > 0 {
		return e.records[n-1]
	}
	return e.cut
}

// after returns up to limit records after a place, none at the tail.
func (e *Engine) after(place polymath.Index, sum journal.Checksum, limit int) ([]journal.Record, error) {
	at, from := e.cut, 0
	if place.Position > at.Index.Position {
		if from = int(place.Position - at.Index.Position); from <= len(e.records) {
			at = e.records[from-1]
		}
	}
	switch {
	case place.Position < e.cut.Index.Position:
		return nil, fmt.Errorf("sim: follow after %v: %w: they begin after %v", place, journal.ErrTrimmed, e.cut.Index)
	case place != at.Index || sum != at.Sum:
		return nil, fmt.Errorf("sim: follow after %v: %w", place, journal.ErrDiverged)
	}
	return e.records[from:min(len(e.records), from+limit)], nil
}

// trim lets go of entries.
func (e *Engine) trim(upTo polymath.Index) {
	n := 0
	for n < len(e.records) && e.records[n].Index.Compare(upTo) <= 0 {
		n++
	}
	if n > 0 {
		e.cut = e.records[n-1]
		e.cut.Entry = nil
		e.records = slices.Clone(e.records[n:])
	}
}

// change wakes all who wait.
func (e *Engine) change() {
	if e.changing != nil {
		close(e.changing)
		e.changing = nil
	}
}

// wait lets go of the lock until something changes or ctx ends.
func (e *Engine) wait(ctx context.Context) error {
	if e.changing == nil {
		e.changing = make(chan struct{})
	}
	changing := e.changing
	e.mu.Unlock()
	defer e.mu.Lock()
	select {
	case <-changing:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
