package checkpoint

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/disk"
	"github.com/polymath-run/polymath/internal/disk/disktest"
)

// at is the meta of the checkpoint at a position.
func at(position uint64) Meta {
	return Meta{Shard: 3, Index: polymath.Index{Epoch: 2, Position: position}, Sum: position * 0x9e3779b97f4a7c15}
}

// image is what the ledger at a position looks like: some parts, one empty.
func image(position uint64) [][]byte {
	rng := rand.New(rand.NewPCG(position, 0x636b7074))
	parts := [][]byte{nil}
	for range 1 + rng.IntN(5) {
		part := make([]byte, rng.IntN(900))
		for i := range part {
			part[i] = byte(rng.Uint32())
		}
		parts = append(parts, part)
	}
	return parts
}

func write(s *Store, position uint64) error {
	w, err := s.Begin(at(position))
	if err != nil {
		return err
	}
	for _, part := range image(position) {
		if err := w.Part(part); err != nil {
			return err
		}
	}
	return w.Commit()
}

// load restores the newest checkpoint and checks that it is what was written.
func load(s *Store) (Loaded, error) {
	var parts [][]byte
	loaded, err := s.Load(func(_ Meta, next func() ([]byte, error)) error {
		parts = nil
		for {
			part, err := next()
			if err == io.EOF {
				return nil
			}
			if err != nil {
				return err
			}
			parts = append(parts, part)
		}
	})
	if err != nil || !loaded.Found {
		return loaded, err
	}
	p := loaded.Meta.Index.Position
	if loaded.Meta != at(p) || !slices.EqualFunc(parts, image(p), bytes.Equal) {
		return loaded, fmt.Errorf("law: what was loaded as %+v is not what was written", loaded.Meta)
	}
	return loaded, nil
}

func mustOpen(t *testing.T, fs disk.FS) *Store {
	t.Helper()
	s, err := Open(fs)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// stored returns a disk with checkpoints at some positions.
func stored(t *testing.T, positions ...uint64) *disktest.Crash {
	t.Helper()
	fs := disktest.New(1)
	s := mustOpen(t, fs)
	for _, p := range positions {
		if err := write(s, p); err != nil {
			t.Fatal(err)
		}
	}
	return fs
}

func names(t *testing.T, fs disk.FS) []string {
	t.Helper()
	list, err := fs.List()
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestEmpty(t *testing.T) {
	s := mustOpen(t, disktest.New(1))
	loaded, err := load(s)
	if err != nil || loaded.Found || !s.TrimIndex().IsZero() {
		t.Fatalf("nothing stored: %+v, %v, trim %v", loaded, err, s.TrimIndex())
	}
}

func TestTwoDeep(t *testing.T) {
	dir, err := disk.Dir(t.TempDir()) // a real directory, with files of others
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"wal-00000001", "checkpoint-1", "checkpoint-x"} {
		f, err := dir.Open(name, true)
		if err != nil {
			t.Fatal(err)
		}
		f.Close()
	}
	s := mustOpen(t, dir)
	for position := uint64(10); position <= 60; position += 10 {
		if err := write(s, position); err != nil {
			t.Fatal(err)
		}
		if position%20 == 0 {
			s = mustOpen(t, dir)
		}
		want := polymath.Index{}
		if position > 10 {
			want = at(position - 10).Index
		}
		if got := s.TrimIndex(); got != want {
			t.Fatalf("after %d the trim index is %v, want %v", position, got, want)
		}
		loaded, err := load(s)
		if err != nil || loaded.Meta.Index.Position != position || len(loaded.Warnings) != 0 {
			t.Fatalf("loaded %+v, %v, want %d", loaded, err, position)
		}
	}
	want := []string{"checkpoint-00000005", "checkpoint-00000006", "checkpoint-1", "checkpoint-x", "wal-00000001"}
	if got := names(t, dir); !slices.Equal(got, want) {
		t.Fatalf("files %v, want %v", got, want)
	}
}

func TestAbort(t *testing.T) {
	fs := stored(t, 10)
	s := mustOpen(t, fs)
	w, err := s.Begin(at(20))
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Part([]byte("a part")); err != nil {
		t.Fatal(err)
	}
	w.Abort()
	w.Abort()
	for name, err := range map[string]error{"Part": w.Part(nil), "Commit": w.Commit()} {
		if !errors.Is(err, errEnded) {
			t.Errorf("%s after Abort: %v", name, err)
		}
	}
	if got := names(t, fs); !slices.Equal(got, []string{"checkpoint-00000001"}) {
		t.Fatalf("files %v", got)
	}
	if err := write(s, 30); err != nil || s.TrimIndex() != at(10).Index {
		t.Fatalf("after an abort: %v, trim %v", err, s.TrimIndex())
	}
}

func TestRestoreErrors(t *testing.T) {
	broken := errors.New("not an image")
	s := mustOpen(t, stored(t, 10, 20))
	for name, restore := range map[string]func(Meta, func() ([]byte, error)) error{
		"its own error": func(Meta, func() ([]byte, error)) error { return broken },
		"parts left":    func(_ Meta, next func() ([]byte, error)) error { _, err := next(); return err },
	} {
		loaded, err := s.Load(restore)
		if err == nil || loaded.Found || len(loaded.Warnings) != 0 {
			t.Errorf("%s: %+v, %v: an older image would only hide it", name, loaded, err)
		}
	}
	if _, err := s.Load(func(Meta, func() ([]byte, error)) error { return broken }); !errors.Is(err, broken) {
		t.Errorf("the cause is lost: %v", err)
	}
}

// TestFull gives the disk a little more room each time: a checkpoint that does
// not fit leaves nothing behind, and works once there is space.
func TestFull(t *testing.T) {
	fs := stored(t, 10)
	s := mustOpen(t, fs)
	used := fs.Used()
	failures := 0
	for room := int64(0); ; room += 64 {
		fs.Fill(used + room)
		err := write(s, 20)
		if err == nil {
			break
		}
		failures++
		if !errors.Is(err, ErrFull) || !disk.IsFull(err) {
			t.Fatalf("with %d bytes: %v", room, err)
		}
		if fs.Used() != used {
			t.Fatalf("with %d bytes: %d bytes are left behind", room, fs.Used()-used)
		}
		if loaded, err := load(s); err != nil || loaded.Meta != at(10) {
			t.Fatalf("with %d bytes the older one is gone: %+v, %v", room, loaded, err)
		}
	}
	if failures < 10 {
		t.Fatalf("only %d attempts found the disk full", failures)
	}
	if loaded, err := load(mustOpen(t, fs.Kill())); err != nil || loaded.Meta != at(20) {
		t.Fatalf("with space: %+v, %v", loaded, err)
	}
}

// TestFailedSync has each sync of a checkpoint fail in turn.
func TestFailedSync(t *testing.T) {
	for n := 1; ; n++ {
		fs := stored(t, 10)
		s := mustOpen(t, fs)
		fs.FailSync(n)
		err := write(s, 20)
		fs.FailSync(0)
		if err == nil {
			if n < 4 {
				t.Fatalf("only %d syncs", n-1)
			}
			return
		}
		if loaded, err := load(s); err != nil || loaded.Meta != at(10) || !s.TrimIndex().IsZero() {
			t.Fatalf("sync %d failed: %+v, %v, trim %v", n, loaded, err, s.TrimIndex())
		}
		if err := write(s, 30); err != nil {
			t.Fatalf("sync %d failed, then: %v", n, err)
		}
	}
}
