// Package archive keeps what has left the ledger: finished jobs, dead letters
// and numbered events, on disk, with retention.
//
//	Put ──> batch being filled ──> batch being committed ──> bbolt file
//	  every entry, in order            one transaction, with
//	  readers look here, too           the index it reaches
//
// It is off the acknowledgement path: the journal is its write-ahead log. What
// is not committed yet comes again when the journal is replayed, and an entry
// that is contained already changes nothing. What two archives show at the same
// index is equal, because retention is decided by the entries alone.
//
// Every record has a checksum of its own and the whole file is checked when it
// is opened, so damage is reported and never read. DESIGN.md has the laws.
package archive

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/disk"
	"github.com/polymath-run/polymath/internal/event"
	bolt "go.etcd.io/bbolt"
)

// Defaults of Options.
const (
	DefaultKeepJobs   = 7 * 24 * time.Hour
	DefaultKeepEvents = 24 * time.Hour
	DefaultMaxJobs    = 1_000_000
	DefaultMaxEvents  = 1_000_000
)

// Bounds of what waits for the disk.
const (
	// maxBatchBytes and maxBatchJobs close a batch: beyond them a commit is no
	// cheaper by the job, and two batches are what the archive costs in memory.
	maxBatchBytes = 16 << 20
	maxBatchJobs  = 20_000
	// batchDelay is how long the first entry of a batch waits for more. Nobody
	// waits for a commit but a checkpoint, and that one does not wait for this.
	batchDelay = 200 * time.Millisecond
	// retryDelay is the wait after a full disk.
	retryDelay = time.Second
	// lockWait is how long to wait for another process that has the file open.
	lockWait = time.Second
)

// Options are how long things are kept. All replicas of a shard have the same.
type Options struct {
	Shard uint8
	// KeepJobs and KeepEvents are the ages at which jobs and events go; 0 is
	// the default. The entry that prunes names the time before which jobs go,
	// the clock less KeepJobs; events go by the same clock, less KeepEvents.
	KeepJobs, KeepEvents time.Duration
	// MaxJobs and MaxEvents are how many stay at most, beyond which the
	// oldest entry's go; 0 is the default.
	MaxJobs, MaxEvents uint64
}

func (o Options) withDefaults() Options {
	if o.KeepJobs == 0 {
		o.KeepJobs = DefaultKeepJobs
	}
	if o.KeepEvents == 0 {
		o.KeepEvents = DefaultKeepEvents
	}
	if o.MaxJobs == 0 {
		o.MaxJobs = DefaultMaxJobs
	}
	if o.MaxEvents == 0 {
		o.MaxEvents = DefaultMaxEvents
	}
	return o
}

// Archive is the archive of one shard. Put has one caller; everything else is
// safe for concurrent use.
type Archive struct {
	path    string
	options Options
	store   store

	mu         sync.Mutex
	filling    *batch        // takes what is put
	committing *batch        // on its way to the disk, or nil
	durable    state         // as of the last commit
	begun      uint64        // commits begun
	failure    error         // why the last commit did not work, nil if it did
	failed     uint64        // which one that was
	fatal      bool          // failure is for good
	changed    chan struct{} // closed whenever one of the above changes
	flushing   int           // callers that do not want to wait for batchDelay
	closed     bool

	due  chan struct{} // holds a token when the committer should look
	done chan struct{} // closed when the committer has ended
}

// Open opens the archive in a file, or makes an empty one, with its directory.
// The whole file is read and checked. The error is a *DamageError or
// *VersionError when the file cannot be used, and says what to do.
func Open(path string, o Options) (*Archive, error) {
	a := &Archive{
		path:    path,
		options: o.withDefaults(),
		changed: make(chan struct{}),
		due:     make(chan struct{}, 1),
		done:    make(chan struct{}),
	}
	if err := a.open(); err != nil {
		return nil, fmt.Errorf("archive: open: %w", err)
	}
	a.filling = newBatch(a.durable.applied, a.durable.clocks, a.durable.newest)
	go a.commitAll()
	return a, nil
}

func (a *Archive) open() error {
	dir, err := disk.Dir(filepath.Dir(a.path))
	if err != nil {
		return err
	}
	switch _, err := os.Stat(a.path); {
	case errors.Is(err, os.ErrNotExist):
		if err := a.create(dir); err != nil {
			return fmt.Errorf("make %s: %w", a.path, err)
		}
	case err != nil:
		return err
	}
	found, err := check(a.path)
	if err != nil {
		return err
	}
	if found.shard != a.options.Shard {
		return fmt.Errorf("%s is of shard %d, not %d: it was moved here from another place", a.path, found.shard, a.options.Shard)
	}
	a.durable = found
	return a.store.open(a.path)
}

// create makes an empty archive under another name and renames it when it is
// whole, so that a crash in between is not taken for damage.
func (a *Archive) create(dir disk.FS) error {
	fresh := a.path + ".new"
	if err := os.Remove(fresh); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	var s store
	if err := s.open(fresh); err != nil {
		return err
	}
	err := s.update(func(tx *bolt.Tx) error {
		for _, name := range buckets() {
			if _, err := tx.CreateBucket([]byte{byte(name)}); err != nil {
				return err
			}
		}
		return state{
			shard:  a.options.Shard,
			gone:   event.ID{Shard: a.options.Shard},
			newest: event.ID{Shard: a.options.Shard},
		}.save(tx)
	})
	if err := errors.Join(err, s.close()); err != nil {
		return err
	}
	if err := os.Rename(fresh, a.path); err != nil {
		return err
	}
	return dir.SyncDir()
}

// Applied is the highest journal index whose effects are durably contained.
func (a *Archive) Applied() polymath.Index {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.durable.applied
}

// Covers returns a *BehindError unless everything up to an index, that of the
// checkpoint a start begins from, is durably contained: what lies before it
// will not be replayed.
func (a *Archive) Covers(checkpoint polymath.Index) error {
	if applied := a.Applied(); applied.Compare(checkpoint) < 0 {
		return &BehindError{File: a.path, Applied: applied, Checkpoint: checkpoint}
	}
	return nil
}

// Close commits what was put and closes the file. The error says what is not
// durable; the journal still has it. A second call does nothing.
func (a *Archive) Close() error {
	a.mu.Lock()
	if a.closed {
		a.mu.Unlock()
		return nil
	}
	a.closed = true
	a.change()
	a.mu.Unlock()
	a.look()
	<-a.done
	a.mu.Lock()
	err := a.failure
	a.mu.Unlock()
	return errors.Join(err, a.store.close())
}

// Flush returns when everything put so far is durable. A checkpoint calls it
// before it counts.
func (a *Archive) Flush(ctx context.Context) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	goal := a.filling.last
	a.flushing++
	defer func() { a.flushing-- }()
	before := a.begun
	for a.durable.applied.Compare(goal) < 0 {
		if a.closed || a.fatal || a.failure != nil && a.failed > before {
			return fmt.Errorf("archive: flush: %w", a.refusal())
		}
		if err := a.wait(ctx); err != nil {
			return fmt.Errorf("archive: flush: %w", err)
		}
	}
	return nil
}

// refusal is why nothing more is taken. a.mu is held.
func (a *Archive) refusal() error {
	if a.failure != nil {
		return a.failure
	}
	return ErrClosed
}

// wait gives up the lock, wakes the committer and waits for a change.
func (a *Archive) wait(ctx context.Context) error {
	changed := a.changed
	a.mu.Unlock()
	defer a.mu.Lock()
	a.look()
	select {
	case <-changed:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// look wakes the committer.
func (a *Archive) look() {
	select {
	case a.due <- struct{}{}:
	default:
	}
}

// change wakes everybody who waits. a.mu is held.
func (a *Archive) change() {
	close(a.changed)
	a.changed = make(chan struct{})
}
