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

func mustAppend(t testing.TB, j *Journal, entries ...string) {
	t.Helper()
	for _, e := range entries {
		if err := j.Append(t.Context(), []byte(e)); err != nil {
			t.Fatalf("append %q: %v", e, err)
		}
	}
}

// read returns the entries after one, up to the tail.
func read(t testing.TB, j *Journal, after journal.Record) []journal.Record {
	t.Helper()
	tail, err := j.Tail(t.Context())
	if err != nil {
		t.Fatalf("tail: %v", err)
	}
	var out []journal.Record
	if after.Index == tail {
		return nil
	}
	end := errors.New("at the tail")
	err = j.Follow(t.Context(), after.Index, after.Sum, func(batch []journal.Record) error {
		for _, r := range batch {
			r.Entry = append([]byte(nil), r.Entry...)
			out = append(out, r)
		}
		if out[len(out)-1].Index.Compare(tail) >= 0 {
			return end
		}
		return nil
	})
	if !errors.Is(err, end) {
		t.Fatalf("follow after %v to %v: %v", after.Index, tail, err)
	}
	return out
}

// text is entries, one word each.
func text(records []journal.Record) string {
	words := make([]string, len(records))
	for i, r := range records {
		words[i] = string(r.Entry)
	}
	return strings.Join(words, " ")
}

// checkChain proves that the checksums are those of the entries.
func checkChain(t testing.TB, records []journal.Record) {
	t.Helper()
	last := journal.Record{}
	for _, r := range records {
		if r.Index.Position != last.Index.Position+1 || r.Sum != last.Sum.Next(r.Entry) {
			t.Fatalf("record %v %x %q does not continue %v %x", r.Index, r.Sum, r.Entry, last.Index, last.Sum)
		}
		last = r
	}
}

func TestReopen(t *testing.T) {
	fs := disktest.New(1)
	j := mustOpen(t, small(fs))
	mustAppend(t, j, "a", "b")
	mustClose(t, j)
	j = mustOpen(t, small(fs))
	mustAppend(t, j, "c")
	records := read(t, j, journal.Record{})
	if got := text(records); got != "a b c" {
		t.Fatalf("read %q", got)
	}
	checkChain(t, records)
	mustClose(t, j)
}

// A higher epoch begins with the next entry: until then the tail is the entry
// that is there, so that whoever waits for the tail sees it come.
func TestEpoch(t *testing.T) {
	fs := disktest.New(1)
	j := mustOpen(t, small(fs))
	mustAppend(t, j, "a", "b")
	mustClose(t, j)

	raised := small(fs)
	raised.Epoch = 3
	j = mustOpen(t, raised)
	if tail, err := j.Tail(t.Context()); err != nil || tail != (polymath.Index{Epoch: 1, Position: 2}) {
		t.Fatalf("tail %v, %v", tail, err)
	}
	mustAppend(t, j, "c")
	mustClose(t, j)

	j = mustOpen(t, small(fs)) // keeps what it has
	mustAppend(t, j, "d")
	records := read(t, j, journal.Record{})
	checkChain(t, records)
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
	mustAppend(t, j, "more", "room")
	records := read(t, j, journal.Record{})
	checkChain(t, records)
	if got := text(records[stored-1:]); got != "more room" {
		t.Fatalf("after the full disk: %q", got)
	}
	mustClose(t, j)
}

func TestFailedSync(t *testing.T) {
	fs := disktest.New(1)
	j := mustOpen(t, small(fs))
	mustAppend(t, j, "safe")
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
	records := read(t, j, journal.Record{})
	checkChain(t, records)
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
		mustAppend(t, j, fmt.Sprintf("entry-%d", i))
	}
	records := read(t, j, journal.Record{})
	if err := j.Trim(t.Context(), records[150].Index); err != nil {
		t.Fatal(err)
	}
	first := int(j.log.First())
	if first < 50 || first > 151 {
		t.Fatalf("the journal begins at %d after trim to 151", first)
	}
	cut := records[first-2] // the newest of the entries trimmed
	if got, want := len(read(t, j, cut)), 200-int(cut.Index.Position); got != want {
		t.Fatalf("%d entries after the cut, want %d", got, want)
	}
	none := func([]journal.Record) error { return nil }
	if err := j.Follow(t.Context(), cut.Index, cut.Sum+1, none); !errors.Is(err, journal.ErrDiverged) {
		t.Fatalf("another sum at the cut: %v, want ErrDiverged", err)
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
	mustAppend(t, j, "a")
	checkpoint := read(t, j, journal.Record{})[0]
	for i := range 100 {
		mustAppend(t, j, fmt.Sprintf("entry-%d", i))
		if err := j.Trim(t.Context(), polymath.Index{Epoch: 1, Position: 1 << 40}); err != nil {
			t.Fatal(err)
		}
		last := read(t, j, checkpoint)
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
	mustAppend(t, j, "a", "b", "c")
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
	mustAppend(t, j, "one", "three")
	if got, want := j.Stats(), (Stats{Entries: 2, Bytes: 8, Syncs: 2}); got != want {
		t.Errorf("stats %+v, want %+v", got, want)
	}
	mustClose(t, j)
	if err := j.Append(context.Background(), []byte("x")); !errors.Is(err, journal.ErrClosed) || !errors.Is(err, journal.ErrNotAppended) {
		t.Errorf("append after close: %v", err)
	}
}
