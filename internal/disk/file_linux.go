package disk

import (
	"errors"
	"io"
	"os"
	"sync"
	"syscall"
)

// Magic numbers of the file systems that are trusted to return from a direct
// write when it is durable: ext4, where it was measured to be cheaper, and XFS,
// which shares that code of the kernel. Any other is written to through the cache.
const (
	ext4 = 0xef53
	xfs  = 0x58465342
)

// directBytes is the largest write that goes past the cache: at twice as many
// bytes the cache is as fast, and beyond it is faster.
const directBytes = 64 << 10

// file is an *os.File whose whole blocks, once they are there, are overwritten
// past the cache of the system: one call that returns when they are durable, for
// half the processor time of a write and a sync. Everything else goes through
// the cache; Linux keeps both in step.
type file struct {
	*os.File

	mu      sync.Mutex // guards what follows
	settled bool       // direct is as it will stay
	direct  writer     // the same file, opened for that; nil: not yet or not here
	refused bool       // it was opened, but does not write
	size    int64      // what the file has at least

	syncing sync.Mutex // held by Sync; before mu
	clean   bool       // all written is durable; guarded by mu
}

// writer is what is used of a file that is open for direct writes.
type writer interface {
	io.WriterAt
	io.Closer
}

func newFile(f *os.File) File { return &file{File: f} }

func (f *file) WriteAt(b []byte, offset int64) (int, error) {
	if direct := f.past(b, offset); direct != nil {
		n, err := direct.WriteAt(b, offset)
		if err == nil {
			return n, nil
		}
		if !errors.Is(err, syscall.EINVAL) {
			f.soil()
			return n, err
		}
		f.refuse()
	}
	n, err := f.File.WriteAt(b, offset)
	f.soil()
	return n, err
}

// past returns the file to write to when a write can go past the cache.
func (f *file) past(b []byte, offset int64) writer {
	if len(b) > directBytes || !whole(b, offset) {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if end := offset + int64(len(b)); end > f.size {
		info, err := f.Stat()
		if err != nil || info.Size() < end {
			return nil // growing is slower that way
		}
		f.size = info.Size()
	}
	if !f.settled {
		f.settled, f.direct = true, openDirect(f.File)
	}
	if f.refused {
		return nil
	}
	return f.direct
}

// refuse notes that direct writes do not work here after all: the blocks of the
// disk may be larger than BlockBytes.
func (f *file) refuse() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.refused = true
}

// openDirect opens a file once more, nil if that cannot be or is not worth it.
func openDirect(f *os.File) writer {
	var system syscall.Statfs_t
	if err := syscall.Statfs(f.Name(), &system); err != nil || system.Type != ext4 && system.Type != xfs {
		return nil
	}
	direct, err := os.OpenFile(f.Name(), os.O_RDWR|syscall.O_DIRECT|syscall.O_DSYNC, 0)
	if err != nil {
		return nil
	}
	one, oneErr := f.Stat()
	other, otherErr := direct.Stat()
	if errors.Join(oneErr, otherErr) != nil || !os.SameFile(one, other) { // the name is another's by now
		_ = direct.Close() // nothing was written to it
		return nil
	}
	return direct
}

// whole reports whether a write is one of whole blocks, from whole blocks of
// memory.
func whole(b []byte, offset int64) bool {
	return len(b) > 0 && len(b)%BlockBytes == 0 && offset >= 0 && offset%BlockBytes == 0 && address(b)%BlockBytes == 0
}

// soil notes a write that only a sync makes durable.
func (f *file) soil() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.clean = false
}

// Sync calls fdatasync when there was a write since the last one that was not
// durable at once, and the first time: another process may have written before
// this one opened the file.
func (f *file) Sync() error {
	f.syncing.Lock()
	defer f.syncing.Unlock()
	if f.cleaned() {
		return nil
	}
	err := syncData(f.File)
	if err != nil {
		f.soil()
	}
	return err
}

// cleaned says whether nothing is to be synced, as is so from now on: what is
// written beside the sync that follows may have come too late for it.
func (f *file) cleaned() (before bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	before, f.clean = f.clean, true
	return before
}

func (f *file) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.clean, f.settled = false, true // so that Sync fails, and nothing is opened any more
	err := f.File.Close()
	if f.direct != nil {
		err = errors.Join(err, f.direct.Close())
	}
	return err
}
