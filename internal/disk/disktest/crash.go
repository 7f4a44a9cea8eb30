// Package disktest has a disk that loses what was not synced, and the
// conformance test of the disk port.
package disktest

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"syscall"

	"github.com/polymath-run/polymath/internal/disk"
)

// ErrCrashed is returned by the operation that a crash was planned for, and by
// everything after it.
var ErrCrashed = errors.New("disktest: the machine has crashed")

// Crash is an in-memory directory with the worst behaviour that the contract
// of disk.FS allows. The same seed and the same calls give the same bytes.
//
// Every mutating operation (a create, Remove, WriteAt, Sync, SyncDir) has an
// index, counted from 0. Unsynced writes may reach the platter at any time, in
// any order: a write over an unsynced sector first flushes that sector by the
// toss of a coin, so states between two writes occur too.
type Crash struct {
	mu       sync.Mutex
	rng      *rand.Rand
	ops      int
	crashAt  int // index of the operation that crashes; -1: none
	crashed  bool
	failSync int // Syncs until one fails; 0: none
	capacity int64
	platter  map[string]*inode // names as of the last SyncDir
	names    map[string]*inode // names as the processes see them
}

var _ disk.FS = (*Crash)(nil)

// New returns an empty disk without limits.
func New(seed uint64) *Crash {
	return &Crash{
		rng:      rand.New(rand.NewPCG(seed, 0x6469736b)),
		crashAt:  -1,
		capacity: 1 << 62,
		platter:  map[string]*inode{},
		names:    map[string]*inode{},
	}
}

// CrashAt plans a crash: the operation with this index, counted as Ops does,
// happens half and fails, and everything after it fails.
func (c *Crash) CrashAt(op int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.crashAt = op
}

// FailSync makes the n-th Sync or SyncDir from now (1 is the next) fail with
// EIO. As on Linux the unsynced writes are then forgotten by later Syncs: they
// stay readable and may or may not survive power loss. Zero cancels.
func (c *Crash) FailSync(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.failSync = n
}

// Fill limits the disk: a write that would take the sum of all file sizes
// beyond so many bytes fails with ENOSPC after writing what fits.
func (c *Crash) Fill(bytes int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.capacity = bytes
}

// Ops returns the number of mutating operations so far.
func (c *Crash) Ops() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ops
}

// Used returns the sum of the sizes of all files, in bytes.
func (c *Crash) Used() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.used()
}

func (c *Crash) used() (sum int64) {
	for _, n := range c.names {
		sum += int64(len(n.data))
	}
	return sum
}

// Restart is power loss: it returns the disk that the next start of the
// machine finds and leaves this one crashed.
func (c *Crash) Restart() *Crash {
	c.mu.Lock()
	defer c.mu.Unlock()
	next := c.successor()
	for _, name := range union(c.platter, c.names) {
		n := c.platter[name]
		if c.names[name] != n && c.rng.IntN(2) == 0 {
			n = c.names[name]
		}
		if n != nil {
			next.platter[name] = n.survive(c.rng)
		}
	}
	maps.Copy(next.names, next.platter)
	return next
}

// Kill is the death of the process alone: the returned disk holds everything
// that was written, durable or not as it was, and this one is left crashed.
func (c *Crash) Kill() *Crash {
	c.mu.Lock()
	defer c.mu.Unlock()
	next := c.successor()
	c.copyTo(next)
	return next
}

// Clone returns an independent copy of the disk as it is now, with the same
// operation count and no crash planned, whose seed is the given one.
func (c *Crash) Clone(seed uint64) *Crash {
	c.mu.Lock()
	defer c.mu.Unlock()
	next := New(seed)
	next.capacity, next.ops = c.capacity, c.ops
	c.copyTo(next)
	return next
}

func (c *Crash) successor() *Crash {
	c.crashed = true
	next := New(c.rng.Uint64())
	next.capacity = c.capacity
	return next
}

func (c *Crash) copyTo(next *Crash) {
	copies := map[*inode]*inode{}
	twin := func(n *inode) *inode {
		if copies[n] == nil {
			copies[n] = n.clone()
		}
		return copies[n]
	}
	for name, n := range c.platter {
		next.platter[name] = twin(n)
	}
	for name, n := range c.names {
		next.names[name] = twin(n)
	}
}

// Flip inverts the masked bits of one byte of a file, on the platter too: the
// damage that no power loss does.
func (c *Crash) Flip(name string, offset int64, mask byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := c.names[name]
	if n == nil || offset < 0 || offset >= int64(len(n.data)) {
		return fmt.Errorf("disktest: flip %s at %d: %w", name, offset, fs.ErrNotExist)
	}
	n.data[offset] ^= mask
	if offset < int64(len(n.platter)) {
		n.platter[offset] = n.data[offset]
	}
	return nil
}

// Truncate cuts a file short, on the platter too.
func (c *Crash) Truncate(name string, size int64) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := c.names[name]
	if n == nil || size < 0 || size > int64(len(n.data)) {
		return fmt.Errorf("disktest: truncate %s to %d: %w", name, size, fs.ErrNotExist)
	}
	n.data = n.data[:size:size]
	n.platter = n.platter[:min(size, int64(len(n.platter)))]
	return nil
}

// Content returns a copy of a file as a process would read it, nil if there is none.
func (c *Crash) Content(name string) []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n := c.names[name]; n != nil {
		return slices.Clone(n.data)
	}
	return nil
}

// Open implements disk.FS.
func (c *Crash) Open(name string, create bool) (disk.File, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !disk.Plain(name) {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrInvalid}
	}
	if c.crashed {
		return nil, ErrCrashed
	}
	n := c.names[name]
	if n == nil && !create {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	if n == nil {
		crashing := c.step()
		if crashing && c.rng.IntN(2) == 0 {
			return nil, ErrCrashed
		}
		n = &inode{}
		c.names[name] = n
		if crashing {
			return nil, ErrCrashed
		}
	}
	return &handle{disk: c, name: name, inode: n}, nil
}

// Remove implements disk.FS.
func (c *Crash) Remove(name string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.crashed {
		return ErrCrashed
	}
	if c.names[name] == nil {
		return &fs.PathError{Op: "remove", Path: name, Err: fs.ErrNotExist}
	}
	crashing := c.step()
	if !crashing || c.rng.IntN(2) == 0 {
		delete(c.names, name)
	}
	if crashing {
		return ErrCrashed
	}
	return nil
}

// List implements disk.FS.
func (c *Crash) List() ([]string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.crashed {
		return nil, ErrCrashed
	}
	return slices.Sorted(maps.Keys(c.names)), nil
}

// SyncDir implements disk.FS.
func (c *Crash) SyncDir() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.stepSync("."); err != nil {
		return err
	}
	c.platter = maps.Clone(c.names)
	return nil
}

// step counts a mutating operation and reports whether it is the one that
// crashes. The caller has seen that the disk has not crashed before.
func (c *Crash) step() (crashing bool) {
	c.crashed = c.ops == c.crashAt
	c.ops++
	return c.crashed
}

// stepSync is step for Sync and SyncDir, with the failure planned by FailSync.
func (c *Crash) stepSync(path string) error {
	if c.crashed || c.step() {
		return ErrCrashed
	}
	if c.failSync > 0 {
		c.failSync--
		if c.failSync == 0 {
			return &fs.PathError{Op: "sync", Path: path, Err: syscall.EIO}
		}
	}
	return nil
}

// union returns the sorted names of both directories.
func union(a, b map[string]*inode) []string {
	all := maps.Clone(a)
	maps.Copy(all, b)
	return slices.Sorted(maps.Keys(all))
}
