package access

import (
	"os"
	"sync"
)

// logMode is the mode of a log that is made: the group may read it.
const logMode = 0o640

// File is a log file that can be opened again under its name, for whoever moves
// it away and wants a new one.
type File struct {
	path string
	mu   sync.Mutex // owns file
	file *os.File
}

// OpenFile opens a file to append to, and makes it if there is none.
func OpenFile(path string) (*File, error) {
	f := &File{path: path}
	if err := f.Reopen(); err != nil {
		return nil, err
	}
	return f, nil
}

// Reopen opens the file of the name. On an error the one that is open stays.
func (f *File) Reopen() error {
	file, err := os.OpenFile(f.path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, logMode)
	if err != nil {
		return err
	}
	f.mu.Lock()
	old := f.file
	f.file = file
	f.mu.Unlock()
	if old != nil {
		return old.Close()
	}
	return nil
}

// Write implements io.Writer.
func (f *File) Write(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.file.Write(p)
}

// Close closes the file.
func (f *File) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.file.Close()
}
