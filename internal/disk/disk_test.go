package disk_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"

	"github.com/polymath-run/polymath/internal/disk"
	"github.com/polymath-run/polymath/internal/disk/disktest"
)

func TestDirConforms(t *testing.T) {
	disktest.Conform(t, func(t *testing.T) disk.FS {
		d, err := disk.Dir(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		return d
	})
}

func TestDirMakesParents(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a", "b", "c")
	for range 2 { // the second time it is there
		if _, err := disk.Dir(path); err != nil {
			t.Fatal(err)
		}
	}
	info, err := os.Stat(path)
	if err != nil || !info.IsDir() {
		t.Fatalf("%v, %v", info, err)
	}
	if mode := info.Mode().Perm(); runtime.GOOS != "windows" && mode != 0o700 {
		t.Fatalf("the directory has mode %o: others can look", mode)
	}
}

func TestFilesArePrivate(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("SKIPPED: no modes on this system")
	}
	path := t.TempDir()
	d, err := disk.Dir(path)
	if err != nil {
		t.Fatal(err)
	}
	f, err := d.Open("a", true)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(filepath.Join(path, "a"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("%v, %v", info, err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestDirRefuses(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := disk.Dir(file); err == nil {
		t.Error("a file passes for a directory")
	}
	if _, err := disk.Dir(filepath.Join(file, "below")); err == nil {
		t.Error("a directory below a file")
	}
}

// TestListLeavesOutDirectories: what is not a file cannot be opened as one.
func TestListLeavesOutDirectories(t *testing.T) {
	path := t.TempDir()
	if err := os.Mkdir(filepath.Join(path, "sub"), 0o700); err != nil {
		t.Fatal(err)
	}
	d, err := disk.Dir(path)
	if err != nil {
		t.Fatal(err)
	}
	if names, err := d.List(); err != nil || len(names) != 0 {
		t.Fatalf("list: %v, %v", names, err)
	}
}

func TestIsFull(t *testing.T) {
	for _, test := range []struct {
		err  error
		want bool
	}{
		{nil, false},
		{syscall.ENOSPC, true},
		{fmt.Errorf("append: %w", &fs.PathError{Op: "write", Path: "a", Err: syscall.ENOSPC}), true},
		{syscall.EIO, false},
		{fs.ErrNotExist, false},
		{errors.New("no space left on device"), false},
	} {
		if got := disk.IsFull(test.err); got != test.want {
			t.Errorf("IsFull(%v) = %t", test.err, got)
		}
	}
}
