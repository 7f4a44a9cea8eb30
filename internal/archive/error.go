package archive

import (
	"errors"
	"fmt"

	"github.com/polymath-run/polymath"
)

// Errors that callers tell apart with errors.Is.
var (
	// ErrFull says that there is no space. Nothing is lost, and the archive
	// works again as soon as there is some.
	ErrFull = errors.New("no space left for the archive: free disk space; nothing is lost, what it is owed is in the journal")
	// ErrClosed is returned by every call after Close.
	ErrClosed = errors.New("the archive is closed")
)

// DamageError says that the file cannot be trusted. Nothing more is read from
// it or written to it.
type DamageError struct {
	File   string
	Reason string // where, and what was expected there
}

func (e *DamageError) Error() string {
	return fmt.Sprintf("the archive file %s is damaged: %s. What it kept is lost: finished jobs, their results, dead letters and "+
		"past events. Unfinished jobs are not in it and are safe in the journal. Restore the file from a backup or a replica; to go "+
		"on without it, move it away: Polymath starts with an empty archive", e.File, e.Reason)
}

// BehindError says that the archive lacks what the journal will not tell again.
type BehindError struct {
	File                string
	Applied, Checkpoint polymath.Index
}

func (e *BehindError) Error() string {
	return fmt.Sprintf("the archive file %s contains the journal up to index %v, but the start begins at the checkpoint of index %v: "+
		"what finished in between is in neither, as after restoring an older copy of the file. Put back the newer file; to go on "+
		"without these jobs and events, move the file away: Polymath starts with an empty archive", e.File, e.Applied, e.Checkpoint)
}

// VersionError says that a file was written by a version of the product whose
// format this one does not know.
type VersionError struct {
	File    string
	Version byte
}

func (e *VersionError) Error() string {
	return fmt.Sprintf("the archive file %s has format version %d and this Polymath reads up to %d: start the newer Polymath that wrote it",
		e.File, e.Version, formatVersion)
}

// recordError says that a record has a wrong checksum.
type recordError struct {
	in  bucket
	key []byte
}

func (e *recordError) Error() string {
	return fmt.Sprintf("the record %x of table %q has a wrong checksum", e.key, string(rune(e.in)))
}
