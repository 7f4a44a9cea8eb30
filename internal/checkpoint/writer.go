package checkpoint

import (
	"errors"
	"fmt"

	"github.com/polymath-run/polymath/internal/disk"
)

// writeSize is how many bytes are gathered for one write: an image has a
// thousand parts, most of them small.
const writeSize = 256 << 10

// ErrFull is returned when there is no room for the checkpoint. What was
// written of it is removed and the older ones stay: try again when there is
// space.
var ErrFull = errors.New("checkpoint: no space left for the file: free disk space; the older checkpoints and the journal are untouched")

// Writer writes one checkpoint. It ends with Commit or Abort; after an error
// it has ended by itself, and nothing of it is left.
type Writer struct {
	store  *Store
	name   string
	file   disk.File // nil once ended
	header header
	buf    []byte // not yet written
	offset int64  // where buf belongs in the file
}

// Begin begins a checkpoint. Only one may be under way.
func (s *Store) Begin(meta Meta) (*Writer, error) {
	w := &Writer{
		store:  s,
		name:   fileName(s.number),
		header: header{version: formatVersion, meta: meta},
		offset: sectorSize,
	}
	f, err := s.fs.Open(w.name, true)
	if err != nil {
		return nil, fmt.Errorf("checkpoint: begin: %w", spell(err))
	}
	s.number++
	w.file = f
	// Durable zeros before anything else: until Commit overwrites them, no
	// crash can leave bytes here that look like a damaged header.
	if _, err := f.WriteAt(make([]byte, sectorSize), 0); err != nil {
		return nil, w.fail("begin", err)
	}
	if err := f.Sync(); err != nil {
		return nil, w.fail("begin", err)
	}
	return w, nil
}

// Part adds the next part of the image; b may be changed afterwards.
func (w *Writer) Part(b []byte) error {
	switch {
	case w.file == nil:
		return errEnded
	case int64(len(b)) >= maxPartSize:
		return w.fail("add a part", fmt.Errorf("it has %d bytes, more than %d", len(b), maxPartSize-1))
	}
	w.buf, w.header.sum = appendPart(w.buf, w.header.sum, b)
	w.header.parts++
	w.header.size += frameSize + int64(len(b))
	if len(w.buf) >= writeSize {
		return w.flush()
	}
	return nil
}

// Commit makes the checkpoint durable and removes those before the two newest.
// When it returns nil the checkpoint survives power loss.
func (w *Writer) Commit() error {
	if w.file == nil {
		return errEnded
	}
	if err := w.flush(); err != nil {
		return err
	}
	if err := w.file.Sync(); err != nil {
		return w.fail("sync the body", err)
	}
	if _, err := w.file.WriteAt(w.header.encode(), 0); err != nil {
		return w.fail("write the header", err)
	}
	if err := w.file.Sync(); err != nil {
		return w.fail("sync the header", err)
	}
	if err := w.store.fs.SyncDir(); err != nil {
		return w.fail("sync the directory", err)
	}
	err := w.file.Close()
	w.file = nil
	s := w.store
	s.files = append(s.files, file{name: w.name, header: w.header})
	if err = errors.Join(err, s.prune()); err != nil {
		return fmt.Errorf("checkpoint: %s is written, but removing older ones: %w", w.name, err)
	}
	return nil
}

// Abort gives the checkpoint up and removes its file. After Commit, or a
// second time, it does nothing.
func (w *Writer) Abort() {
	if w.file == nil {
		return
	}
	// What cannot be removed now has no header: Open removes it.
	_ = errors.Join(w.file.Close(), w.store.remove(w.name))
	w.file = nil
}

// errEnded is returned by a Writer that has ended.
var errEnded = errors.New("checkpoint: the writer has ended")

func (w *Writer) flush() error {
	if _, err := w.file.WriteAt(w.buf, w.offset); err != nil {
		return w.fail("write the body", err)
	}
	w.offset += int64(len(w.buf))
	w.buf = w.buf[:0]
	return nil
}

// fail ends the writer because of err.
func (w *Writer) fail(operation string, err error) error {
	w.Abort()
	return fmt.Errorf("checkpoint: %s: %s: %w", w.name, operation, spell(err))
}

// spell names a full disk in our words and keeps the system's.
func spell(err error) error {
	if disk.IsFull(err) {
		return fmt.Errorf("%w: %w", ErrFull, err)
	}
	return err
}
