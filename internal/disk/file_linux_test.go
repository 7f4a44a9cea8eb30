package disk

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// overwritable is a file of 24 blocks of ones, synced, on a file system with
// direct writes.
func overwritable(t *testing.T) *file {
	t.Helper()
	path := t.TempDir()
	var system syscall.Statfs_t
	if err := syscall.Statfs(path, &system); err != nil {
		t.Fatal(err)
	}
	if system.Type != ext4 && system.Type != xfs {
		t.Skipf("SKIPPED: file system %#x is not written to past the cache; only writing through it was tested", system.Type)
	}
	d, err := Dir(path)
	if err != nil {
		t.Fatal(err)
	}
	opened, err := d.Open("a", true)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = opened.Close() }) // some tests have closed it
	if _, err := opened.WriteAt(ones(24), 0); err != nil {
		t.Fatal(err)
	}
	f := opened.(*file)
	if f.clean || f.size != 0 {
		t.Fatal("a write that grows the file is taken for durable")
	}
	if err := opened.Sync(); err != nil {
		t.Fatal(err)
	}
	return f
}

func ones(blocks int) []byte {
	b := Blocks(blocks * BlockBytes)
	for i := range b {
		b[i] = 1
	}
	return b
}

// put writes and says whether the file needs a sync for it.
func put(t *testing.T, f *file, b []byte, offset int64) (soiled bool) {
	t.Helper()
	if n, err := f.WriteAt(b, offset); n != len(b) || err != nil {
		t.Fatalf("write: %d, %v", n, err)
	}
	return !f.clean
}

// TestOverwriteIsDurable: what goes past the cache needs no sync, anything else
// does, and the two are never confused.
func TestOverwriteIsDurable(t *testing.T) {
	f := overwritable(t)
	if put(t, f, ones(2), BlockBytes) || f.direct == nil {
		t.Fatal("whole blocks were not written past the cache")
	}
	for _, w := range []struct {
		name   string
		bytes  []byte
		offset int64
	}{
		{"an offset within a block", ones(1), 1},
		{"a part of a block", ones(1)[:BlockBytes-1], 0},
		{"memory within a block", Blocks(BlockBytes + 8)[8:], 0},
		{"nothing", nil, 0},
		{"the end of the file and more", ones(2), 23 * BlockBytes},
		{"more than is cheaper that way", ones(directBytes/BlockBytes + 1), 0},
	} {
		if !put(t, f, w.bytes, w.offset) {
			t.Errorf("%s is taken for durable", w.name)
		}
		if put(t, f, ones(1), 0); f.clean {
			t.Errorf("%s, and then a block: the first of them is taken for durable", w.name)
		}
		if err := f.Sync(); err != nil || !f.clean {
			t.Fatalf("sync: %v", err)
		}
	}
	if put(t, f, ones(1), 24*BlockBytes) {
		t.Error("the block that came last was not written past the cache")
	}
}

// TestFirstSyncIsReal: a process that died before may have written through the
// cache.
func TestFirstSyncIsReal(t *testing.T) {
	f := overwritable(t)
	again, err := os.OpenFile(f.Name(), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	fresh := newFile(again).(*file)
	if !put(t, fresh, ones(1), 0) {
		t.Fatal("a file is taken for durable that nobody has synced since it was opened")
	}
	if err := fresh.Close(); err != nil {
		t.Fatal(err)
	}
}

// broken fails every write.
type broken struct{ err error }

func (b broken) WriteAt([]byte, int64) (int, error) { return 0, b.err }
func (broken) Close() error                         { return nil }

// TestRefusedDirectWrite goes through the cache instead, from then on.
func TestRefusedDirectWrite(t *testing.T) {
	f := overwritable(t)
	f.settled, f.direct = true, broken{&os.PathError{Op: "write", Err: syscall.EINVAL}}
	if !put(t, f, ones(1), 0) {
		t.Fatal("a write through the cache is taken for durable")
	}
	f.direct = broken{errors.New("asked again")}
	if put(t, f, ones(1), 0); f.clean {
		t.Fatal("a write through the cache is taken for durable")
	}
}

// TestFailedDirectWrite is an error, and leaves nothing that is taken for
// durable.
func TestFailedDirectWrite(t *testing.T) {
	f := overwritable(t)
	f.settled, f.direct = true, broken{&os.PathError{Op: "write", Err: syscall.EIO}}
	if _, err := f.WriteAt(ones(1), 0); !errors.Is(err, syscall.EIO) || f.clean {
		t.Fatalf("%v, taken for durable: %t", err, f.clean)
	}
}

// TestReplacedName: a file that was removed does not write to the one that has
// its name now.
func TestReplacedName(t *testing.T) {
	f := overwritable(t)
	if err := os.Remove(f.Name()); err != nil {
		t.Fatal(err)
	}
	other := make([]byte, 8*BlockBytes)
	if err := os.WriteFile(filepath.Clean(f.Name()), other, fileMode); err != nil {
		t.Fatal(err)
	}
	if !put(t, f, ones(1), 0) || f.direct != nil {
		t.Fatal("the file with the same name was opened")
	}
	if now, err := os.ReadFile(f.Name()); err != nil || !bytes.Equal(now, other) {
		t.Fatalf("the file with the same name was written to, %v", err)
	}
}

// TestFailedSync is an error, and so is the one after it: nothing became durable
// in between.
func TestFailedSync(t *testing.T) {
	closed, err := os.Create(filepath.Join(t.TempDir(), "a"))
	if err != nil {
		t.Fatal(err)
	}
	if err := closed.Close(); err != nil {
		t.Fatal(err)
	}
	f := newFile(closed)
	for range 2 {
		if f.Sync() == nil {
			t.Error("what cannot be synced was synced")
		}
	}
}
