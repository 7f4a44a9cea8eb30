package wal

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
	"strings"
	"testing"

	"github.com/polymath-run/polymath/internal/disk/disktest"
)

// grown is a log of several segments, trimmed and recycled, with spares.
type grown struct {
	fs          *disktest.Crash
	first, next uint64
	files       []string // the log, oldest first
	proven      int64    // offset in the last file below which records are proven durable
	bytes       int64    // offset in the last file of the end of all records
}

// grow makes one. All of it is acknowledged; unless it is closed, the last
// batch is proven by nothing that comes after it.
func grow(t *testing.T, closed bool) grown {
	t.Helper()
	fs := disktest.New(1)
	l := mustOpen(t, small(fs))
	for range 60 {
		mustAppend(t, l, 2)
		mustSync(t, l)
		if err := l.Trim(l.Next() - min(l.Next(), 80)); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Trim(l.Next() - 45); err != nil {
		t.Fatal(err)
	}
	mustSync(t, l)
	mustAppend(t, l, 3)
	mustSync(t, l)
	g := grown{fs: fs, next: l.Next()}
	if closed {
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		g.fs = fs.Restart()
		l = mustOpen(t, small(g.fs.Clone(1)))
	}
	g.first = l.segments[0].base
	for _, s := range l.segments {
		g.files = append(g.files, s.name())
	}
	g.proven, g.bytes = l.active().proven, l.active().end
	if len(g.files) < 3 || len(l.spares) == 0 || l.active().generation < 6 {
		t.Fatalf("the log is too simple for this test: %d files, %d spares, generation %d",
			len(g.files), len(l.spares), l.active().generation)
	}
	return g
}

// outcome opens a damaged log. It returns the error of opening, after checking
// that one was returned if anything below an index is not as it was.
func (g grown) outcome(t *testing.T, fs *disktest.Crash, until uint64) error {
	t.Helper()
	l, err := Open(small(fs))
	if err != nil {
		return err
	}
	if l.First() > g.first || l.Next() < until || l.Next() > g.next {
		t.Fatalf("opens silently with [%d, %d), was [%d, %d)", l.First(), l.Next(), g.first, g.next)
	}
	if err := verify(l, 1<<20); err != nil {
		t.Fatalf("opens, but: %v", err)
	}
	return nil
}

// TestFlipEveryByte damages every byte of every file of a closed log: either
// nothing is lost, or the log refuses and names the file.
func TestFlipEveryByte(t *testing.T) {
	g := grow(t, true)
	refused := flipAll(t, g, func(string, int64) uint64 { return g.next })
	if refused < 5000/int(flipStride()) {
		t.Fatalf("only %d damaged bytes were refused", refused)
	}
}

// TestFlipUnprovenEnd is the same for a log that was not closed: in the bytes
// written by the last batch damage cannot be told from a torn write, so that
// batch may be cut off, and nothing before it.
func TestFlipUnprovenEnd(t *testing.T) {
	g := grow(t, false)
	last := g.files[len(g.files)-1]
	flipAll(t, g, func(name string, offset int64) uint64 {
		if name == last && offset >= g.proven && offset < g.bytes {
			return g.next - 3
		}
		return g.next
	})
}

// flipStride is the distance of the bytes that are flipped, prime to 8.
func flipStride() int64 {
	if testing.Short() {
		return 7
	}
	return 1
}

func flipAll(t *testing.T, g grown, until func(name string, offset int64) uint64) (refused int) {
	t.Helper()
	names, err := g.fs.Clone(0).List()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		for offset := int64(0); offset < int64(len(g.fs.Content(name))); offset += flipStride() {
			fs := g.fs.Clone(uint64(offset))
			if err := fs.Flip(name, offset, 1<<(offset%8)); err != nil {
				t.Fatal(err)
			}
			err := g.outcome(t, fs, until(name, offset))
			if err == nil {
				continue
			}
			refused++
			if !slices.Contains(g.files, name) {
				t.Fatalf("%s is a spare, and a flip at %d is refused: %v", name, offset, err)
			}
			if !strings.Contains(err.Error(), name) {
				t.Fatalf("%s at %d: the error does not name the file: %v", name, offset, err)
			}
		}
	}
	return refused
}

// TestGrossDamage is what people, tools and controllers do to files.
func TestGrossDamage(t *testing.T) {
	g := grow(t, true)
	for i, name := range g.files {
		wipe := func(from, to int64) func(*disktest.Crash) error {
			return func(fs *disktest.Crash) error { return overwrite(fs, name, from, make([]byte, to-from)) }
		}
		for what, damage := range map[string]func(*disktest.Crash) error{
			"removed":         func(fs *disktest.Crash) error { return fs.Remove(name) },
			"empty":           func(fs *disktest.Crash) error { return fs.Truncate(name, 0) },
			"half":            func(fs *disktest.Crash) error { return fs.Truncate(name, MinSegmentBytes/2) },
			"one byte short":  func(fs *disktest.Crash) error { return fs.Truncate(name, MinSegmentBytes-1) },
			"header only":     func(fs *disktest.Crash) error { return fs.Truncate(name, headerSize) },
			"header zeroed":   wipe(0, headerSize),
			"records zeroed":  wipe(headerSize, 2*headerSize),
			"all zeroed":      wipe(0, MinSegmentBytes),
			"of another file": func(fs *disktest.Crash) error { return copyFile(fs, g.files[(i+1)%len(g.files)], name) },
		} {
			fs := g.fs.Clone(1)
			if err := damage(fs); err != nil {
				t.Fatalf("%s: %s: %v", name, what, err)
			}
			err := g.outcome(t, fs, g.next)
			if err == nil {
				t.Fatalf("segment %d of %d (%s) %s: opens", i, len(g.files), name, what)
			}
			var damaged *DamageError
			var foreign *ForeignError
			if !errors.As(err, &damaged) && !errors.As(err, &foreign) {
				t.Fatalf("%s %s: %v", name, what, err)
			}
			if !strings.Contains(err.Error(), "wal-0") {
				t.Fatalf("%s %s: names no file: %v", name, what, err)
			}
		}
	}
}

// TestSingleSegmentDamage is the hardest case for a lost header: no other file
// knows anything of the log.
func TestSingleSegmentDamage(t *testing.T) {
	fs := disktest.New(1)
	l := mustOpen(t, small(fs))
	mustAppend(t, l, 3)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	g := grown{fs: fs, first: 1, next: 4, files: []string{"wal-00000001"}}
	if refused := flipAll(t, g, func(string, int64) uint64 { return 4 }); refused < headerSize/int(flipStride()) {
		t.Fatalf("only %d damaged bytes were refused", refused)
	}
	if err := overwrite(fs, g.files[0], 0, make([]byte, headerSize)); err != nil {
		t.Fatal(err)
	}
	var damaged *DamageError
	if _, err := Open(small(fs)); !errors.As(err, &damaged) {
		t.Fatalf("without a header: %v", err)
	}
}

func TestForeignAndNewerFiles(t *testing.T) {
	g := grow(t, true)
	other := disktest.New(2)
	o := small(other)
	o.NewLogID = nil // random
	if err := mustOpen(t, o).Close(); err != nil {
		t.Fatal(err)
	}

	fs := g.fs.Clone(1)
	if err := overwrite(fs, "wal-00000099", 0, other.Content("wal-00000001")); err != nil {
		t.Fatal(err)
	}
	var foreign *ForeignError
	if _, err := Open(small(fs)); !errors.As(err, &foreign) || foreign.File != "wal-00000099" {
		t.Fatalf("with a file of another log: %v", err)
	}

	last := g.files[len(g.files)-1]
	newer := g.fs.Content(last)
	newer[8] = formatVersion + 1
	reseal(newer[:headerSize], 0)
	fs = g.fs.Clone(1)
	if err := overwrite(fs, last, 0, newer); err != nil {
		t.Fatal(err)
	}
	var version *VersionError
	if _, err := Open(small(fs)); !errors.As(err, &version) || version.File != last || version.Version != formatVersion+1 {
		t.Fatalf("with a newer header: %v", err)
	}

	newer = g.fs.Content(last)
	h, _ := decodeHeader(newer)
	newer[headerSize] = formatVersion + 1
	reseal(newer[headerSize:headerSize+frameSize], h.key())
	fs = g.fs.Clone(1)
	if err := overwrite(fs, last, 0, newer); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(small(fs)); !errors.As(err, &version) || version.Offset != headerSize {
		t.Fatalf("with a newer record: %v", err)
	}
	if !strings.Contains(version.Error(), "written by a newer Polymath") {
		t.Fatal(version)
	}
}

// TestReadFindsDamage damages a record under an open log.
func TestReadFindsDamage(t *testing.T) {
	fs := disktest.New(1)
	l := mustOpen(t, small(fs))
	mustAppend(t, l, 9)
	mustSync(t, l)
	at := l.active().way[0].offset + int64(Span(len(payload(1)))) + frameSize
	if err := fs.Flip("wal-00000001", at, 1); err != nil {
		t.Fatal(err)
	}
	var damaged *DamageError
	if _, err := l.Read(1, 1<<20); !errors.As(err, &damaged) || damaged.Index != 2 {
		t.Fatalf("read of a damaged record: %v", err)
	}
}

// TestForeignFilesAreLeftAlone: what does not look like a segment is not ours.
func TestForeignFilesAreLeftAlone(t *testing.T) {
	fs := disktest.New(1)
	for _, name := range []string{"wal-1", "wal-00000001.bak", "checkpoint-00000001", "wal-", "wal-0000000x"} {
		if err := overwrite(fs, name, 0, []byte("mine")); err != nil {
			t.Fatal(err)
		}
	}
	if err := mustOpen(t, small(fs)).Close(); err != nil {
		t.Fatal(err)
	}
	mustOpen(t, small(fs))
	names, err := fs.List()
	if err != nil || len(names) != 6 {
		t.Fatalf("%v, %v", names, err)
	}
	if !bytes.Equal(fs.Content("wal-1"), []byte("mine")) {
		t.Fatal("a foreign file was changed")
	}
}

func overwrite(fs *disktest.Crash, name string, offset int64, content []byte) error {
	f, err := fs.Open(name, true)
	if err != nil {
		return err
	}
	if _, err := f.WriteAt(content, offset); err != nil {
		return err
	}
	return errors.Join(f.Sync(), fs.SyncDir(), f.Close())
}

func copyFile(fs *disktest.Crash, from, to string) error {
	content := fs.Content(from)
	if content == nil {
		return fmt.Errorf("no file %s", from)
	}
	return overwrite(fs, to, 0, content)
}

// reseal recomputes the checksum in the last four bytes.
func reseal(b []byte, key uint32) {
	sum := crc32.Update(key, castagnoli, b[:len(b)-4])
	copy(b[len(b)-4:], []byte{byte(sum), byte(sum >> 8), byte(sum >> 16), byte(sum >> 24)})
}
