package node

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/archive"
	"github.com/polymath-run/polymath/internal/checkpoint"
	"github.com/polymath-run/polymath/internal/event"
	"github.com/polymath-run/polymath/internal/journal"
	"github.com/polymath-run/polymath/internal/ledger"
)

// DefaultLanes is how many entries a node has under way at a time: while one
// is made durable, the next is gathered and written.
const DefaultLanes = 4

// When a checkpoint is taken.
const (
	checkpointBytes   = 64 << 20 // of entries since the last one
	checkpointEntries = 200_000  // since the last one
)

// DurableArchive is an Archive that can say what it has on disk.
type DurableArchive interface {
	Archive
	// Applied is the index up to which everything is durable.
	Applied() polymath.Index
	// Covers is an error when the archive ends before the checkpoint at an
	// index: what finished in between is in neither.
	Covers(checkpoint polymath.Index) error
	// Flush makes everything put so far durable.
	Flush(ctx context.Context) error
	// Events and LastEvent are for those who listen: see event.Source.
	event.Source
	LastEvent() event.ID
	// Jobs is a page of finished jobs.
	Jobs(after polymath.JobID, limit int, f archive.Filter) (archive.JobPage, error)
	// DeadLetters is a page of what used up its attempts.
	DeadLetters(after archive.LetterID, limit int, f archive.LetterFilter) (archive.LetterPage, error)
}

// Options are what a Node is made of. It closes none of them.
type Options struct {
	Name        string
	Shard       uint8
	Lanes       int // 0: DefaultLanes
	Journal     journal.Journal
	Checkpoints *checkpoint.Store
	Archive     DurableArchive
	Log         *slog.Logger
	// Patient: a disk that is too full for the archive is waited out, and
	// commands are refused meanwhile. Otherwise it ends the node.
	Patient bool
	// Ready is shown the ledger once, when the node has caught up with its
	// journal and before Observe hears of anything; nil: nobody is. It must
	// keep nothing of the ledger and not call the node.
	Ready func(*ledger.Ledger)
	// Observe hears of every entry that is applied once the node has caught
	// up, with the node's monotonic time, before anybody gets an answer from
	// it; nil: nobody does. It is called between entries under the node's
	// lock: it must be quick, keep nothing of fx and not call the node.
	Observe func(at time.Duration, fx *ledger.Effects)
}

// Node runs one shard's Core: it restores it, feeds it the journal, and lets
// many goroutines use it. It must be closed.
type Node struct {
	options Options
	start   time.Time
	cancel  context.CancelFunc
	work    sync.WaitGroup
	appends []chan appendJob
	kick    chan struct{} // has a token when the next wake-up may be sooner
	image   chan struct{} // has a token when a checkpoint is due
	failed  chan struct{} // closed when the node cannot go on
	events  *event.Hub

	discarding chan struct{} // holds a token while a dead letter is looked up and let go

	mu     sync.Mutex
	core   *Core                   // guarded by mu
	routes map[polymath.Ref]*Route // to the workers; guarded by mu
	due    time.Duration           // next wake-up the timer knows of, 0: none; guarded by mu
	err    error                   // why failed was closed; guarded by mu
	growth growth                  // guarded by mu
	news   []event.Event           // room for those of one entry; guarded by mu
	submit ledger.Submit           // room for one that is proposed; guarded by mu
	moved  chan struct{}           // closed, and made anew, when entries were applied and somebody waits
}

// growth is what the journal gained since the last checkpoint.
type growth struct{ bytes, entries int }

type appendJob struct {
	flight uint64
	entry  []byte
}

// Open restores a node from its newest checkpoint and the entries after it,
// and returns when it has caught up with its journal and begun to work.
func Open(ctx context.Context, o Options) (*Node, error) {
	if o.Lanes == 0 {
		o.Lanes = DefaultLanes
	}
	l, sum, err := restore(&o)
	if err != nil {
		return nil, err
	}
	run, cancel := context.WithCancel(context.Background())
	n := &Node{
		options: o, start: time.Now(), cancel: cancel,
		kick: make(chan struct{}, 1), image: make(chan struct{}, 1), failed: make(chan struct{}),
		routes: make(map[polymath.Ref]*Route), moved: make(chan struct{}),
		events: event.NewHub(o.Archive, o.Archive.LastEvent()), discarding: make(chan struct{}, 1),
	}
	for range o.Lanes {
		n.appends = append(n.appends, make(chan appendJob, 1))
	}
	n.core = NewCore(Config{
		Name: o.Name, Lanes: o.Lanes, Ledger: l, Sum: sum, Clock: n, Archive: o.Archive,
		Nonce: nonce, Append: n.append, Deliver: n.post, Applied: n.applied,
	})
	n.work.Go(func() { n.follow(run, l.Index(), sum) })
	for lane := range n.appends {
		n.work.Go(func() { n.appendLoop(run, lane) })
	}
	n.work.Go(func() { n.wakeLoop(run) })
	n.work.Go(func() { n.checkpointLoop(run) })
	if err := n.catchUp(ctx); err != nil {
		return nil, errors.Join(err, n.Close())
	}
	return n, nil
}

// restore makes the ledger of the newest checkpoint, or an empty one.
func restore(o *Options) (*ledger.Ledger, journal.Checksum, error) {
	l := ledger.New(o.Shard)
	loaded, err := o.Checkpoints.Load(func(_ checkpoint.Meta, next func() ([]byte, error)) (err error) {
		l, err = ledger.Restore(next)
		return err
	})
	for _, w := range loaded.Warnings {
		o.Log.Warn(w)
	}
	if err != nil {
		return nil, 0, err
	}
	if loaded.Found && o.Archive.Applied().IsZero() {
		o.Log.Warn("the archive is empty: jobs that finished before this checkpoint are not in it", "checkpoint", loaded.Meta.Index)
	} else if loaded.Found {
		err = o.Archive.Covers(loaded.Meta.Index)
	}
	return l, journal.Checksum(loaded.Meta.Sum), err
}

func nonce() (b [16]byte) {
	if _, err := io.ReadFull(rand.Reader, b[:]); err != nil {
		panic("node: the system has no randomness: " + err.Error())
	}
	return b
}

// Now is for the Core.
func (n *Node) Now() time.Duration { return time.Since(n.start) }

// Wall is for the Core.
func (n *Node) Wall() int64 { return time.Now().UnixMilli() }

// do uses the core, and has the timer look again when it is wanted sooner.
func (n *Node) do(use func(*Core)) {
	n.mu.Lock()
	use(n.core)
	at, some := n.core.Next()
	sooner := some && (n.due == 0 || at < n.due)
	if sooner {
		n.due = at
	}
	n.mu.Unlock()
	if sooner {
		signal(n.kick)
	}
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// fail stops the node for good; the first reason stays.
func (n *Node) fail(err error) {
	n.mu.Lock()
	if n.err == nil {
		n.err = err
		close(n.failed)
	}
	n.mu.Unlock()
	n.cancel()
}

// Failed is closed when the node cannot go on; Err says why.
func (n *Node) Failed() <-chan struct{} { return n.failed }

// Err is why the node stopped by itself, or nil.
func (n *Node) Err() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.err
}

// append is the core's way to the journal: a lane has one entry under way, so
// that its channel never blocks.
func (n *Node) append(lane int, flight uint64, entry []byte) {
	n.appends[lane] <- appendJob{flight, entry}
}

func (n *Node) appendLoop(ctx context.Context, lane int) {
	for {
		select {
		case <-ctx.Done():
			return
		case job := <-n.appends[lane]:
			err := n.options.Journal.Append(ctx, job.entry)
			if ctx.Err() != nil {
				return
			}
			n.do(func(c *Core) { c.Appended(lane, job.flight, err) })
		}
	}
}

// follow feeds the core the journal.
func (n *Node) follow(ctx context.Context, after polymath.Index, sum journal.Checksum) {
	err := n.options.Journal.Follow(ctx, after, sum, func(records []journal.Record) error {
		records, err := n.apply(records)
		for n.options.Patient && errors.Is(err, archive.ErrFull) {
			if err = n.awaitRoom(ctx, err); err == nil {
				records, err = n.apply(records)
			}
		}
		return err
	})
	if ctx.Err() == nil {
		n.fail(explain(err))
	}
}

// apply feeds the core records, and gives back those from the one on that it
// cannot take.
func (n *Node) apply(records []journal.Record) (rest []journal.Record, err error) {
	n.do(func(c *Core) {
		for rest = records; len(rest) > 0; rest = rest[1:] {
			if err = c.Apply(rest[0]); err != nil {
				break
			}
			n.growth.entries++
			n.growth.bytes += len(rest[0].Entry)
		}
		close(n.moved)
		n.moved = make(chan struct{})
		if n.growth.bytes >= checkpointBytes || n.growth.entries >= checkpointEntries {
			signal(n.image)
		}
	})
	return rest, err
}

// roomPause is how long nobody looks whether the archive has room again.
const roomPause = 500 * time.Millisecond

// awaitRoom has commands refused for as long as the archive has no room because
// of an error. It returns another error, or nil once there is room.
func (n *Node) awaitRoom(ctx context.Context, full error) error {
	n.options.Log.Error("nothing is taken until there is space again; nothing is lost", "error", full)
	refusal := polymath.Errorf(polymath.Unavailable, "nothing was changed: %w", full)
	n.do(func(c *Core) { c.Full(refusal) })
	tick := time.NewTicker(roomPause)
	defer tick.Stop()
	for errors.Is(full, archive.ErrFull) {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
			full = n.options.Archive.Room()
		}
	}
	n.options.Log.Info("there is space again")
	n.do(func(c *Core) { c.Full(nil) })
	return full
}

// explain adds what to do to the errors of Follow that end a node.
func explain(err error) error {
	switch {
	case errors.Is(err, journal.ErrTrimmed):
		return polymath.Errorf(polymath.Damaged, "the journal begins after the newest checkpoint that can be read, entries in between are gone: restore the data directory from a backup: %w", err)
	case errors.Is(err, journal.ErrDiverged):
		return polymath.Errorf(polymath.Damaged, "the journal does not continue the checkpoint: the data directory mixes files of two histories, restore it whole from a backup: %w", err)
	default:
		return err
	}
}

// catchUp waits until everything that was in the journal is applied, and then
// lets the core begin.
func (n *Node) catchUp(ctx context.Context) error {
	tail, err := n.options.Journal.Tail(ctx)
	if err != nil {
		return fmt.Errorf("read the end of the journal: %w", err)
	}
	if err := n.until(ctx, tail); err != nil {
		return err
	}
	n.do(func(c *Core) {
		if n.options.Ready != nil {
			n.options.Ready(c.ledger)
		}
		c.Ready()
	})
	return nil
}

// until waits for the ledger to stand at an index or past it.
func (n *Node) until(ctx context.Context, at polymath.Index) error {
	for {
		n.mu.Lock()
		here, moved := n.core.ledger.Index(), n.moved
		n.mu.Unlock()
		if here.Compare(at) >= 0 {
			return nil
		}
		select {
		case <-moved:
		case <-n.failed:
			return n.Err()
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// wakeLoop is the core's alarm clock.
func (n *Node) wakeLoop(ctx context.Context) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		n.mu.Lock()
		if at, some := n.core.Next(); some {
			n.due = at
			timer.Reset(max(at-n.Now(), 0))
		} else {
			n.due = 0
			timer.Stop()
		}
		n.mu.Unlock()
		select {
		case <-ctx.Done():
			return
		case <-n.kick:
		case <-timer.C:
			n.do((*Core).Wake)
		}
	}
}

func (n *Node) checkpointLoop(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-n.image:
			if err := n.Checkpoint(ctx); err != nil && ctx.Err() == nil {
				n.options.Log.Warn("the checkpoint failed, the older ones stand; the journal grows until one succeeds", "error", err)
			}
		}
	}
}

// Checkpoint takes an image now, while the node goes on. One at a time: only
// the node itself calls it while it runs, and tests do.
func (n *Node) Checkpoint(ctx context.Context) error {
	n.mu.Lock()
	n.growth = growth{}
	n.mu.Unlock()
	p, err := NewCheckpointing(n.core, CheckpointConfig{
		Store: n.options.Checkpoints, Flush: n.options.Archive.Flush, Trim: n.options.Journal.Trim, Owner: &n.mu,
	})
	if err != nil {
		return err
	}
	for more := true; more; {
		if err := ctx.Err(); err != nil {
			p.Abort()
			return err
		}
		if more, err = p.Step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Close stops the node. What was acknowledged is in the journal; workers
// should have left before.
func (n *Node) Close() error {
	n.cancel()
	n.work.Wait()
	n.events.Close()
	return n.Err()
}
