package wal

import (
	"errors"
	"fmt"
)

// Errors that callers tell apart with errors.Is. Those of damage, versions and
// foreign files are types, found with errors.As.
var (
	// ErrTrimmed is returned for an index that is no longer in the log.
	ErrTrimmed = errors.New("wal: trimmed: start from a checkpoint")
	// ErrFull is returned when there is no room for another segment. Nothing
	// of the batch is in the log, and the log works again as soon as there is
	// room or something is trimmed.
	ErrFull = errors.New("wal: no room for another segment: free disk space or trim the log")
	// ErrTooLarge is returned for a batch that fits in no segment.
	ErrTooLarge = errors.New("wal: too large")
	// ErrFailed is returned by every call after a write or sync has failed:
	// what is on the disk is unknown until the log is opened again, so the
	// process must stop. It wraps the first failure.
	ErrFailed = errors.New("wal: failed earlier, nothing can be trusted until a restart")
	// ErrClosed is returned by every call after Close.
	ErrClosed = errors.New("wal: closed")
	// ErrNotAppended is wrapped by an error of Committer.Append that proves
	// that the payload is not in the log and never will be. Any other error
	// leaves that open.
	ErrNotAppended = errors.New("wal: not appended")
)

// DamageError says that data that was acknowledged is damaged or missing. The
// log refuses to open, because going on would silently forget it.
type DamageError struct {
	File   string // name in the directory of the log; empty when the file itself is missing
	Offset int64  // in bytes, of the first thing in the file that is bad
	Index  uint64 // first index that is lost; 0 when nobody knows
	Reason string // what was expected there
}

func (e *DamageError) Error() string {
	where, lost := "segment file missing", "an unknown part of the log"
	if e.File != "" {
		where = fmt.Sprintf("%s at offset %d", e.File, e.Offset)
	}
	if e.Index != 0 {
		lost = fmt.Sprintf("everything from index %d on", e.Index)
	}
	return fmt.Sprintf("wal: damaged: %s: %s. Acknowledged data is lost: %s. Restore the data directory from "+
		"a backup or a replica; to go on without the data, move the directory away and start with an empty one",
		where, e.Reason, lost)
}

// VersionError says that a file was written by a version of the product whose
// format this one does not know.
type VersionError struct {
	File    string
	Offset  int64 // in bytes
	Version byte
}

func (e *VersionError) Error() string {
	return fmt.Sprintf("wal: %s at offset %d: format version %d: written by a newer Polymath, this one reads version %d: "+
		"start the newer version on this directory", e.File, e.Offset, e.Version, formatVersion)
}

// ForeignError says that the segment files of two logs lie in one directory,
// or two copies of one.
type ForeignError struct {
	File, Other string // the names of two files that cannot be of one log
	Reason      string
}

func (e *ForeignError) Error() string {
	return fmt.Sprintf("wal: %s and %s cannot be of one log: %s: move the file that was copied here out of the directory",
		e.File, e.Other, e.Reason)
}
