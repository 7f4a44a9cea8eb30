package wal

import (
	"errors"
	"os/exec"
	"runtime"
	"slices"
	"testing"

	"github.com/polymath-run/polymath/internal/disk"
	"github.com/polymath-run/polymath/internal/disk/disktest"
)

// fill appends until the log is full.
func fill(t *testing.T, l *Log) {
	t.Helper()
	for range 10_000 {
		next := l.Next()
		_, err := l.Append(batch(next, 2))
		switch {
		case err == nil:
			mustSync(t, l)
		case !errors.Is(err, ErrFull) || !disk.IsFull(err) || l.Next() != next:
			t.Fatalf("append to a full disk: next %d, was %d: %v", l.Next(), next, err)
		default:
			return
		}
	}
	t.Fatal("the disk never gets full")
}

func TestFullDisk(t *testing.T) {
	fs := disktest.New(1)
	l := mustOpen(t, small(fs))
	fs.Fill(5*MinSegmentBytes + 100)
	fill(t, l)
	fill(t, l) // it stays full, and asking again does no harm
	if len(l.segments) != 5 || fs.Used() != 5*MinSegmentBytes {
		t.Fatalf("%d segments and %d bytes on a full disk", len(l.segments), fs.Used())
	}
	if err := verify(l, 1<<20); err != nil {
		t.Fatal(err)
	}
	fs.Fill(6 * MinSegmentBytes)
	mustAppend(t, l, 2) // works again when there is space
	fill(t, l)
	next := l.Next()
	l = mustOpen(t, small(fs.Restart()))
	if l.Next() != next {
		t.Fatalf("next %d after power loss, want %d", l.Next(), next)
	}
	if err := verify(l, 1<<20); err != nil {
		t.Fatal(err)
	}
}

// TestFullDiskTrim is the way out without an operator: a checkpoint is taken,
// the log is trimmed, and its own files are room enough.
func TestFullDiskTrim(t *testing.T) {
	fs := disktest.New(1)
	l := mustOpen(t, small(fs))
	fs.Fill(3 * MinSegmentBytes)
	for range 200 {
		fill(t, l)
		if err := l.Trim(l.Synced()); err != nil {
			t.Fatal(err)
		}
		mustAppend(t, l, 2) // before any Sync
		mustSync(t, l)
	}
	if err := verify(l, 1<<20); err != nil {
		t.Fatal(err)
	}
}

// TestFullDiskCreate: a log that cannot be made leaves room for one that can.
func TestFullDiskCreate(t *testing.T) {
	fs := disktest.New(1)
	fs.Fill(MinSegmentBytes - 1)
	if _, err := Open(small(fs)); !errors.Is(err, ErrFull) {
		t.Fatalf("open on a full disk: %v", err)
	}
	if fs.Used() != 0 {
		t.Fatalf("%d bytes are left over", fs.Used())
	}
	fs.Fill(MinSegmentBytes)
	mustAppend(t, mustOpen(t, small(fs)), 1)
}

// TestFullTmpfs is a real file system that is really full.
func TestFullTmpfs(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("SKIPPED: no tmpfs on this system; only the simulated full disk was tested")
	}
	dir := t.TempDir()
	mount := exec.Command("mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", dir)
	if out, err := mount.CombinedOutput(); err != nil {
		t.Skipf("SKIPPED: cannot mount a tmpfs (%v: %s); only the simulated full disk was tested", err, out)
	}
	defer func() {
		if out, err := exec.Command("umount", dir).CombinedOutput(); err != nil {
			t.Errorf("umount: %v: %s", err, out)
		}
	}()
	fs, err := disk.Dir(dir)
	if err != nil {
		t.Fatal(err)
	}
	l := mustOpen(t, small(fs))
	for range 20 {
		fill(t, l)
		if err := l.Trim(l.Synced()); err != nil {
			t.Fatal(err)
		}
	}
	next := l.Next()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = mustOpen(t, small(fs))
	if l.Next() != next {
		t.Fatalf("next %d after reopening, want %d", l.Next(), next)
	}
	if err := errors.Join(verify(l, 1<<20), l.Close()); err != nil {
		t.Fatal(err)
	}
}

// TestFailedSyncIsFinal fails every sync in turn: from then on the log refuses
// everything, and what it had acknowledged survives.
func TestFailedSyncIsFinal(t *testing.T) {
	failures := 0
	for n := 1; n < 80; n++ {
		fs := disktest.New(uint64(n))
		l := mustOpen(t, small(fs))
		fs.FailSync(n)
		acked, err := uint64(0), error(nil)
		for range 40 {
			if _, err = l.Append(batch(l.Next(), 3)); err != nil {
				break
			}
			if err = l.Sync(); err != nil {
				break
			}
			acked = l.Synced()
		}
		if err == nil {
			continue
		}
		failures++
		if !errors.Is(err, ErrFailed) {
			t.Fatalf("sync %d fails: %v", n, err)
		}
		_, appendErr := l.Append(batch(1, 1))
		_, readErr := l.Read(1, 1)
		for i, err := range []error{appendErr, readErr, l.Sync(), l.Trim(1), l.Close()} {
			if !errors.Is(err, ErrFailed) {
				t.Fatalf("after sync %d failed, call %d: %v", n, i, err)
			}
		}
		l = mustOpen(t, small(fs.Restart()))
		if l.Next() <= acked {
			t.Fatalf("sync %d failed: %d was acknowledged, the log ends before %d", n, acked, l.Next())
		}
		if err := verify(l, 1<<20); err != nil {
			t.Fatal(err)
		}
	}
	if failures < 50 {
		t.Fatalf("only %d syncs failed", failures)
	}
}

// TestTrimGivesBackFiles: after Trim and Sync only spares are left over.
func TestTrimGivesBackFiles(t *testing.T) {
	fs := disktest.New(1)
	l := mustOpen(t, small(fs))
	for range 100 {
		mustAppend(t, l, 2)
	}
	mustSync(t, l)
	before := fs.Used()
	if err := l.Trim(l.Synced()); err != nil {
		t.Fatal(err)
	}
	if fs.Used() != before {
		t.Fatal("files were given away before the trim was durable")
	}
	mustSync(t, l)
	if got, want := fs.Used(), int64(1+DefaultSpareSegments)*MinSegmentBytes; got != want {
		t.Fatalf("%d bytes are in use after a trim of everything, want %d", got, want)
	}
	first := l.First()
	if err := l.Trim(0); err != nil || l.First() != first {
		t.Fatalf("an older trim: first %d, was %d, %v", l.First(), first, err)
	}
	if l = mustOpen(t, small(fs.Restart())); l.First() != first {
		t.Fatalf("first %d after power loss, was %d", l.First(), first)
	}
}

func TestTooLarge(t *testing.T) {
	l := mustOpen(t, small(disktest.New(1)))
	big := make([]byte, l.MaxPayload()+1)
	if _, err := l.Append([]Record{{Payload: big}}); !errors.Is(err, ErrTooLarge) {
		t.Fatalf("payload of %d bytes: %v", len(big), err)
	}
	if _, err := l.Append([]Record{{Payload: big[1:]}}); err != nil {
		t.Fatalf("payload of %d bytes: %v", len(big)-1, err)
	}
	half := Record{Payload: make([]byte, l.MaxBatch()/2)}
	if _, err := l.Append([]Record{half, half}); !errors.Is(err, ErrTooLarge) {
		t.Fatalf("batch beyond a segment: %v", err)
	}
	if l.Next() != 2 {
		t.Fatalf("next %d after one append", l.Next())
	}
}

func TestOptions(t *testing.T) {
	fs := disktest.New(1)
	for _, o := range []Options{
		{},
		{FS: fs, SegmentBytes: MinSegmentBytes - 512},
		{FS: fs, SegmentBytes: MinSegmentBytes + 1},
		{FS: fs, SegmentBytes: MaxSegmentBytes + 512},
		{FS: fs, SegmentBytes: -512},
		{FS: fs, SpareSegments: -1},
		{FS: fs, NewLogID: func() (id [16]byte, err error) { return id, errors.New("no entropy") }},
	} {
		if _, err := Open(o); err == nil {
			t.Errorf("opens with %+v", o)
		}
	}
	if names, _ := fs.List(); !slices.Equal(names, nil) {
		t.Fatalf("bad options made files: %v", names)
	}
}

// TestRealDirectory is the log on a real disk, with real syncs.
func TestRealDirectory(t *testing.T) {
	fs, err := disk.Dir(t.TempDir() + "/data/log")
	if err != nil {
		t.Fatal(err)
	}
	h := newHistory(7)
	for range 5 {
		if err := h.run(fs, 60); err != nil {
			t.Fatal(err)
		}
	}
	if h.acked < 100 {
		t.Fatalf("only %d records were appended", h.acked)
	}
}
