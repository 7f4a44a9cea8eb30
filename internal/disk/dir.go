package disk

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Permissions: the data directory holds the inputs and results of every
// tenant, so nobody but the owner of the process may look.
const (
	dirMode  fs.FileMode = 0o700
	fileMode fs.FileMode = 0o600
)

// Dir is the FS of a real directory. A directory that does not exist is made,
// with its parents, and its name made durable.
func Dir(path string) (FS, error) {
	if err := makeDir(filepath.Clean(path)); err != nil {
		return nil, fmt.Errorf("disk: make directory: %w", err)
	}
	return directory(path), nil
}

// directory is the path of an existing directory.
type directory string

func (d directory) Open(name string, create bool) (File, error) {
	path, err := d.path("open", name)
	if err != nil {
		return nil, err
	}
	flag := os.O_RDWR
	if create {
		flag |= os.O_CREATE
	}
	f, err := os.OpenFile(path, flag, fileMode)
	if err != nil {
		return nil, err
	}
	return newFile(f), nil
}

func (d directory) Remove(name string) error {
	path, err := d.path("remove", name)
	if err != nil {
		return err
	}
	return os.Remove(path)
}

func (d directory) List() ([]string, error) {
	entries, err := os.ReadDir(string(d))
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries { // ReadDir sorts by name
		if e.Type().IsRegular() {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

func (d directory) SyncDir() error { return syncDir(string(d)) }

// path joins a name to the directory after proving that it is plain.
func (d directory) path(op, name string) (string, error) {
	if !Plain(name) {
		return "", &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid}
	}
	return filepath.Join(string(d), name), nil
}

// Plain reports whether a name may be used with FS: it stays inside one
// directory on every system.
func Plain(name string) bool {
	return name != "." && filepath.IsLocal(name) && filepath.Base(name) == name
}

// makeDir makes a directory and its missing parents, syncing the parent of
// each one made: without that a power loss could take the whole new tree,
// acknowledged data included.
func makeDir(path string) error {
	switch info, err := os.Stat(path); {
	case err == nil && info.IsDir():
		return nil
	case err == nil:
		return &fs.PathError{Op: "mkdir", Path: path, Err: errors.New("exists and is not a directory")}
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	parent := filepath.Dir(path)
	if err := makeDir(parent); err != nil {
		return err
	}
	if err := os.Mkdir(path, dirMode); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncDir(parent)
}
