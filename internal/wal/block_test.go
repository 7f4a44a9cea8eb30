package wal

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"unsafe"

	"github.com/polymath-run/polymath/internal/disk"
	"github.com/polymath-run/polymath/internal/disk/disktest"
)

// watched is a disk that shows each write and can refuse reads.
type watched struct {
	disk.FS
	write  func(f disk.File, b []byte, offset int64)
	unread error
}

type watchedFile struct {
	disk.File
	fs *watched
}

func (w *watched) Open(name string, create bool) (disk.File, error) {
	f, err := w.FS.Open(name, create)
	return watchedFile{f, w}, err
}

func (f watchedFile) WriteAt(b []byte, offset int64) (int, error) {
	if f.fs.write != nil {
		f.fs.write(f.File, b, offset)
	}
	return f.File.WriteAt(b, offset)
}

func (f watchedFile) ReadAt(b []byte, offset int64) (int, error) {
	if f.fs.unread != nil {
		return 0, f.fs.unread
	}
	return f.File.ReadAt(b, offset)
}

// TestWholeBlocks: records are written in whole blocks, wherever the file has
// them, and every byte before the end of the log is written over by itself.
func TestWholeBlocks(t *testing.T) {
	for _, size := range []int64{MinSegmentBytes, 4 * disk.BlockBytes, 3*disk.BlockBytes + 1536} {
		fs := &watched{FS: disktest.New(1)}
		o := small(fs)
		o.SegmentBytes = size
		l := mustOpen(t, o)
		inBlocks, ragged := 0, 0
		var padded *segment // its last block was written as a whole
		fs.write = func(f disk.File, b []byte, offset int64) {
			s := l.active()
			if f != s.file.(watchedFile).File {
				return // the next one is made
			}
			last := size - size%disk.BlockBytes
			switch {
			case offset%disk.BlockBytes == 0 && len(b)%disk.BlockBytes == 0 && uintptr(unsafe.Pointer(&b[0]))%disk.BlockBytes == 0:
				inBlocks++
				if rest := blockRest(t, f, s); padded == s && len(bytes.Trim(rest, "\x00")) > 0 {
					t.Errorf("segments of %d bytes: behind the log at %d is %x", size, s.end, rest)
				}
				padded = s
			case offset == s.end && offset+int64(len(b)) > last:
				ragged++
				padded = nil
			default:
				t.Errorf("segments of %d bytes: write of %d bytes at %d", size, len(b), offset)
			}
			old := make([]byte, max(0, s.end-offset))
			if n, err := f.ReadAt(old, offset); err != nil && !errors.Is(err, io.EOF) || n < len(old) || !bytes.Equal(old, b[:len(old)]) {
				t.Fatalf("the write at %d changes what the log has up to %d", offset, s.end)
			}
		}
		for i := range 300 {
			mustAppend(t, l, 1+i%4)
			if i%3 > 0 {
				mustSync(t, l)
			}
			if i%50 == 0 {
				if err := l.Trim(l.Synced()); err != nil {
					t.Fatal(err)
				}
			}
			if i%20 == 0 {
				if err := l.Close(); err != nil {
					t.Fatal(err)
				}
				l = mustOpen(t, o)
			}
		}
		if err := verify(l, 1<<20); err != nil {
			t.Fatal(err)
		}
		if inBlocks < 100 || (ragged == 0) != (size%disk.BlockBytes == 0) {
			t.Errorf("segments of %d bytes: %d writes of whole blocks and %d of others", size, inBlocks, ragged)
		}
	}
}

// blockRest is what the block in which a segment ends has behind its end.
func blockRest(t *testing.T, f disk.File, s *segment) []byte {
	t.Helper()
	rest := make([]byte, -s.end&(disk.BlockBytes-1))
	if n, err := f.ReadAt(rest, s.end); n < len(rest) {
		t.Fatal(err)
	}
	return rest
}

// TestUnreadableBlock: a log that cannot read the block it is to go on in does
// not write over it.
func TestUnreadableBlock(t *testing.T) {
	fs := &watched{FS: disktest.New(1)}
	l := mustOpen(t, small(fs))
	mustAppend(t, l, 3)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = mustOpen(t, small(fs))
	fs.unread = errors.New("no sector")
	fs.write = func(disk.File, []byte, int64) { t.Error("written all the same") }
	if _, err := l.Append(batch(l.Next(), 1)); !errors.Is(err, ErrFailed) || !errors.Is(err, fs.unread) {
		t.Fatalf("append: %v", err)
	}
	if _, err := l.Append(batch(l.Next(), 1)); !errors.Is(err, ErrFailed) {
		t.Fatalf("append after it: %v", err)
	}
}
