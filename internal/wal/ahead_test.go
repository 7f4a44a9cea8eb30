package wal

import (
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/polymath-run/polymath/internal/disk"
	"github.com/polymath-run/polymath/internal/disk/disktest"
)

// aheadSegment is many times as large as a record of these tests.
const aheadSegment = 8 * MinSegmentBytes

// ahead is a small log that makes its next file ahead, as soon as the test says
// so by running what it finds in the channel.
func ahead(t *testing.T, fs disk.FS) (*Log, <-chan func()) {
	t.Helper()
	work := make(chan func(), 1)
	o := small(fs)
	o.SegmentBytes = aheadSegment
	o.Go = func(f func()) { work <- f }
	return mustOpen(t, o), work
}

// appendUntil appends one record after the other until one of them begins a segment, or
// there is something to do ahead.
func appendUntil(t *testing.T, l *Log, work <-chan func()) {
	t.Helper()
	for s := l.active(); l.active() == s && len(work) == 0; {
		mustAppend(t, l, 1)
		mustSync(t, l)
	}
}

// TestAhead: the next file is there before it is needed, it is the one that is
// used, and no more than that one are made.
func TestAhead(t *testing.T) {
	fs := disktest.New(1)
	l, work := ahead(t, fs)
	for generation := uint64(1); generation < 4; generation++ {
		appendUntil(t, l, work)
		if s := l.active(); s.generation != generation || s.end < s.size/aheadPart || s.end > s.size/aheadPart+1000 {
			t.Fatalf("generation %d, at %d of %d bytes: want a file to be made in generation %d after a part of %d",
				s.generation, s.end, s.size, generation, aheadPart)
		}
		(<-work)()
		if got := fs.Used(); got != int64(generation+1)*aheadSegment {
			t.Fatalf("%d bytes are in use in generation %d", got, generation)
		}
		appendUntil(t, l, work)
		if got := fs.Used(); l.active().generation != generation+1 || got != int64(generation+1)*aheadSegment {
			t.Fatalf("%d bytes are in use as generation %d begins", got, l.active().generation)
		}
	}
	if err := verify(l, 1<<20); err != nil {
		t.Fatal(err)
	}
	if l = mustOpen(t, small(fs.Restart())); l.active().generation != 4 {
		t.Fatalf("generation %d after power loss", l.active().generation)
	}
	if err := verify(l, 1<<20); err != nil {
		t.Fatal(err)
	}
}

// TestAheadWaits: an append that needs the file waits for it, and makes no other.
func TestAheadWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := disktest.New(1)
		l, work := ahead(t, fs)
		appendUntil(t, l, work)
		begun := false
		go func() {
			for s := l.active(); l.active() == s; {
				if _, err := l.Append(batch(l.Next(), 1)); err != nil {
					t.Error(err)
					return
				}
			}
			begun = true
		}()
		synctest.Wait()
		if begun || fs.Used() != aheadSegment {
			t.Errorf("a segment was begun: %v, with %d bytes in use", begun, fs.Used())
		}
		(<-work)()
		synctest.Wait()
		if !begun || l.active().number != 2 || fs.Used() != 2*aheadSegment {
			t.Errorf("a segment was begun: %v, file %d is used, of %d bytes", begun, l.active().number, fs.Used())
		}
	})
}

// TestAheadHasSpares: what was trimmed is used again, and nothing is made.
func TestAheadHasSpares(t *testing.T) {
	fs := disktest.New(1)
	l, work := ahead(t, fs)
	appendUntil(t, l, work)
	(<-work)()
	appendUntil(t, l, work)
	for range 5 {
		if err := l.Trim(l.Synced()); err != nil {
			t.Fatal(err)
		}
		appendUntil(t, l, work)
		if len(work) > 0 || fs.Used() != 2*aheadSegment {
			t.Fatalf("generation %d: %d files to be made, %d bytes in use", l.active().generation, len(work), fs.Used())
		}
	}
}

// TestAheadFails: a file that cannot be made is nobody's trouble before it is
// needed, and is tried once a segment, however often the log is appended to.
func TestAheadFails(t *testing.T) {
	fs := disktest.New(1)
	l, work := ahead(t, fs)
	fs.Fill(aheadSegment + 100)
	appendUntil(t, l, work)
	(<-work)()
	fill(t, l)
	if len(work) > 0 || fs.Used() != aheadSegment {
		t.Fatalf("%d files to be made, %d bytes in use", len(work), fs.Used())
	}
	fs.Fill(3 * aheadSegment)
	mustAppend(t, l, 1)
	appendUntil(t, l, work)
	(<-work)()
	if err := verify(l, 1<<20); err != nil {
		t.Fatal(err)
	}
}

// TestAheadCloses: Close waits for a file that is being made, and closes it, also
// in a log that has failed; and begins no other.
func TestAheadCloses(t *testing.T) {
	for _, fails := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			fs := &counted{Crash: disktest.New(1)}
			l, work := ahead(t, fs)
			appendUntil(t, l, work)
			if fails {
				mustAppend(t, l, 1)
				fs.FailSync(1)
				if err := l.Sync(); !errors.Is(err, ErrFailed) {
					t.Fatal(err)
				}
			}
			closed := false
			go func() {
				if err := l.Close(); errors.Is(err, ErrFailed) != fails || !fails && err != nil {
					t.Errorf("fails %v: %v", fails, err)
				}
				closed = true
			}()
			synctest.Wait()
			if closed {
				t.Error("Close did not wait")
			}
			(<-work)()
			synctest.Wait()
			if open := fs.open.Load(); !closed || open != 0 {
				t.Errorf("closed: %v, and %d files are open", closed, open)
			}
			if err := verify(mustOpen(t, small(fs.Restart())), 1<<20); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestCloseBeginsNothing: what Close makes durable is no reason to make a file.
func TestCloseBeginsNothing(t *testing.T) {
	o, begun := small(disktest.New(1)), 0
	o.SegmentBytes = aheadSegment
	o.Go = func(f func()) {
		begun++
		f()
	}
	l := mustOpen(t, o)
	for l.active().end < aheadSegment/2 {
		mustAppend(t, l, 1)
	}
	if err := l.Close(); err != nil || begun > 0 {
		t.Errorf("%d files were made, %v", begun, err)
	}
}

// TestSpareOfAnotherSize: a file that cannot be removed is not used either, if it
// has no room for every batch.
func TestSpareOfAnotherSize(t *testing.T) {
	fs := &counted{Crash: disktest.New(1)}
	o := small(fs)
	o.SegmentBytes = 2 * firstSegmentBytes
	l := mustOpen(t, o)
	large := make([]Record, 9)
	for i := range large {
		large[i].Payload = make([]byte, MaxPayload)
	}
	fs.stuck = true
	for range 4 {
		if _, err := l.Append(large); err != nil {
			t.Fatal(err)
		}
		mustSync(t, l)
		if err := l.Trim(l.Synced()); err != nil {
			t.Fatal(err)
		}
		mustSync(t, l)
		if s := l.active(); s.end > s.size {
			t.Fatalf("%s ends at %d of %d bytes", s.name(), s.end, s.size)
		}
	}
	if len(l.spares) == 0 || l.spares[0].size != firstSegmentBytes {
		t.Error("the first file is no spare: this test shows nothing")
	}
	if l = mustOpen(t, small(fs.Restart())); l.Next() != 37 {
		t.Errorf("the next index is %d", l.Next())
	}
}

// counted counts the files that are open, and may be unable to remove any.
type counted struct {
	*disktest.Crash
	open  atomic.Int64
	stuck bool
}

func (c *counted) Open(name string, create bool) (disk.File, error) {
	f, err := c.Crash.Open(name, create)
	if err != nil {
		return nil, err
	}
	c.open.Add(1)
	return &countedFile{File: f, of: c}, nil
}

func (c *counted) Remove(name string) error {
	if c.stuck {
		return errors.New("the file is in use")
	}
	return c.Crash.Remove(name)
}

type countedFile struct {
	disk.File
	of *counted
}

func (f *countedFile) Close() error {
	f.of.open.Add(-1)
	return f.File.Close()
}
