// Package app makes a Polymath out of its parts, by hand, from top to bottom,
// and takes it apart again in the opposite order:
//
//	directory ─> checkpoints ─> archive ─> journal ─> node ─> workers
//	   locked,                                │         │        │
//	   format known                           ▼         ▼        ▼
//	                              Failed: any of them cannot go on
//
// It decides nothing about the command line and never ends the process:
// package main and the tests start the very same App.
package app

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/archive"
	"github.com/polymath-run/polymath/internal/checkpoint"
	"github.com/polymath-run/polymath/internal/disk"
	"github.com/polymath-run/polymath/internal/function"
	"github.com/polymath-run/polymath/internal/journal"
	"github.com/polymath-run/polymath/internal/journal/local"
	"github.com/polymath-run/polymath/internal/ledger"
	"github.com/polymath-run/polymath/internal/node"
	"github.com/polymath-run/polymath/internal/worker"
)

// nodeName is the node's name in its sessions: a data directory has one node.
const nodeName = "local"

// Options are the choices of an App.
type Options struct {
	Directory string // of the data; made if there is none
	Version   string // of the program, for those who ask who holds the directory
	Log       *slog.Logger

	// Serving is for a node that serves others: a full disk refuses what they
	// ask for until there is room, instead of ending the App.
	Serving bool
	// Ready and Observe are those of the node's options; nil: none.
	Ready   func(*ledger.Ledger)
	Observe func(at time.Duration, fx *ledger.Effects)

	segmentBytes int64 // of the journal; 0: the default; small for tests of a full disk
}

// App is a node on a data directory, and its workers. It must be closed.
type App struct {
	path      string
	directory *directory
	holder    Holder
	log       *slog.Logger
	journal   *local.Journal
	archive   *archive.Archive
	node      *node.Node
	stack     stack

	alive context.Context // ends when the App cannot go on, with why
	fail  context.CancelCauseFunc
}

// Open opens the data directory and returns when its node has caught up with
// its journal. Nothing works on jobs before Work. The errors have the code
// Damaged where the directory is in use, damaged, full, newer or closed to us,
// and say what to do.
func Open(ctx context.Context, o Options) (*App, error) {
	a, err := claim(o)
	if err != nil {
		return nil, err
	}
	if err := a.open(ctx, o); err != nil {
		return nil, a.abandon(err)
	}
	return a, nil
}

// claim takes the data directory for this process, and opens nothing in it yet.
func claim(o Options) (*App, error) {
	a := &App{path: o.Directory, log: o.Log}
	a.alive, a.fail = context.WithCancelCause(context.Background())
	a.holder = Holder{PID: os.Getpid(), Version: o.Version, Started: time.Now().UTC()}
	dir, err := openDirectory(o.Directory, a.holder)
	if err != nil {
		return nil, explain(o.Directory, err)
	}
	a.directory = dir
	a.stack.push("the data directory", dir.close)
	return a, nil
}

// abandon closes what a start that failed has opened, and says why it did.
func (a *App) abandon(err error) error {
	if closing := a.stack.unwind(closeLimit); closing != nil {
		a.log.Warn("after the start failed", "error", closing)
	}
	return explain(a.path, err)
}

func (a *App) open(ctx context.Context, o Options) error {
	dir := a.directory
	checkpoints, err := openCheckpoints(dir.file(checkpointName))
	if err != nil {
		return err
	}
	finished, err := archive.Open(dir.file(archiveName), archive.Options{})
	if err != nil {
		return err
	}
	a.archive = finished
	a.stack.push("the archive", finished.Close)

	entries, err := openJournal(dir.file(journalName), &o)
	if err != nil {
		return err
	}
	a.journal = entries
	a.stack.push("the journal", entries.Close)
	if err := together(ctx, dir, finished, entries); err != nil {
		return err
	}

	var log journal.Journal = entries
	if !o.Serving {
		log = watched{entries, a.fail}
	}
	a.node, err = node.Open(ctx, node.Options{
		Name: nodeName, Journal: log, Checkpoints: checkpoints, Archive: finished, Log: o.Log, Patient: o.Serving,
		Ready: o.Ready, Observe: o.Observe,
	})
	if err != nil {
		return err
	}
	a.stack.push("the node", a.node.Close)
	a.watch()
	return nil
}

// together refuses a journal that ends before the archive does: the archive
// takes only what the journal holds for good, so that entries are missing. New
// ones in their places would never get into it.
func together(ctx context.Context, dir *directory, finished *archive.Archive, entries journal.Journal) error {
	tail, err := entries.Tail(ctx)
	if err != nil {
		return err
	}
	if applied := finished.Applied(); applied.Compare(tail) > 0 {
		return polymath.Errorf(polymath.Damaged,
			"the journal in %s ends at index %v, but the archive contains it up to index %v: files of the journal are missing, emptied or "+
				"of an older copy. What was acknowledged in between is lost, and every unfinished job that only these files held. Put the "+
				"files back in place of what is there now, or restore the whole directory from a backup; to go on without, move the directory away",
			dir.file(journalName), tail, applied)
	}
	return nil
}

func openCheckpoints(path string) (*checkpoint.Store, error) {
	dir, err := disk.Dir(path)
	if err != nil {
		return nil, err
	}
	store, err := checkpoint.Open(dir)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Base(path), err)
	}
	return store, nil
}

func openJournal(path string, o *Options) (*local.Journal, error) {
	dir, err := disk.Dir(path)
	if err != nil {
		return nil, err
	}
	options := local.Options{FS: dir, SegmentBytes: o.segmentBytes}
	if o.Serving { // a run ends soon: what it makes ahead would be thrown away
		options.Go = func(f func()) { go f() }
	}
	entries, err := local.Open(options)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Base(path), err)
	}
	return entries, nil
}

// watch passes on that the node cannot go on.
func (a *App) watch() {
	stop := make(chan struct{})
	var watching sync.WaitGroup
	watching.Go(func() {
		select {
		case <-a.node.Failed():
			a.fail(a.node.Err())
		case <-stop:
		}
	})
	a.stack.push("the watch", func() error {
		close(stop)
		watching.Wait()
		return nil
	})
}

// Failed is closed when the App cannot go on; Err says why. What was
// acknowledged is in the journal: close the App and start again.
func (a *App) Failed() <-chan struct{} { return a.alive.Done() }

// Err is why the App cannot go on, or nil.
func (a *App) Err() error { return explain(a.path, context.Cause(a.alive)) }

// Work starts a worker that runs so many leases of these functions at a time,
// until Close.
func (a *App) Work(functions *function.Set, parallel int) {
	ctx, stop := context.WithCancel(context.Background())
	var working sync.WaitGroup
	working.Go(func() {
		err := worker.Run(ctx, a.node, worker.Options{Name: nodeName, Functions: functions, Parallel: parallel})
		switch {
		case err == nil:
		case ctx.Err() != nil:
			a.log.Debug("a worker was left behind", "error", err)
		default:
			a.fail(err)
		}
	})
	a.stack.push("the workers", func() error {
		stop()
		working.Wait()
		return nil
	})
}

// Job reads a job, and how many of its units are done within leases that are
// still out.
func (a *App) Job(id polymath.JobID) (job polymath.Job, working uint64, err error) {
	return a.node.Job(id)
}

// Close hands leases back, stops everything and gives the directory up. The
// error says which parts did not end well; what was acknowledged is in the
// journal all the same.
func (a *App) Close() error { return a.stack.unwind(closeLimit) }
