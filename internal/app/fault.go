package app

import (
	"context"
	"errors"
	"io/fs"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/archive"
	"github.com/polymath-run/polymath/internal/disk"
	"github.com/polymath-run/polymath/internal/journal"
)

// explain makes of an error of the data directory one that a person can act
// on. What is damaged speaks for itself: those errors name the file, what is
// lost and the way out.
func explain(path string, err error) error {
	var known *polymath.Error
	switch {
	case err == nil:
		return nil
	case isFull(err):
		return polymath.Errorf(polymath.Damaged,
			"no space left for the data directory %s: nothing that was acknowledged is lost; make room and do the same again, "+
				"it goes on from there (%w)", path, err)
	case errors.As(err, &known):
		return err
	case errors.Is(err, fs.ErrPermission):
		return polymath.Errorf(polymath.Damaged,
			"no permission for the data directory %s: run as its owner, or name another directory with --data (%w)", path, err)
	case errors.Is(err, context.Canceled):
		return polymath.Errorf(polymath.Interrupted, "interrupted while opening the data directory %s: %w", path, err)
	default:
		return polymath.Errorf(polymath.Damaged, "data directory %s: %w", path, err)
	}
}

// isFull reports whether an error comes from a full disk, in the words of the
// system, of the journal or of the archive.
func isFull(err error) bool {
	return disk.IsFull(err) || errors.Is(err, journal.ErrFull) || errors.Is(err, archive.ErrFull)
}

// watched is a journal that tells of a full disk. A command line stops then:
// its user has to make room, and nobody else would tell him.
type watched struct {
	journal.Journal
	full func(error)
}

// Append implements journal.Journal.
func (w watched) Append(ctx context.Context, entry []byte) error {
	err := w.Journal.Append(ctx, entry)
	if isFull(err) {
		w.full(err)
	}
	return err
}
