package sim

import (
	"context"
	"encoding/binary"
	"errors"
	"sync"
	"time"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/checkpoint"
	"github.com/polymath-run/polymath/internal/disk/disktest"
	"github.com/polymath-run/polymath/internal/journal"
	"github.com/polymath-run/polymath/internal/ledger"
	"github.com/polymath-run/polymath/internal/node"
)

// machine is the one server of the run: a disk that outlives processes, and
// the process that runs now.
type machine struct {
	w       *world
	disk    *disktest.Crash // the log and the checkpoints
	images  *disktest.Crash
	archive *archive

	life  int // counts processes
	up    bool
	ready bool // replay is over
	log   *log
	core  *node.Core
	store *checkpoint.Store
	image *node.Checkpointing
	wake  time.Duration // planned wake-up, 0: none
}

func newMachine(w *world) *machine {
	return &machine{w: w, disk: disktest.New(w.chance.Uint64()), images: disktest.New(w.chance.Uint64()), archive: newArchive(w)}
}

// living wraps what belongs to this process: it dies with it.
func (m *machine) living(do func()) func() {
	life := m.life
	return func() {
		if m.up && m.life == life {
			do()
		}
	}
}

// boot starts a process on what the disk holds.
func (m *machine) boot() {
	m.life++
	m.up, m.ready, m.wake, m.image = true, false, 0, nil
	l, sum, err := m.restore()
	if err == nil {
		m.log, err = openLog(m)
	}
	if errors.Is(err, disktest.ErrCrashed) {
		m.stop("power is lost again while it starts")
		return
	}
	if err != nil {
		m.w.violate("the node cannot start: %v", err)
		return
	}
	m.core = node.NewCore(node.Config{
		Name: "node", Lanes: node.DefaultLanes, Ledger: l, Sum: sum, Clock: m.w, Archive: m.archive,
		Nonce: m.nonce, Append: m.log.append, Deliver: m.deliver, Fault: m.w.plant.node(),
	})
	from := l.Index()
	err = m.log.replay(from, sum, func(r journal.Record) bool {
		m.apply(r)
		return m.w.broken == nil
	})
	if err != nil {
		m.w.violate("the node cannot read its journal after %v: %v", from, err)
		return
	}
	m.w.log("node %d is up: restored at %v, replayed to %v", m.life, from, m.core.Ledger().Index())
	m.w.oracle.caughtUp(m.core)
	m.core.Ready()
	m.ready = true
	m.settle()
}

func (m *machine) restore() (*ledger.Ledger, journal.Checksum, error) {
	l := ledger.New(0)
	store, err := checkpoint.Open(m.images)
	if err != nil {
		return nil, 0, err
	}
	m.store = store
	loaded, err := store.Load(func(_ checkpoint.Meta, next func() ([]byte, error)) (err error) {
		l, err = ledger.Restore(next)
		return err
	})
	if err != nil {
		return nil, 0, err
	}
	for _, warning := range loaded.Warnings {
		m.w.violate("a checkpoint is damaged: %s", warning)
	}
	if loaded.Found {
		m.w.counts.Restores++
	}
	l.Plant(m.w.plant.ledger())
	return l, journal.Checksum(loaded.Meta.Sum), nil
}

func (m *machine) nonce() (b [16]byte) {
	binary.LittleEndian.PutUint64(b[:], m.w.chance.Uint64())
	binary.LittleEndian.PutUint64(b[8:], uint64(m.life))
	return b
}

// crash ends the process; with power the disk forgets what was not synced.
func (m *machine) crash(power bool) {
	if !m.up {
		return
	}
	m.up = false
	m.archive.crash()
	if power {
		m.w.counts.PowerLosses++
		m.disk, m.images = m.disk.Restart(), m.images.Restart()
	} else {
		m.w.counts.Crashes++
		m.disk, m.images = m.disk.Kill(), m.images.Kill()
	}
	m.w.log("node %d is down (power lost: %v)", m.life, power)
	m.w.after(m.w.between(10*time.Millisecond, 4*time.Second), m.boot)
	for _, c := range m.w.crew {
		c.nodeDied()
	}
}

// stop is a process that ends itself: the disk has died under it.
func (m *machine) stop(why string) {
	m.w.log("node %d stops: %s", m.life, why)
	m.crash(true)
}

func (m *machine) appended(lane int, flight uint64, err error) {
	m.core.Appended(lane, flight, err)
	m.settle()
}

// apply hands an entry to the core and lets the oracle look.
func (m *machine) apply(r journal.Record) {
	if err := m.core.Apply(r); err != nil {
		m.w.violate("the node cannot go on: %v", err)
		return
	}
	m.w.oracle.applied(r, m.core)
	m.settle()
}

// settle plans the core's next wake-up.
func (m *machine) settle() {
	at, some := m.core.Next()
	if !some || (m.wake > 0 && m.wake <= at) {
		return
	}
	at = max(at, m.w.now+time.Microsecond)
	m.wake = at
	m.w.after(at-m.w.now, m.living(func() {
		if m.wake == at {
			m.wake = 0
			m.core.Wake()
			m.settle()
		}
	}))
}

// checkpoint takes an image, a stretch of parts at a time.
func (m *machine) checkpoint() {
	if m.image != nil {
		return
	}
	p, err := node.NewCheckpointing(m.core, node.CheckpointConfig{
		Store: m.store, Flush: m.archive.Flush, Trim: m.trim, Owner: new(sync.Mutex),
	})
	if err != nil {
		m.stop("the checkpoint failed: " + err.Error())
		return
	}
	m.image = p
	m.w.after(time.Millisecond, m.living(m.imageSteps))
}

// imageStretch is how many parts go between two other events.
const imageStretch = 128

func (m *machine) imageSteps() {
	for range imageStretch {
		more, err := m.image.Step(context.Background())
		if err != nil {
			m.stop("the checkpoint failed: " + err.Error())
			return
		}
		if !more {
			m.image = nil
			m.w.counts.Checkpoints++
			return
		}
	}
	m.w.after(m.w.between(time.Millisecond, 20*time.Millisecond), m.living(m.imageSteps))
}

func (m *machine) trim(_ context.Context, upTo polymath.Index) error {
	m.w.log("trim up to %v", upTo)
	return m.log.trim(upTo)
}

// deliver is Config.Deliver of the node.
func (m *machine) deliver(session polymath.Ref, e node.SeatEvent) {
	for _, c := range m.w.crew {
		if c.session == session && c.up {
			c.hear(e)
			return
		}
	}
}
