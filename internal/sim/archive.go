package sim

import (
	"context"
	"fmt"
	"slices"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/ledger"
)

// archive is a model of the archive under its contract: what was put is
// readable at once and durable after a flush; a crash loses the rest. It
// breaks the run when the node breaks the contract.
type archive struct {
	w       *world
	stored  map[polymath.JobID]polymath.Job // looked up, never walked
	recent  []polymath.Job
	letters []polymath.DeadLetter // as readers see them
	safe    []polymath.DeadLetter // as of durable
	durable polymath.Index
	last    polymath.Index
}

func newArchive(w *world) *archive {
	return &archive{w: w, stored: make(map[polymath.JobID]polymath.Job)}
}

// Put implements node.Archive.
// Room is always there.
func (a *archive) Room() error { return nil }

func (a *archive) Put(at polymath.Index, fx *ledger.Effects) error {
	if at.Compare(a.durable) <= 0 {
		return nil
	}
	if at.Compare(a.last) <= 0 {
		return fmt.Errorf("sim: effects of %v were put after those of %v", at, a.last)
	}
	a.last = at
	a.recent = append(a.recent, fx.Finished...)
	a.putLetters(fx)
	if a.w.odds(40) {
		_ = a.Flush(context.Background())
	}
	return nil
}

// Flush makes everything durable.
func (a *archive) Flush(context.Context) error {
	for _, j := range a.recent {
		a.stored[j.ID] = j
	}
	a.recent, a.safe, a.durable = nil, slices.Clone(a.letters), a.last
	return nil
}

// Job implements node.Archive.
func (a *archive) Job(id polymath.JobID) (polymath.Job, error) {
	for _, j := range a.recent {
		if j.ID == id {
			return j, nil
		}
	}
	if j, ok := a.stored[id]; ok {
		return j, nil
	}
	return polymath.Job{}, polymath.Errorf(polymath.NotFound, "there is no job %v", id)
}

// crash forgets what was not durable.
func (a *archive) crash() { a.recent, a.letters, a.last = nil, slices.Clone(a.safe), a.durable }
