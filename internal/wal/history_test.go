package wal

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"

	"github.com/polymath-run/polymath/internal/disk"
	"github.com/polymath-run/polymath/internal/disk/disktest"
)

// history uses a log and remembers what it was promised. No two appends store
// the same bytes, so a record that comes back from an attempt that was cut off
// is told from the one that took its place.
type history struct {
	rng      *rand.Rand
	stored   [][]byte // by index, from 1: the last append there
	acked    uint64   // highest index that Sync has returned for
	trimmed  uint64   // highest index given to Trim
	attempts int
}

func newHistory(seed uint64) *history {
	return &history{rng: rand.New(rand.NewPCG(seed, 0x77616c)), stored: [][]byte{nil}}
}

func groupOf(index uint64) uint32 { return uint32(index*2654435761) >> 3 }

// options are those of the next run: segments of three sizes, so that files of
// the wrong size lie around too, and some that end within a block of the disk.
// Some make the next file ahead, on the same goroutine, so that a seed says it all.
func (h *history) options(fs disk.FS) Options {
	o := small(fs)
	if h.rng.IntN(3) == 0 {
		o.SegmentBytes += 1024 << (3 * h.rng.IntN(2))
	}
	o.SpareSegments = 1 + h.rng.IntN(2)
	if h.rng.IntN(2) == 0 {
		o.Go = func(f func()) { f() }
	}
	return o
}

// run opens the log, checks it and uses it for some steps. It returns nil, or
// the first error of the log, or of a law that the log has broken.
func (h *history) run(fs disk.FS, steps int) error {
	l, err := h.open(fs)
	for ; err == nil && steps > 0; steps-- {
		switch h.rng.IntN(16) {
		default:
			err = h.append(l)
		case 0, 1, 2, 3, 4:
			err = h.sync(l)
		case 5, 6:
			err = h.trim(l)
		case 7:
			if err = h.close(l); err == nil {
				l, err = h.open(fs)
			}
		}
	}
	if err == nil {
		err = h.close(l)
	}
	return err
}

func (h *history) open(fs disk.FS) (*Log, error) {
	l, err := Open(h.options(fs))
	if err != nil {
		return nil, err
	}
	return l, h.check(l)
}

// check is the law: what was acknowledged and not trimmed is there, unchanged
// and in order; what else is there continues it as it was appended.
func (h *history) check(l *Log) error {
	appended := uint64(len(h.stored) - 1)
	if l.First() > h.trimmed+1 || l.Next() <= h.acked || l.Next() > appended+1 || l.Synced() != l.Next()-1 {
		return fmt.Errorf("law: log [%d, %d), synced %d; acknowledged %d, trimmed %d, appended %d",
			l.First(), l.Next(), l.Synced(), h.acked, h.trimmed, appended)
	}
	for index := l.First(); index < l.Next(); {
		records, err := l.Read(index, 2000)
		if err != nil {
			return err
		}
		for _, r := range records {
			if r.Index != index || r.Group != groupOf(index) || !bytes.Equal(r.Payload, h.stored[index]) {
				return fmt.Errorf("law: index %d holds (%d, %d, %.20q), want %.20q", index, r.Index, r.Group, r.Payload, h.stored[index])
			}
			index++
		}
		if len(records) == 0 {
			return fmt.Errorf("law: nothing to read at %d of [%d, %d)", index, l.First(), l.Next())
		}
	}
	h.stored, h.acked = h.stored[:l.Next()], l.Synced()
	return nil
}

func (h *history) append(l *Log) error {
	records := make([]Record, 1+h.rng.IntN(5))
	index := l.Next()
	h.stored = h.stored[:index]
	for i := range records {
		h.attempts++
		text := []byte(fmt.Sprintf("attempt %d;", h.attempts))
		text = bytes.Repeat(text, 1+h.rng.IntN(1+h.rng.IntN(60)))
		records[i] = Record{Group: groupOf(index + uint64(i)), Payload: text}
		h.stored = append(h.stored, text)
	}
	first, err := l.Append(records)
	if err == nil && first != index {
		return fmt.Errorf("law: appended at %d, want %d", first, index)
	}
	if errors.Is(err, ErrFull) {
		h.stored = h.stored[:index]
	}
	return err
}

func (h *history) sync(l *Log) error {
	err := l.Sync()
	if err == nil {
		h.acked = l.Synced()
		if h.acked != uint64(len(h.stored)-1) {
			return fmt.Errorf("law: synced %d of %d", h.acked, len(h.stored)-1)
		}
	}
	return err
}

func (h *history) trim(l *Log) error {
	h.trimmed = max(h.trimmed, uint64(h.rng.Int64N(int64(h.acked)+1)))
	return l.Trim(h.trimmed)
}

func (h *history) close(l *Log) error {
	err := l.Close()
	if err == nil {
		h.acked = uint64(len(h.stored) - 1)
	}
	return err
}

// restart is what comes after a crash: power loss, or the death of the process.
func (h *history) restart(fs *disktest.Crash) *disktest.Crash {
	if h.rng.IntN(2) == 0 {
		return fs.Kill()
	}
	return fs.Restart()
}
