package settings

import (
	"crypto/sha256"
	"fmt"
	"io"
	"os"
)

// Watched is a file that is looked at again and again, by whoever owns the
// clock. It has one owner.
//
// A file that is being written is not read: a change counts when two looks in a
// row have seen it the same. That it was only touched is no change.
type Watched struct {
	path    string
	read    os.FileInfo // as it was when it was read
	pending os.FileInfo // as it was at the last look, where that is different
	sum     [sha256.Size]byte
	missing int // looks in a row that did not find it
}

// Watch names a file. It is not read yet.
func Watch(path string) *Watched { return &Watched{path: path} }

// Path is the name of the file.
func (w *Watched) Path() string { return w.path }

// Read reads the file as it is now, of at most MaxFileBytes.
func (w *Watched) Read() ([]byte, error) {
	f, err := os.Open(w.path)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // it was only read
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(f, MaxFileBytes+1))
	switch {
	case err != nil:
		return nil, err
	case len(text) > MaxFileBytes:
		return nil, fmt.Errorf("%s has more than %d bytes", w.path, MaxFileBytes)
	}
	w.read, w.pending, w.missing, w.sum = info, nil, 0, sha256.Sum256(text)
	return text, nil
}

// goneAfter is how many looks in a row do not find the file before that is
// told, once: who replaces a file may take it away first.
const goneAfter = 2

// Look looks at the file. It gives the text if that has changed since it was
// read last, and has settled; else nil.
func (w *Watched) Look() ([]byte, error) {
	info, err := os.Stat(w.path)
	if err != nil {
		w.pending = nil
		if w.missing++; w.missing == goneAfter {
			return nil, err
		}
		return nil, nil // it was told, or may be there again at the next look
	}
	w.missing = 0
	switch {
	case same(info, w.read):
		w.pending = nil
		return nil, nil
	case !same(info, w.pending):
		w.pending = info
		return nil, nil
	}
	before := w.sum
	text, err := w.Read()
	if err != nil {
		w.read, w.pending = info, nil // told once, until it changes again
		return nil, err
	}
	if w.sum == before {
		return nil, nil
	}
	return text, nil
}

// same reports whether two looks saw one file with one content, as far as a
// look can tell.
func same(a, b os.FileInfo) bool {
	return a != nil && b != nil && os.SameFile(a, b) && a.ModTime().Equal(b.ModTime()) && a.Size() == b.Size()
}
