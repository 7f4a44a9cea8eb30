package checkpoint

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/polymath-run/polymath/internal/disk/disktest"
)

// TestFlipEveryByte damages every byte of the newest checkpoint in turn. It is
// loaded as it was written or passed over, loudly, for the older one.
func TestFlipEveryByte(t *testing.T) {
	fs := stored(t, 10, 20)
	newest := "checkpoint-00000002"
	passed := 0
	for offset := range int64(len(fs.Content(newest))) {
		for _, mask := range []byte{1 << (offset % 8), 0xff} {
			if damage(t, fs, newest, func(c *disktest.Crash) error { return c.Flip(newest, offset, mask) }) {
				passed++
				if offset < sectorSize {
					t.Errorf("one bad byte at %d, in the header that is there twice, cost the checkpoint", offset)
				}
			} else if offset >= sectorSize {
				t.Errorf("nobody noticed the damage at %d", offset)
			}
		}
	}
	if passed == 0 {
		t.Fatal("no damage did anything")
	}
}

// TestTruncateEverywhere cuts the newest checkpoint at every length. Cut
// within the header it looks like one that was never finished: the older one
// is loaded, and the journal still goes on from there.
func TestTruncateEverywhere(t *testing.T) {
	fs := stored(t, 10, 20)
	newest := "checkpoint-00000002"
	for size := range int64(len(fs.Content(newest))) {
		if size < sectorSize {
			c := fs.Clone(1)
			if err := c.Truncate(newest, size); err != nil {
				t.Fatal(err)
			}
			if loaded, err := load(mustOpen(t, c)); err != nil || loaded.Meta != at(10) {
				t.Fatalf("cut to %d bytes: %+v, %v", size, loaded, err)
			}
			continue
		}
		if !damage(t, fs, newest, func(c *disktest.Crash) error { return c.Truncate(newest, size) }) {
			t.Errorf("nobody noticed the cut at %d", size)
		}
	}
}

// damage harms a clone of a disk and reports whether the file was passed over.
func damage(t *testing.T, fs *disktest.Crash, file string, harm func(*disktest.Crash) error) bool {
	t.Helper()
	c := fs.Clone(1)
	if err := harm(c); err != nil {
		t.Fatal(err)
	}
	s := mustOpen(t, c)
	loaded, err := load(s)
	if err != nil {
		t.Fatal(err)
	}
	if loaded.Meta == at(20) && len(loaded.Warnings) == 0 {
		return false
	}
	if loaded.Meta != at(10) || len(loaded.Warnings) != 1 || !strings.Contains(loaded.Warnings[0], file) {
		t.Fatalf("loaded %+v", loaded)
	}
	if !s.TrimIndex().IsZero() {
		t.Fatalf("with one of two damaged the journal may be trimmed to %v", s.TrimIndex())
	}
	return true
}

// TestDamagedGoes shows that a damaged file neither counts as one of the two
// nor stays for ever.
func TestDamagedGoes(t *testing.T) {
	fs := stored(t, 10, 20)
	if err := fs.Flip("checkpoint-00000002", sectorSize+9, 4); err != nil {
		t.Fatal(err)
	}
	s := mustOpen(t, fs)
	if _, err := load(s); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		position, trim uint64
		files          []string
	}{
		{30, 10, []string{"checkpoint-00000001", "checkpoint-00000002", "checkpoint-00000003"}},
		{40, 30, []string{"checkpoint-00000003", "checkpoint-00000004"}},
	} {
		if err := write(s, step.position); err != nil {
			t.Fatal(err)
		}
		if got := s.TrimIndex(); got != at(step.trim).Index {
			t.Errorf("after %d the trim index is %v, want %d", step.position, got, step.trim)
		}
		if got := names(t, fs); !slices.Equal(got, step.files) {
			t.Errorf("after %d there are %v, want %v", step.position, got, step.files)
		}
	}
}

func TestAllDamaged(t *testing.T) {
	fs := stored(t, 10, 20)
	for file, offset := range map[string]int64{"checkpoint-00000001": sectorSize + 20, "checkpoint-00000002": sectorSize} {
		if err := fs.Flip(file, offset, 0x80); err != nil {
			t.Fatal(err)
		}
	}
	_, err := load(mustOpen(t, fs))
	var damage *DamageError
	if !errors.As(err, &damage) || damage.Index != at(20).Index {
		t.Fatalf("error %v", err)
	}
	for _, want := range []string{"checkpoint-00000001: part", "checkpoint-00000002: part", "2.20", "Nothing is lost if", "backup"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not say %q", err, want)
		}
	}
}

// TestGarbage is a whole header sector of something else: not a torn one.
func TestGarbage(t *testing.T) {
	fs := stored(t, 10, 20)
	for offset := range int64(sectorSize) {
		if err := fs.Flip("checkpoint-00000002", offset, 0x55); err != nil {
			t.Fatal(err)
		}
	}
	loaded, err := load(mustOpen(t, fs))
	if err != nil || len(loaded.Warnings) != 0 || loaded.Meta != at(10) {
		// It sorts before the older one, because its index is unknown.
		t.Fatalf("loaded %+v, %v", loaded, err)
	}
	if err := fs.Remove("checkpoint-00000001"); err != nil {
		t.Fatal(err)
	}
	_, err = load(mustOpen(t, fs))
	if damage := (*DamageError)(nil); !errors.As(err, &damage) || !strings.Contains(err.Error(), "checkpoint-00000002: its header") {
		t.Fatalf("error %v", err)
	}
}

func TestNewerVersion(t *testing.T) {
	fs := stored(t, 10)
	h := header{version: formatVersion + 1, meta: at(20)}
	f, err := fs.Open("checkpoint-00000002", true)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt(h.encode(), 0); err != nil {
		t.Fatal(err)
	}
	_, err = Open(fs)
	var newer *VersionError
	if !errors.As(err, &newer) || newer.Version != formatVersion+1 || newer.File != "checkpoint-00000002" {
		t.Fatalf("error %v", err)
	}
}
