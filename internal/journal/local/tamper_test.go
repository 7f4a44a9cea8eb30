package local

import (
	"errors"
	"io/fs"
	"sync"
	"syscall"
	"testing"

	"github.com/polymath-run/polymath/internal/disk"
)

// errTampered is the error of a disk that was told to fail.
var errTampered = errors.New("the disk was told to fail")

// tamper is a disk that can be stalled, filled, made to fail and cut off.
type tamper struct {
	disk.FS
	mu        sync.Mutex
	moving    chan struct{} // Sync waits until it is closed; nil: it does not
	full      bool          // no new file
	failWrite bool          // the next one fails and writes nothing
	failSync  bool          // the next one fails, whatever it has synced
	dead      bool          // as after the death of the process
}

// set changes what the disk does.
func (d *tamper) set(change func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	change()
}

func (d *tamper) Open(name string, create bool) (disk.File, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.dead {
		return nil, errTampered
	}
	f, err := d.FS.Open(name, create && !d.full)
	if d.full && errors.Is(err, fs.ErrNotExist) {
		return nil, &fs.PathError{Op: "open", Path: name, Err: syscall.ENOSPC}
	}
	return tampered{f, d}, err
}

func (d *tamper) Remove(name string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.dead {
		return errTampered
	}
	return d.FS.Remove(name)
}

// tampered is a file of such a disk.
type tampered struct {
	disk.File
	disk *tamper
}

func (f tampered) WriteAt(p []byte, off int64) (int, error) {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	if f.disk.dead || f.disk.failWrite {
		f.disk.failWrite = false
		return 0, errTampered
	}
	return f.File.WriteAt(p, off)
}

func (f tampered) Sync() error {
	f.disk.mu.Lock()
	moving := f.disk.moving
	f.disk.mu.Unlock()
	if moving != nil {
		<-moving
	}
	err := f.File.Sync()
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	if f.disk.dead || f.disk.failSync {
		f.disk.failSync = false
		return errTampered
	}
	return err
}

// save reads all files of a directory; restore puts them back and nothing else.
func save(t testing.TB, dir disk.FS) (restore func()) {
	t.Helper()
	names, err := dir.List()
	if err != nil {
		t.Fatal(err)
	}
	saved := map[string][]byte{}
	for _, name := range names {
		saved[name] = content(t, dir, name)
	}
	return func() {
		names, err := dir.List()
		for _, name := range names {
			err = errors.Join(err, dir.Remove(name))
		}
		for name, data := range saved {
			f, failed := dir.Open(name, true)
			if failed != nil {
				t.Fatal(failed)
			}
			_, failed = f.WriteAt(data, 0)
			err = errors.Join(err, failed, f.Sync(), f.Close())
		}
		if err = errors.Join(err, dir.SyncDir()); err != nil {
			t.Fatal(err)
		}
	}
}

// content reads a file to its end.
func content(t testing.TB, dir disk.FS, name string) []byte {
	t.Helper()
	f, err := dir.Open(name, false)
	if err != nil {
		t.Fatal(err)
	}
	const most = 1 << 20 // bytes, far above the segments of these tests
	data := make([]byte, most)
	n, _ := f.ReadAt(data, 0)
	if err := f.Close(); err != nil || n == most {
		t.Fatalf("read %s: %d bytes, %v", name, n, err)
	}
	return data[:n]
}
