// Package disk is the file-system port of everything that must survive power
// loss: the log and the checkpoints. It is deliberately poor. One flat
// directory, positioned reads and writes, and two kinds of sync are all that a
// log of recycled segments needs, and what is not offered (rename, truncate,
// append mode, sparse allocation) cannot behave differently on another system.
//
// Dir is the adapter for a real directory; package disktest has one that
// forgets, tears and refuses, for tests and simulation.
package disk

import "io"

// FS is one flat directory of files. Names are plain: no separators, not
// empty, not "." or "..".
//
// What survives power loss: a file's content as of its last Sync that returned
// nil, under its name as of the last SyncDir that returned nil. Of everything
// later any part may survive, in any order, in units of a 512-byte sector. A
// sector that was being overwritten may hold a mix of its old and new bytes,
// but bytes that are equal in both stay; one that was never durable may hold
// anything. What a process wrote survives the death of that process alone
// without any sync, and is no more durable for it.
//
// All methods may be called by several goroutines at once.
type FS interface {
	// Open opens a file for reading and writing. A file that does not exist
	// is made empty when create is set, else the error is fs.ErrNotExist.
	Open(name string, create bool) (File, error)
	// Remove removes a name; fs.ErrNotExist when there is none. Files that
	// are open stay usable.
	Remove(name string) error
	// List returns the names of all files, sorted.
	List() ([]string, error)
	// SyncDir makes all names made and removed so far durable.
	SyncDir() error
}

// File is an open file. ReadAt and WriteAt may be called by several goroutines
// at once; what a read sees of a write that runs at the same time is open.
type File interface {
	// ReadAt fills the buffer or says why not: at the end of the file it
	// returns the bytes there are and io.EOF.
	io.ReaderAt
	// WriteAt writes at an offset, growing the file as needed; a gap reads as
	// zeros. On an error any part of the bytes may have been written. IsFull
	// recognises the error of a full disk. Cheapest is to overwrite whole
	// blocks, at a multiple of BlockBytes, from a buffer made by Blocks.
	io.WriterAt
	// Sync makes everything durable that was written to this File so far, and
	// to the file before it was opened. After an error nothing is known of the
	// writes since the last success, and a second Sync that succeeds proves
	// nothing: stop using the file.
	Sync() error
	// Close releases the file without making anything durable.
	Close() error
}
