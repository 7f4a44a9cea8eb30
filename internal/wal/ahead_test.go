package wal

import (
	"errors"
	"testing"

	"github.com/polymath-run/polymath/internal/disk/disktest"
)

// aheadSegment is many times as large as a record of these tests.
const aheadSegment = 8 * MinSegmentBytes

// ahead is a small log that makes its next file ahead, as soon as the test says
// so by running what it finds in the channel.
func ahead(t *testing.T, fs *disktest.Crash) (*Log, <-chan func()) {
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
	fs := disktest.New(1)
	l, work := ahead(t, fs)
	appendUntil(t, l, work)
	needed := make(chan uint64)
	go func() {
		s := l.active()
		for l.active() == s {
			if _, err := l.Append(batch(l.Next(), 1)); err != nil {
				t.Error(err)
				break
			}
		}
		needed <- l.active().number
	}()
	(<-work)()
	if number := <-needed; number != 2 || fs.Used() != 2*aheadSegment {
		t.Errorf("file %d is used, of %d bytes", number, fs.Used())
	}
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

// TestAheadCloses: a log is closed while a file is made, also one that has failed.
func TestAheadCloses(t *testing.T) {
	for _, fails := range []bool{false, true} {
		fs := disktest.New(1)
		l, work := ahead(t, fs)
		appendUntil(t, l, work)
		if fails {
			mustAppend(t, l, 1)
			fs.FailSync(1)
			if err := l.Sync(); !errors.Is(err, ErrFailed) {
				t.Fatal(err)
			}
		}
		closed := make(chan error)
		go func() { closed <- l.Close() }()
		(<-work)()
		if err := <-closed; errors.Is(err, ErrFailed) != fails || !fails && err != nil {
			t.Errorf("fails %v: %v", fails, err)
		}
		if err := verify(mustOpen(t, small(fs.Restart())), 1<<20); err != nil {
			t.Error(err)
		}
	}
}
