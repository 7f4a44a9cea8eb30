package local

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/disk"
	"github.com/polymath-run/polymath/internal/disk/disktest"
	"github.com/polymath-run/polymath/internal/journal"
	"github.com/polymath-run/polymath/internal/journal/journaltest"
	"github.com/polymath-run/polymath/internal/wal"
)

// small has segments of a few entries.
func small(fs disk.FS) Options { return Options{FS: fs, SegmentBytes: wal.MinSegmentBytes} }

func mustOpen(t testing.TB, o Options) *Journal {
	t.Helper()
	j, err := Open(o)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	return j
}

func mustClose(t testing.TB, j *Journal) {
	t.Helper()
	if err := j.Close(); err != nil {
		t.Fatalf("close: %v", err)
	}
}

// text is entries, one word each.
func text(records []journal.Record) string { return strings.Join(journaltest.Texts(records), " ") }

func TestReopen(t *testing.T) {
	fs := disktest.New(1)
	j := mustOpen(t, small(fs))
	journaltest.Append(t, j, "a", "b")
	mustClose(t, j)
	j = mustOpen(t, small(fs))
	journaltest.Append(t, j, "c")
	records := journaltest.Read(t, j, journal.Record{})
	if got := text(records); got != "a b c" {
		t.Fatalf("read %q", got)
	}
	mustClose(t, j)
}

// A higher epoch begins with the next entry: until then the tail is the entry
// that is there, so that whoever waits for the tail sees it come.
func TestEpoch(t *testing.T) {
	fs := disktest.New(1)
	j := mustOpen(t, small(fs))
	journaltest.Append(t, j, "a", "b")
	mustClose(t, j)

	raised := small(fs)
	raised.Epoch = 3
	j = mustOpen(t, raised)
	if tail, err := j.Tail(t.Context()); err != nil || tail != (polymath.Index{Epoch: 1, Position: 2}) {
		t.Fatalf("tail %v, %v", tail, err)
	}
	journaltest.Append(t, j, "c")
	mustClose(t, j)

	j = mustOpen(t, small(fs)) // keeps what it has
	journaltest.Append(t, j, "d")
	records := journaltest.Read(t, j, journal.Record{})
	var got []string
	for _, r := range records {
		got = append(got, r.Index.String())
	}
	if want := "1.1 1.2 3.3 3.4"; strings.Join(got, " ") != want {
		t.Fatalf("indexes %q, want %q", got, want)
	}
	b, c := records[1], records[2]
	for _, after := range []polymath.Index{{Epoch: 1, Position: 3}, {Epoch: 2, Position: 3}, {Epoch: 3, Position: 2}, {Epoch: 3, Position: 5}} {
		sum := c.Sum
		if after.Position == 2 {
			sum = b.Sum
		}
		err := j.Follow(t.Context(), after, sum, func([]journal.Record) error { return nil })
		if !errors.Is(err, journal.ErrDiverged) {
			t.Errorf("follow after %v: %v, want ErrDiverged", after, err)
		}
	}
	mustClose(t, j)
}

// A batch that found the disk full leaves no trace, in the checksums neither.
func TestFull(t *testing.T) {
	fs := disktest.New(1)
	j := mustOpen(t, small(fs))
	fs.Fill(fs.Used())
	var stored int
	var err error
	for ; err == nil && stored < 1000; stored++ {
		err = j.Append(t.Context(), fmt.Appendf(nil, "entry-%d", stored))
	}
	if !errors.Is(err, journal.ErrFull) || !errors.Is(err, journal.ErrNotAppended) {
		t.Fatalf("after %d entries: %v, want ErrFull", stored, err)
	}
	if err := j.Append(t.Context(), []byte("again")); !errors.Is(err, journal.ErrFull) {
		t.Fatalf("again: %v, want ErrFull", err)
	}
	fs.Fill(1 << 30)
	journaltest.Append(t, j, "more", "room")
	records := journaltest.Read(t, j, journal.Record{})
	if got := text(records[stored-1:]); got != "more room" {
		t.Fatalf("after the full disk: %q", got)
	}
	mustClose(t, j)
}

func TestFailedSync(t *testing.T) {
	fs := disktest.New(1)
	j := mustOpen(t, small(fs))
	journaltest.Append(t, j, "safe")
	fs.FailSync(1)
	if err := j.Append(t.Context(), []byte("unknown")); !errors.Is(err, ErrFailed) || errors.Is(err, journal.ErrNotAppended) {
		t.Fatalf("append with a failed sync: %v, want ErrFailed alone", err)
	}
	<-j.Failed()
	ctx := t.Context()
	calls := map[string]error{
		"Err":    j.Err(),
		"Append": j.Append(ctx, []byte("x")),
		"Trim":   j.Trim(ctx, polymath.Index{Epoch: 1, Position: 1}),
		"Follow": j.Follow(ctx, polymath.Index{}, 0, func([]journal.Record) error { return nil }),
	}
	_, calls["Tail"] = j.Tail(ctx)
	for name, err := range calls {
		if !errors.Is(err, ErrFailed) || !strings.Contains(err.Error(), "must stop") {
			t.Errorf("%s after the failure: %v", name, err)
		}
	}
	if !errors.Is(calls["Append"], journal.ErrNotAppended) {
		t.Errorf("append after the failure: %v, want ErrNotAppended", calls["Append"])
	}
	if err := j.Close(); err == nil {
		t.Error("close did not say that the disk failed")
	}
	j = mustOpen(t, small(fs.Restart()))
	records := journaltest.Read(t, j, journal.Record{})
	if got := text(records); got != "safe" && got != "safe unknown" {
		t.Fatalf("after the failure %q", got)
	}
	mustClose(t, j)
}

// A trimmed journal can be followed from the place where it was cut, and knows
// another history by its checksum.
func TestFollowAfterTrim(t *testing.T) {
	j := mustOpen(t, small(disktest.New(1)))
	for i := range 200 {
		journaltest.Append(t, j, fmt.Sprintf("entry-%d", i))
	}
	records := journaltest.Read(t, j, journal.Record{})
	if err := j.Trim(t.Context(), records[150].Index); err != nil {
		t.Fatal(err)
	}
	first := int(j.log.First())
	if first < 50 || first > 151 {
		t.Fatalf("the journal begins at %d after trim to 151", first)
	}
	cut := records[first-2] // the newest of the entries trimmed
	if got, want := len(journaltest.Read(t, j, cut)), 200-int(cut.Index.Position); got != want {
		t.Fatalf("%d entries after the cut, want %d", got, want)
	}
	none := func([]journal.Record) error { return nil }
	if err := j.Follow(t.Context(), cut.Index, cut.Sum+1, none); !errors.Is(err, journal.ErrDiverged) {
		t.Fatalf("another sum at the cut: %v, want ErrDiverged", err)
	}
	newer := cut.Index
	newer.Epoch++
	if err := j.Follow(t.Context(), newer, cut.Sum, none); !errors.Is(err, journal.ErrDiverged) {
		t.Fatalf("another epoch at the cut: %v, want ErrDiverged", err)
	}
	before := records[first-3]
	if err := j.Follow(t.Context(), before.Index, before.Sum, none); !errors.Is(err, journal.ErrTrimmed) {
		t.Fatalf("before the cut: %v, want ErrTrimmed", err)
	}
	mustClose(t, j)
}

// The newest entry outlives every trim: without it nobody would know what the
// next one continues.
func TestTrimEverything(t *testing.T) {
	fs := disktest.New(1)
	j := mustOpen(t, small(fs))
	journaltest.Append(t, j, "a")
	checkpoint := journaltest.Read(t, j, journal.Record{})[0]
	for i := range 100 {
		journaltest.Append(t, j, fmt.Sprintf("entry-%d", i))
		if err := j.Trim(t.Context(), polymath.Index{Epoch: 1, Position: 1 << 40}); err != nil {
			t.Fatal(err)
		}
		last := journaltest.Read(t, j, checkpoint)
		checkpoint = last[len(last)-1]
		if i%7 == 0 {
			mustClose(t, j)
			j = mustOpen(t, small(fs))
		}
	}
	if checkpoint.Index.Position != 101 {
		t.Fatalf("followed to %v", checkpoint.Index)
	}
	mustClose(t, j)
}

func TestForeignLogs(t *testing.T) {
	for name, c := range map[string]struct {
		record wal.Record
		want   string
	}{
		"another shard":   {wal.Record{Group: 2, Payload: append([]byte{formatVersion}, make([]byte, 99)...)}, "shard 2"},
		"a newer version": {wal.Record{Payload: append([]byte{formatVersion + 1}, make([]byte, 99)...)}, "version 2"},
		"another program": {wal.Record{Payload: []byte{formatVersion, 'x'}}, "something else"},
		"no position":     {wal.Record{Payload: append([]byte{formatVersion}, make([]byte, 99)...)}, "something else"},
	} {
		t.Run(name, func(t *testing.T) {
			fs := disktest.New(1)
			log, err := wal.Open(wal.Options{FS: fs, SegmentBytes: wal.MinSegmentBytes})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := log.Append([]wal.Record{c.record}); err != nil {
				t.Fatal(err)
			}
			if err := log.Close(); err != nil {
				t.Fatal(err)
			}
			if _, err := Open(small(fs)); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("open: %v, want something about %q", err, c.want)
			}
		})
	}
}

// Damage to acknowledged entries names the file, all the way up.
func TestDamage(t *testing.T) {
	fs := disktest.New(1)
	j := mustOpen(t, small(fs))
	journaltest.Append(t, j, "a", "b", "c")
	mustClose(t, j)
	if err := fs.Flip("wal-00000001", 512+40, 1); err != nil {
		t.Fatal(err)
	}
	_, err := Open(small(fs))
	if damage := (&wal.DamageError{}); !errors.As(err, &damage) || !strings.Contains(err.Error(), "wal-00000001") {
		t.Fatalf("open: %v", err)
	}
}

func TestStats(t *testing.T) {
	j := mustOpen(t, small(disktest.New(1)))
	journaltest.Append(t, j, "one", "three")
	if got, want := j.Stats(), (Stats{Entries: 2, Bytes: 8, Syncs: 2}); got != want {
		t.Errorf("stats %+v, want %+v", got, want)
	}
	mustClose(t, j)
	if err := j.Append(context.Background(), []byte("x")); !errors.Is(err, journal.ErrClosed) || !errors.Is(err, journal.ErrNotAppended) {
		t.Errorf("append after close: %v", err)
	}
}

// A crash may leave the newest segment without an entry. Even then a trim keeps
// the newest entry, or the journal would not open again.
func TestTrimAfterEveryCrash(t *testing.T) {
	for seed := range uint64(8) {
		for op := 0; trimAfterCrash(t, seed, op); op++ {
		}
	}
}

// trimAfterCrash reports whether the operation that was to crash came.
func trimAfterCrash(t *testing.T, seed uint64, op int) bool {
	fs := disktest.New(seed)
	j := mustOpen(t, small(fs))
	fs.CrashAt(fs.Ops() + op)
	var err error
	for i := 0; i < 60 && err == nil; i++ { // beyond the first segment
		err = j.Append(t.Context(), fmt.Appendf(nil, "entry-%d", i))
	}
	_ = j.Close() // on a disk that may have crashed
	if err == nil {
		return false
	}
	fs = fs.Restart()
	j = mustOpen(t, small(fs))
	newest := journal.Record{}
	if before := journaltest.Read(t, j, newest); len(before) > 0 {
		newest = before[len(before)-1]
	}
	if err := j.Trim(t.Context(), newest.Index); err != nil {
		t.Fatalf("seed %d, crash at %d: trim: %v", seed, op, err)
	}
	mustClose(t, j)
	j = mustOpen(t, small(fs))
	journaltest.Append(t, j, "next")
	if got := text(journaltest.Read(t, j, newest)); got != "next" {
		t.Fatalf("seed %d, crash at %d: after the newest entry %q", seed, op, got)
	}
	mustClose(t, j)
	return true
}

// The bytes of version 1, as they will be read for ever.
func TestFormat(t *testing.T) {
	fs := disktest.New(1)
	o := small(fs)
	o.Shard, o.Epoch = 7, 2
	j := mustOpen(t, o)
	journaltest.Append(t, j, "first", "second")
	records, err := j.log.Next(t.Context(), 1, 1<<10)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{
		"01000000" + "02000000" + "0100000000000000" + "56ad19257a06e5f3" + "6669727374",
		"01000000" + "02000000" + "0200000000000000" + "36baa05ea1db6b90" + "7365636f6e64",
	} {
		if got := fmt.Sprintf("%x", records[i].Payload); got != want || records[i].Group != 7 {
			t.Errorf("record %d of group %d: %s, want %s", i+1, records[i].Group, got, want)
		}
	}
	mustClose(t, j)
}

// With segments of a usual size the largest entry is that of the product.
func TestLargestEntry(t *testing.T) {
	j := mustOpen(t, Options{FS: disktest.New(1), SegmentBytes: 2 << 20})
	if n := j.Limits().MaxEntry; n != polymath.MaxEntryBytes {
		t.Errorf("largest entry of %d bytes, want %d", n, polymath.MaxEntryBytes)
	}
	journaltest.Append(t, j, strings.Repeat("x", polymath.MaxEntryBytes))
	if got := journaltest.Read(t, j, journal.Record{}); len(got[0].Entry) != polymath.MaxEntryBytes {
		t.Errorf("it came back with %d bytes", len(got[0].Entry))
	}
	mustClose(t, j)
}
