package wal

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"github.com/polymath-run/polymath/internal/disk"
	"github.com/polymath-run/polymath/internal/disk/disktest"
)

// small are options under which a few records fill a segment.
func small(fs disk.FS) Options {
	return Options{FS: fs, SegmentBytes: MinSegmentBytes, NewLogID: func() ([16]byte, error) {
		return [16]byte{'t', 'e', 's', 't'}, nil
	}}
}

func mustOpen(t testing.TB, o Options) *Log {
	t.Helper()
	l, err := Open(o)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	return l
}

// payload is what the tests store at an index: its length varies from 0 to
// about 600 bytes, its content is found nowhere else.
func payload(index uint64) []byte {
	text := fmt.Sprintf("record %d;", index)
	return bytes.Repeat([]byte(text), int(index*7%61))
}

// batch is the records from an index on.
func batch(from uint64, n int) []Record {
	records := make([]Record, n)
	for i := range records {
		index := from + uint64(i)
		records[i] = Record{Index: index, Group: uint32(index % 3), Payload: payload(index)}
	}
	return records
}

func mustAppend(t testing.TB, l *Log, n int) {
	t.Helper()
	want := l.Next()
	if first, err := l.Append(batch(want, n)); err != nil || first != want {
		t.Fatalf("append of %d: index %d, %v, want %d", n, first, err, want)
	}
}

func mustSync(t testing.TB, l *Log) {
	t.Helper()
	if err := l.Sync(); err != nil {
		t.Fatalf("sync: %v", err)
	}
	if l.Synced() != l.Next()-1 {
		t.Fatalf("synced %d after a sync, want %d", l.Synced(), l.Next()-1)
	}
}

// verify proves that the log holds exactly what the tests append, from First
// to Next.
func verify(l *Log, limit int) error {
	next := l.First()
	for next < l.Next() {
		records, err := l.Read(next, limit)
		if err != nil {
			return err
		}
		if len(records) == 0 {
			return fmt.Errorf("nothing at index %d of [%d, %d)", next, l.First(), l.Next())
		}
		for _, r := range records {
			if r.Index != next || r.Group != uint32(next%3) || !bytes.Equal(r.Payload, payload(next)) {
				return fmt.Errorf("at index %d: index %d, group %d, %q", next, r.Index, r.Group, r.Payload)
			}
			next++
		}
	}
	if records, err := l.Read(next, limit); len(records) != 0 || err != nil {
		return fmt.Errorf("read at the end: %v, %v", records, err)
	}
	return nil
}

func TestAppendReadReopen(t *testing.T) {
	fs := disktest.New(1)
	l := mustOpen(t, small(fs))
	if l.First() != 1 || l.Next() != 1 || l.Synced() != 0 {
		t.Fatalf("new log: first %d, next %d, synced %d", l.First(), l.Next(), l.Synced())
	}
	for i := range 200 {
		mustAppend(t, l, i%4)
		if i%3 == 0 {
			mustSync(t, l)
		}
		for _, limit := range []int{0, 100, 1 << 20} {
			if err := verify(l, limit); err != nil {
				t.Fatal(err)
			}
		}
		if i%10 == 9 {
			next := l.Next()
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			if l = mustOpen(t, small(fs)); l.Next() != next {
				t.Fatalf("next %d after reopening, want %d", l.Next(), next)
			}
		}
	}
}

func TestTrimRecycles(t *testing.T) {
	fs := disktest.New(1)
	l := mustOpen(t, small(fs))
	for range 300 {
		mustAppend(t, l, 3)
		mustSync(t, l)
		if l.Next() > 40 {
			if err := l.Trim(l.Next() - 40); err != nil {
				t.Fatal(err)
			}
			if l.First() > l.Next()-39 {
				t.Fatalf("trimmed to %d beyond %d", l.First(), l.Next()-40)
			}
		}
		if err := verify(l, 1000); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := l.Read(l.First()-1, 1); !errors.Is(err, ErrTrimmed) {
		t.Fatalf("read below first: %v", err)
	}
	if l.active().generation < 50 {
		t.Fatalf("only %d segments were begun", l.active().generation)
	}
	if l.number > 8 {
		t.Fatalf("%d files were made: nothing is recycled", l.number)
	}
}

// TestFirstSegmentIsSmall: whoever makes a log does not wait for the zeros of a
// whole segment, and what does not fit in the first one goes to the next.
func TestFirstSegmentIsSmall(t *testing.T) {
	fs := disktest.New(1)
	o := small(fs)
	o.SegmentBytes = 2 * firstSegmentBytes
	l := mustOpen(t, o)
	if got := fs.Used(); got != firstSegmentBytes {
		t.Errorf("%d bytes in use at first", got)
	}
	large := make([]Record, 9)
	for i := range large {
		large[i].Payload = make([]byte, MaxPayload)
	}
	for range 2 {
		if _, err := l.Append(large); err != nil {
			t.Fatal(err)
		}
		mustSync(t, l)
	}
	if got := fs.Used(); got != 5*firstSegmentBytes || len(l.segments) != 3 {
		t.Errorf("%d bytes in use by %d segments", got, len(l.segments))
	}
	if err := l.Trim(l.Synced()); err != nil {
		t.Fatal(err)
	}
	mustSync(t, l)
	if got := fs.Used(); got != 4*firstSegmentBytes || l.spares[0].size != o.SegmentBytes {
		t.Errorf("%d bytes in use after a trim", got)
	}
	if l = mustOpen(t, o); l.Next() != 19 {
		t.Errorf("the next index is %d", l.Next())
	}
}
