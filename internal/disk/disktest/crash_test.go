package disktest

import (
	"bytes"
	"errors"
	"slices"
	"syscall"
	"testing"

	"github.com/polymath-run/polymath/internal/disk"
)

func TestCrashConforms(t *testing.T) {
	Conform(t, func(*testing.T) disk.FS { return New(1) })
}

// write writes to a file of its own handle.
func write(t *testing.T, d disk.FS, name string, content []byte, sync bool) {
	t.Helper()
	f := create(t, d, name)
	if _, err := f.WriteAt(content, 0); err != nil {
		t.Fatal(err)
	}
	if sync {
		if err := f.Sync(); err != nil {
			t.Fatal(err)
		}
	}
}

// fill is n sectors of one byte.
func fill(n int, b byte) []byte { return bytes.Repeat([]byte{b}, n*sectorSize) }

// TestPowerLoss looks at many crashes and expects every outcome that the
// contract allows, and no other.
func TestPowerLoss(t *testing.T) {
	outcomes := map[string]int{}
	for seed := range uint64(400) {
		d := New(seed)
		write(t, d, "kept", fill(4, 'o'), true)
		if err := d.SyncDir(); err != nil {
			t.Fatal(err)
		}
		write(t, d, "kept", fill(2, 'n'), false)
		write(t, d, "new", fill(1, 'x'), true)
		after := d.Restart()
		kept := after.Content("kept")
		if len(kept) != 4*sectorSize || !bytes.Equal(kept[2*sectorSize:], fill(2, 'o')) {
			t.Fatalf("seed %d: synced and untouched sectors were lost", seed)
		}
		for s := range 2 {
			sector := kept[s*sectorSize:][:sectorSize]
			switch old := bytes.Count(sector, []byte("o")); {
			case old+bytes.Count(sector, []byte("n")) != sectorSize:
				t.Fatalf("seed %d: overwriting invented bytes", seed)
			case old == 0:
				outcomes["new"]++
			case old == sectorSize:
				outcomes["old"]++
			default:
				outcomes["torn"]++
			}
		}
		switch content := after.Content("new"); {
		case content == nil:
			outcomes["no name"]++
		case bytes.Equal(content, fill(1, 'x')):
			outcomes["name"]++
		default:
			t.Fatalf("seed %d: a synced file under an unsynced name is %d bytes", seed, len(content))
		}
	}
	for _, want := range []string{"new", "old", "torn", "no name", "name"} {
		if outcomes[want] < 20 {
			t.Errorf("outcome %q came %d times", want, outcomes[want])
		}
	}
}

// TestRemovedMayComeBack: a removal is no more durable than a creation.
func TestRemovedMayComeBack(t *testing.T) {
	back := 0
	for seed := range uint64(100) {
		d := New(seed)
		write(t, d, "a", fill(1, 'x'), true)
		if err := errors.Join(d.SyncDir(), d.Remove("a")); err != nil {
			t.Fatal(err)
		}
		if bytes.Equal(d.Restart().Content("a"), fill(1, 'x')) {
			back++
		}
	}
	if back < 20 || back > 80 {
		t.Fatalf("a removed file came back %d times of 100", back)
	}
}

// TestKillLosesNothing, and makes nothing durable either.
func TestKillLosesNothing(t *testing.T) {
	lost := 0
	for seed := range uint64(100) {
		d := New(seed)
		write(t, d, "a", fill(1, 'x'), false)
		killed := d.Kill()
		if !bytes.Equal(killed.Content("a"), fill(1, 'x')) {
			t.Fatal("the death of a process lost what it had written")
		}
		if _, err := d.List(); !errors.Is(err, ErrCrashed) {
			t.Fatalf("the old disk is still there: %v", err)
		}
		if !bytes.Equal(killed.Restart().Content("a"), fill(1, 'x')) {
			lost++
		}
	}
	if lost < 20 {
		t.Fatalf("power loss after it lost the file %d times of 100", lost)
	}
}

// TestDeterminism: one seed, one fate; another seed, another.
func TestDeterminism(t *testing.T) {
	fate := func(seed uint64) []byte {
		d := New(seed)
		write(t, d, "a", fill(40, 'o'), true)
		if err := d.SyncDir(); err != nil {
			t.Fatal(err)
		}
		write(t, d, "a", fill(40, 'n'), false)
		return d.Restart().Content("a")
	}
	if !bytes.Equal(fate(1), fate(1)) {
		t.Error("the same seed gave two fates")
	}
	if bytes.Equal(fate(1), fate(2)) {
		t.Error("two seeds gave one fate")
	}
}

// TestCrashAtEveryOperation: the planned operation and all later ones fail.
func TestCrashAtEveryOperation(t *testing.T) {
	script := func(d *Crash) (errs []error) {
		f, err := d.Open("a", true)
		errs = append(errs, err)
		if err == nil {
			_, err = f.WriteAt(fill(1, 'x'), 0)
			errs = append(errs, err, f.Sync())
		}
		return append(errs, d.SyncDir(), d.Remove("a"))
	}
	d := New(1)
	if err := errors.Join(script(d)...); err != nil || d.Ops() != 5 {
		t.Fatalf("without a crash: %d operations, %v", d.Ops(), err)
	}
	for op := range 5 {
		d := New(1)
		d.CrashAt(op)
		for i, err := range script(d) {
			if errors.Is(err, ErrCrashed) != (i >= op) {
				t.Fatalf("crash at %d: operation %d returns %v", op, i, err)
			}
		}
		if d.Ops() != op+1 {
			t.Fatalf("crash at %d: %d operations were counted", op, d.Ops())
		}
	}
}

func TestFill(t *testing.T) {
	d := New(1)
	d.Fill(1000)
	f := create(t, d, "a")
	n, err := f.WriteAt(fill(2, 'x'), 0)
	if n != 1000 || !disk.IsFull(err) || d.Used() != 1000 {
		t.Fatalf("write beyond the capacity: %d bytes, %v, %d in use", n, err, d.Used())
	}
	if n, err := f.WriteAt(fill(1, 'y'), 0); n != sectorSize || err != nil {
		t.Fatalf("overwrite on a full disk: %d, %v", n, err)
	}
	if err := d.Remove("a"); err != nil || d.Used() != 0 {
		t.Fatalf("remove on a full disk: %v, %d in use", err, d.Used())
	}
}

// TestFailSync: the failed sync reports EIO once, and later ones that succeed
// do not save what it was to save.
func TestFailSync(t *testing.T) {
	lost := 0
	for seed := range uint64(100) {
		d := New(seed)
		write(t, d, "a", fill(1, 'o'), true)
		if err := d.SyncDir(); err != nil {
			t.Fatal(err)
		}
		d.FailSync(1)
		f := create(t, d, "a")
		if _, err := f.WriteAt(fill(1, 'n'), 0); err != nil {
			t.Fatal(err)
		}
		if err := f.Sync(); !errors.Is(err, syscall.EIO) {
			t.Fatalf("sync that was to fail: %v", err)
		}
		if err := f.Sync(); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(d.Restart().Content("a"), fill(1, 'n')) {
			lost++
		}
	}
	if lost < 20 {
		t.Fatalf("a failed sync lost its writes %d times of 100", lost)
	}
}

func TestDamage(t *testing.T) {
	d := New(1)
	write(t, d, "a", fill(1, 'x'), true)
	if err := errors.Join(d.SyncDir(), d.Flip("a", 3, 1), d.Truncate("a", 10)); err != nil {
		t.Fatal(err)
	}
	want := []byte("xxxyxxxxxx")
	if got := d.Clone(2).Content("a"); !slices.Equal(got, want) {
		t.Fatalf("clone has %q", got)
	}
	if got := d.Restart().Content("a"); !slices.Equal(got, want) {
		t.Fatalf("after power loss %q", got)
	}
	if d.Flip("a", 10, 1) == nil || d.Flip("b", 0, 1) == nil || d.Truncate("a", 11) == nil {
		t.Fatal("damage beyond the file")
	}
}
