package app

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/disk"
)

// The names in a data directory.
const (
	formatName     = "FORMAT"      // which layout this is; written before anything else
	freshName      = "FORMAT.new"  // becomes FORMAT
	lockName       = "lock"        // locked by the process that uses the directory
	holderName     = "server.json" // says which process that is
	newHolderName  = "server.json.new"
	journalName    = "wal"
	checkpointName = "checkpoint"
	archiveName    = "archive.db"
)

// format is the layout this code makes, and the only one it knows: it goes up
// by one whenever the bytes of anything in the directory change their meaning.
const format = 2

// formatText is what FORMAT says: a line for people, and for fmt.Sscanf.
const formatText = "polymath data directory, format %d\n"

// privateFile is the mode of files in the data directory: nobody but its owner
// may look.
const privateFile fs.FileMode = 0o600

// DefaultDirectory is where data lies when nobody says otherwise, given the
// environment: $XDG_STATE_HOME/polymath, or ~/.local/state/polymath.
func DefaultDirectory(lookup func(string) (string, bool)) (string, error) {
	if state, ok := lookup("XDG_STATE_HOME"); ok && filepath.IsAbs(state) {
		return filepath.Join(state, "polymath"), nil
	}
	home, ok := lookup("HOME")
	if !ok || home == "" {
		return "", polymath.Errorf(polymath.InvalidArgument,
			"no place for the data: neither XDG_STATE_HOME nor HOME is set; name a directory with --data")
	}
	return filepath.Join(home, ".local", "state", "polymath"), nil
}

// directory is a data directory in the hands of this process.
type directory struct {
	path string
	lock *os.File
}

// openDirectory makes the directory if there is none, locks it, and knows
// afterwards that its layout is the one of this code.
func openDirectory(path string, holder Holder) (*directory, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	root, err := disk.Dir(path)
	if err != nil {
		return nil, err
	}
	d := &directory{path: path}
	if err := d.checkForeign(); err != nil {
		return nil, err
	}
	if err := d.acquire(); err != nil {
		return nil, err
	}
	if err := errors.Join(d.settleFormat(root), d.announce(holder)); err != nil {
		return nil, errors.Join(err, d.close())
	}
	return d, nil
}

func (d *directory) file(name string) string { return filepath.Join(d.path, name) }

// checkForeign refuses a directory that holds files but is none of ours,
// before anything is put there.
func (d *directory) checkForeign() error {
	names, err := os.ReadDir(d.path)
	if err != nil {
		return err
	}
	begun := []string{lockName, freshName, holderName, newHolderName}
	foreign := ""
	for _, n := range names {
		switch {
		case n.Name() == formatName:
			return nil
		case !slices.Contains(begun, n.Name()):
			foreign = n.Name()
		}
	}
	if foreign == "" {
		return nil
	}
	return polymath.Errorf(polymath.Damaged,
		"%s holds files (%s) but no %s: it is not a data directory of Polymath, or an incomplete copy of one: "+
			"name an empty or new directory with --data, or copy the directory whole", d.path, foreign, formatName)
}

// acquire takes the lock.
func (d *directory) acquire() error {
	f, err := os.OpenFile(d.file(lockName), os.O_RDWR|os.O_CREATE, privateFile)
	if err != nil {
		return err
	}
	free, err := tryLock(f)
	if err == nil && !free {
		err = inUse(d.path)
	}
	if err != nil {
		return errors.Join(err, f.Close())
	}
	d.lock = f
	return nil
}

// settleFormat writes FORMAT into a new directory, and reads it in an old one.
func (d *directory) settleFormat(root disk.FS) error {
	text, err := os.ReadFile(d.file(formatName))
	if errors.Is(err, fs.ErrNotExist) {
		return d.writeFormat(root)
	}
	if err != nil {
		return err
	}
	var found int
	if _, err := fmt.Sscanf(string(text), formatText, &found); err != nil || found < 1 {
		return polymath.Errorf(polymath.Damaged,
			"%s is damaged: it must say %q. Nothing else was read. If the rest of the directory is whole, write that line into it; "+
				"otherwise restore the directory from a backup", d.file(formatName), fmt.Sprintf(formatText, format))
	}
	if found > format {
		return polymath.Errorf(polymath.Damaged,
			"%s is of a newer Polymath: it has format %d and this one knows up to %d. Nothing was changed: use the newer Polymath, "+
				"or another directory with --data", d.path, found, format)
	}
	if found < format {
		return polymath.Errorf(polymath.Damaged,
			"%s is of an older Polymath, from before the first release: it has format %d and this one reads format %d. Nothing was "+
				"changed: let the older Polymath finish its jobs, then move the directory away; or name another one with --data",
			d.path, found, format)
	}
	return nil
}

// writeFormat makes FORMAT whole and durable before anything follows it.
func (d *directory) writeFormat(root disk.FS) error {
	f, err := os.OpenFile(d.file(freshName), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, privateFile)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(f, formatText, format)
	if err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := os.Rename(d.file(freshName), d.file(formatName)); err != nil {
		return err
	}
	return root.SyncDir()
}

// close gives the directory up.
func (d *directory) close() error {
	err := os.Remove(d.file(holderName))
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return errors.Join(err, d.lock.Close())
}
