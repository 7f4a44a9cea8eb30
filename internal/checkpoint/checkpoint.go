// Package checkpoint keeps images of a ledger on disk, two deep, so that a
// start reads the newest image and the entries after it, and the journal need
// not keep what both images already contain.
//
//	Begin ──> zero header, synced ──> parts ──> Commit: body synced
//	                                               │
//	            older than the two newest  <── header written, synced,
//	                       removed              name made durable
//
// A file is what it says or it is refused: nothing is restored from a file
// whose checksums do not agree. DESIGN.md has the laws.
package checkpoint

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/disk"
)

// keep is how many checkpoints stay: should the newest turn out damaged, the
// one before it and the journal after that one still tell everything.
const keep = 2

// Meta says what a checkpoint is of.
type Meta struct {
	Shard uint8
	Index polymath.Index // the entry applied last
	Sum   uint64         // the journal's checksum at that entry
}

// Store is the checkpoints of one shard, in a directory that other files may
// share. It has one owner: its methods and those of its Writer are not safe
// for concurrent use.
type Store struct {
	fs     disk.FS
	files  []file // with a written header, oldest first
	number uint64 // of the next file
}

// file is one checkpoint whose header was written.
type file struct {
	name   string
	header header
	reason string // why it is damaged, "" while nothing speaks against it
}

// Open lists the checkpoints of a directory and removes those that were never
// finished. The error is a *VersionError when one was written by a newer
// Polymath. Damage is not looked for here but by Load, which can say what it
// means.
func Open(dir disk.FS) (*Store, error) {
	names, err := dir.List()
	if err != nil {
		return nil, fmt.Errorf("checkpoint: open: %w", err)
	}
	s := &Store{fs: dir, number: 1}
	for _, name := range names {
		number, ours := fileNumber(name)
		if !ours {
			continue
		}
		s.number = max(s.number, number+1)
		if err := s.admit(name); err != nil {
			return nil, fmt.Errorf("checkpoint: open %s: %w", name, err)
		}
	}
	if err := dir.SyncDir(); err != nil {
		return nil, fmt.Errorf("checkpoint: open: %w", err)
	}
	slices.SortStableFunc(s.files, func(a, b file) int { return a.header.meta.Index.Compare(b.header.meta.Index) })
	return s, nil
}

// admit reads the header of a file and removes the file if it is unfinished.
// A header that is read may never have been synced, by a process that died
// within Commit: it is made durable before anything is built on it.
func (s *Store) admit(name string) error {
	f, err := s.fs.Open(name, false)
	if err != nil {
		return err
	}
	start := make([]byte, sectorSize+1)
	n, err := f.ReadAt(start, 0)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	h, found := decodeHeader(start[:n])
	if err == nil && found != headerUnfinished {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	switch {
	case found == headerUnfinished:
		return s.remove(name)
	case found == headerDamaged: // its index is unknown: it sorts before all others
		s.files = append(s.files, file{name: name, reason: "its header is damaged"})
	case h.version > formatVersion:
		return &VersionError{File: name, Version: h.version}
	default:
		s.files = append(s.files, file{name: name, header: h})
	}
	return nil
}

// TrimIndex is the trim rule: the journal may be trimmed up to this index and
// never beyond. It is the index of the older of the two newest checkpoints,
// and zero while there are fewer than two that nothing speaks against.
func (s *Store) TrimIndex() polymath.Index {
	if i := s.oldestKept(); i >= 0 {
		return s.files[i].header.meta.Index
	}
	return polymath.Index{}
}

// oldestKept is the place of the older of the two newest files, or -1.
func (s *Store) oldestKept() int {
	good := 0
	for i, f := range slices.Backward(s.files) {
		if f.reason == "" {
			if good++; good == keep {
				return i
			}
		}
	}
	return -1
}

// prune removes what lies before the two newest. Should power fail before the
// removal is durable, the next Commit does it again.
func (s *Store) prune() error {
	for i := s.oldestKept(); i > 0; i-- {
		if err := s.remove(s.files[0].name); err != nil {
			return err
		}
		s.files = s.files[1:]
	}
	return nil
}

// remove removes a file that may be gone already.
func (s *Store) remove(name string) error {
	if err := s.fs.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
