package wal

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/polymath-run/polymath/internal/disk"
)

// sort puts the files that recovery found outside the log to use as spares, or
// away. A segment that was begun but never joined goes first: the next one
// begun has the same generation, and no two files may claim it.
func (l *Log) sort(r *recovery) error {
	useless := r.broken
	for generation, s := range r.files {
		switch {
		case generation >= l.first && s != r.orphan:
		case l.reusable(s):
			l.spares = append(l.spares, s)
		default:
			useless = append(useless, s)
		}
	}
	slices.SortFunc(l.spares, func(a, b *segment) int { return cmp.Compare(b.generation, a.generation) })
	slices.SortFunc(useless, func(a, b *segment) int { return cmp.Compare(a.number, b.number) })
	if n := l.options.SpareSegments; len(l.spares) > n {
		useless = append(useless, l.spares[n:]...)
		l.spares = l.spares[:n]
	}
	if err := l.discard(useless); err != nil {
		return err
	}
	// Also for what a process removed that died before this line: a file that
	// came back after power loss could claim a generation given to another since.
	if err := l.options.FS.SyncDir(); err != nil {
		return fmt.Errorf("wal: sync directory: %w", err)
	}
	return nil
}

// reusable reports whether a file is as long as segments are now.
func (l *Log) reusable(s *segment) bool {
	n, _ := s.file.ReadAt(make([]byte, 1), s.size-1)
	return n == 1 && s.size == l.options.SegmentBytes
}

// discard removes files that are no use.
func (l *Log) discard(useless []*segment) error {
	for _, s := range useless {
		if err := errors.Join(s.file.Close(), l.options.FS.Remove(s.name())); err != nil {
			return fmt.Errorf("wal: remove: %w", err)
		}
	}
	return nil
}

// takeSpare returns a file to begin a segment in. Trimmed segments come before
// a new file, even when that takes a sync to let go of them. ErrFull changes
// nothing.
func (l *Log) takeSpare() (*segment, error) {
	if l.spare() < 0 && l.first > l.segments[0].generation {
		if err := l.Sync(); err != nil {
			return nil, err
		}
	}
	if i := l.spare(); i >= 0 {
		s := l.spares[i]
		l.spares = slices.Delete(l.spares, i, i+1)
		return s, nil
	}
	if s := l.made(); s != nil {
		return s, nil
	}
	s := l.draft()
	err := s.fill(l.options.FS)
	if err != nil && !errors.Is(err, ErrFull) {
		l.err = fmt.Errorf("%w: %w", ErrFailed, err)
		err = l.err
	}
	return s, err
}

// spare is the place of the spare to take next, or -1: one of another size may
// be there that could not be removed, and has no room for every batch.
func (l *Log) spare() int {
	return slices.IndexFunc(l.spares, func(s *segment) bool { return s.size == l.options.SegmentBytes })
}

// release turns segments whose trimming is durable into spares, and removes
// those too many. A file that cannot be removed stays a spare, and one that
// comes back after power loss becomes one: neither can be taken for a part of
// the log.
func (l *Log) release() error {
	for l.segments[0].generation < l.active().noted {
		l.spares = append(l.spares, l.segments[0])
		l.segments = l.segments[1:]
	}
	for i, s := range slices.Backward(l.spares) { // backward: deleting moves only what was seen
		if len(l.spares) <= l.options.SpareSegments && s.size == l.options.SegmentBytes {
			continue
		}
		if err := l.options.FS.Remove(s.name()); err != nil && !errors.Is(err, fs.ErrNotExist) {
			continue
		}
		l.spares = slices.Delete(l.spares, i, i+1)
		if err := s.file.Close(); err != nil {
			return l.fail("close", s, err)
		}
	}
	return nil
}

// draft gives a file that will be made its name and size.
func (l *Log) draft() *segment {
	l.number++
	return &segment{number: l.number, header: header{size: l.options.SegmentBytes}}
}

// fill makes the file: zeros, durable under a name of its own.
func (s *segment) fill(fs disk.FS) (err error) {
	if s.file, err = fs.Open(s.name(), true); err != nil {
		return fullOr(fmt.Errorf("wal: make %s: %w", s.name(), err))
	}
	err = zero(s.file, 0, s.size)
	if err == nil {
		err = s.file.Sync()
	}
	if err == nil {
		err = fs.SyncDir()
	}
	if err != nil {
		err = fmt.Errorf("wal: fill %s: %w", s.name(), err)
		return fullOr(errors.Join(err, s.file.Close(), fs.Remove(s.name())))
	}
	return nil
}

// fullOr makes an error of a full disk ErrFull.
func fullOr(err error) error {
	if disk.IsFull(err) {
		return fmt.Errorf("%w: %w", ErrFull, err)
	}
	return err
}

// begin makes a file a segment: its header is durable afterwards.
func (l *Log) begin(s *segment, h header) error {
	h.size = s.size
	s.adopt(h)
	if _, err := s.file.WriteAt(h.encode(), 0); err != nil {
		return fmt.Errorf("write header of %s: %w", s.name(), err)
	}
	if err := s.file.Sync(); err != nil {
		return fmt.Errorf("sync %s: %w", s.name(), err)
	}
	return nil
}

// close releases the files of a log that does not open.
func (r *recovery) close() {
	for _, s := range r.files {
		_ = s.file.Close() // already failing: there is an error that says more
	}
	for _, s := range r.broken {
		_ = s.file.Close()
	}
}
