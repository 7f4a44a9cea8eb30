package node

import (
	"context"
	"math"
	"slices"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/archive"
	"github.com/polymath-run/polymath/internal/ledger"
)

// maxDeadParts is how many dead units a picture of a job's units shows.
const maxDeadParts = 1000

// DeadLetters returns at most limit (and MaxPage) dead letters after a given
// one, those of the newest job first. With a filter a page may be short, or
// empty, and still have a Next.
func (n *Node) DeadLetters(after archive.LetterID, limit int, f archive.LetterFilter) (archive.LetterPage, error) {
	return n.options.Archive.DeadLetters(after, limit, f)
}

// DeadLetter reads one; NotFound when there is none, or it was discarded.
func (n *Node) DeadLetter(id archive.LetterID) (polymath.DeadLetter, error) {
	var after archive.LetterID // the one before it in their order
	if id.Unit < math.MaxUint64 {
		after = archive.LetterID{Job: id.Job, Unit: id.Unit + 1}
	}
	page, err := n.options.Archive.DeadLetters(after, 1, archive.LetterFilter{Job: id.Job})
	if err != nil {
		return polymath.DeadLetter{}, err
	}
	if id.Job.IsZero() || len(page.Letters) == 0 || page.Letters[0].Interval.From != id.Unit {
		return polymath.DeadLetter{}, polymath.Errorf(polymath.NotFound, "unit %d of job %v is no dead letter", id.Unit, id.Job)
	}
	return page.Letters[0], nil
}

// Discard lets one dead letter go; NotFound when there is none. The ledger
// counts what it is told to discard, so it is told of each letter once: only
// one caller at a time looks and tells.
func (n *Node) Discard(ctx context.Context, id archive.LetterID) error {
	select {
	case n.discarding <- struct{}{}:
		defer func() { <-n.discarding }()
	case <-ctx.Done():
		return polymath.Errorf(polymath.Timeout, "gave up waiting, nothing was discarded: %w", ctx.Err())
	}
	d, err := n.DeadLetter(id)
	if err != nil {
		return err
	}
	_, err = n.Propose(ctx, &ledger.Discard{Job: id.Job, Unit: id.Unit, Tenant: d.Tenant, Queue: d.Queue})
	return err
}

// DiscardAll lets all dead letters of a queue go that it has when this is
// applied; an empty name is the default queue.
func (n *Node) DiscardAll(ctx context.Context, tenant, queue string) error {
	if err := checkQueue(tenant, queue); err != nil {
		return err
	}
	_, err := n.Propose(ctx, &ledger.Discard{Tenant: tenant, Queue: queue})
	return err
}

// deadUnits are the last dead units of a job, in their order.
func (n *Node) deadUnits(id polymath.JobID) ([]uint64, error) {
	page, err := n.options.Archive.DeadLetters(archive.LetterID{}, maxDeadParts, archive.LetterFilter{Job: id})
	var units []uint64
	for _, d := range slices.Backward(page.Letters) {
		units = append(units, d.Interval.From)
	}
	return units, err
}
