package disktest

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"slices"
	"testing"

	"github.com/polymath-run/polymath/internal/disk"
)

// Conform tests everything that the contract of disk.FS promises short of
// power loss. Each call of empty returns an empty directory.
func Conform(t *testing.T, empty func(t *testing.T) disk.FS) {
	t.Run("content", func(t *testing.T) { conformContent(t, empty(t)) })
	t.Run("blocks", func(t *testing.T) { conformBlocks(t, empty(t)) })
	t.Run("names", func(t *testing.T) { conformNames(t, empty(t)) })
	t.Run("refusals", func(t *testing.T) { conformRefusals(t, empty(t)) })
	t.Run("removed", func(t *testing.T) { conformRemoved(t, empty(t)) })
}

// create makes a file that the test owns.
func create(t *testing.T, d disk.FS, name string) disk.File {
	t.Helper()
	f, err := d.Open(name, true)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func conformContent(t *testing.T, d disk.FS) {
	f := create(t, d, "a")
	for _, w := range []struct {
		text   string
		offset int64
	}{{"hello", 0}, {"world", 2000}, {"J", 0}, {"", 5000}} {
		if n, err := f.WriteAt([]byte(w.text), w.offset); n != len(w.text) || err != nil {
			t.Fatalf("write %q at %d: %d, %v", w.text, w.offset, n, err)
		}
	}
	want := append([]byte("Jello"), make([]byte, 1995)...)
	want = append(want, "world"...)
	again, err := d.Open("a", false) // a second handle sees the same file
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range []disk.File{f, again} {
		got := make([]byte, 3000)
		if n, err := f.ReadAt(got, 0); n != len(want) || !errors.Is(err, io.EOF) || !bytes.Equal(got[:n], want) {
			t.Fatalf("read beyond the end: %d bytes, %v", n, err)
		}
		if n, err := f.ReadAt(got[:5], 2000); n != 5 || err != nil && !errors.Is(err, io.EOF) || string(got[:5]) != "world" {
			t.Fatalf("read up to the end: %d, %v, %q", n, err, got[:5])
		}
		if n, err := f.ReadAt(got[:1], 2005); n != 0 || !errors.Is(err, io.EOF) {
			t.Fatalf("read at the end: %d, %v", n, err)
		}
	}
	if err := errors.Join(f.Sync(), f.Close(), again.Close()); err != nil {
		t.Fatal(err)
	}
	if again.Close() == nil || f.Sync() == nil {
		t.Fatal("a closed file can be used")
	}
	if _, err := f.ReadAt(make([]byte, 1), 0); err == nil || errors.Is(err, io.EOF) {
		t.Fatalf("read of a closed file: %v", err)
	}
}

// conformBlocks mixes writes of whole blocks, whose way may be another one,
// with others, reads and syncs.
func conformBlocks(t *testing.T, d disk.FS) {
	const block = disk.BlockBytes
	f := create(t, d, "a")
	again, err := d.Open("a", false)
	if err != nil {
		t.Fatal(err)
	}
	buffer := disk.Blocks(4 * block)
	want := make([]byte, 7*block)
	for i, w := range []struct{ from, length, offset int }{
		{0, 4 * block, 0}, // grows
		{block, block, 0},
		{block, block, block + 1},
		{1, block, 2 * block},
		{0, 2 * block, 2 * block},
		{0, 100, block},
		{2 * block, 2 * block, 3 * block}, // grows
		{0, 4 * block, 0},
		{0, 4 * block, 3 * block}, // grows
		{0, 4 * block, 3 * block},
		{0, 0, block},
	} {
		for j := range buffer {
			buffer[j] = byte(i + j/block*16 + 1)
		}
		piece := buffer[w.from : w.from+w.length]
		if n, err := f.WriteAt(piece, int64(w.offset)); n != len(piece) || err != nil {
			t.Fatalf("write %d: %d, %v", i, n, err)
		}
		copy(want[w.offset:], piece)
		for _, f := range []disk.File{f, again} {
			got := make([]byte, len(want))
			n, err := f.ReadAt(got, 0)
			if err != nil && !errors.Is(err, io.EOF) || !bytes.Equal(got[:n], want[:n]) || n < w.offset+w.length {
				t.Fatalf("read after write %d: %d, %v", i, n, err)
			}
		}
		if err := f.Sync(); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(f.Close(), again.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt(buffer, 0); err == nil || f.Sync() == nil {
		t.Fatal("a closed file can be written to")
	}
}

func conformNames(t *testing.T, d disk.FS) {
	for _, name := range []string{"b", "c", "a"} {
		if err := create(t, d, name).Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(d.SyncDir(), d.Remove("b"), d.SyncDir()); err != nil {
		t.Fatal(err)
	}
	if names, err := d.List(); err != nil || !slices.Equal(names, []string{"a", "c"}) {
		t.Fatalf("list: %v, %v", names, err)
	}
	if err := d.Remove("b"); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("remove of a removed name: %v", err)
	}
	if _, err := d.Open("b", false); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("open of a removed name: %v", err)
	}
	if names, err := d.List(); err != nil || len(names) != 2 {
		t.Fatalf("a refused open made a file: %v, %v", names, err)
	}
}

func conformRefusals(t *testing.T, d disk.FS) {
	for _, name := range []string{"", ".", "..", "a/b", "/a", "../a", "a/"} {
		if _, err := d.Open(name, true); err == nil {
			t.Errorf("open makes %q", name)
		}
		if err := d.Remove(name); err == nil {
			t.Errorf("remove takes %q", name)
		}
	}
	f := create(t, d, "a")
	if _, err := f.WriteAt([]byte("x"), -1); err == nil {
		t.Error("write before the beginning")
	}
	if _, err := f.ReadAt(make([]byte, 1), -1); err == nil || errors.Is(err, io.EOF) {
		t.Errorf("read before the beginning: %v", err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

func conformRemoved(t *testing.T, d disk.FS) {
	old := create(t, d, "a")
	if _, err := old.WriteAt([]byte("old"), 0); err != nil {
		t.Fatal(err)
	}
	if err := d.Remove("a"); err != nil {
		t.Fatal(err)
	}
	fresh := create(t, d, "a")
	got := make([]byte, 3)
	if n, err := fresh.ReadAt(got, 0); n != 0 || !errors.Is(err, io.EOF) {
		t.Fatalf("a name used again has the old content: %d, %v", n, err)
	}
	if _, err := old.ReadAt(got, 0); err != nil && !errors.Is(err, io.EOF) || string(got) != "old" {
		t.Fatalf("an open file that was removed reads %q, %v", got, err)
	}
	if err := errors.Join(old.Sync(), old.Close(), fresh.Close()); err != nil {
		t.Fatal(err)
	}
}
