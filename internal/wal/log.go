// Package wal is a durable, totally ordered log of small records on segment
// files that are written in full with zeros once and used again and again:
// overwriting in place costs half of what growing a file does.
//
//	Committer   many goroutines: gathers what waits, one write, one sync,
//	    │       wakes all; hands durable records to followers from memory
//	   Log      one owner, no goroutine, no clock: append, sync, read, trim
//	    │
//	 disk.FS    wal-00000001 ─seal▶ wal-00000003 ─seal▶ wal-00000002 …
//
// Recovery never guesses: a torn end that nobody was told of is cut off and
// wiped; damage to anything else is an error that names the file. DESIGN.md
// has the format, the law and its argument.
package wal

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/polymath-run/polymath/internal/disk"
)

// Limits of the options.
const (
	// DefaultSegmentBytes is large enough that beginning a segment, two more
	// syncs, is nothing beside its thousands.
	DefaultSegmentBytes = 64 << 20
	// firstSegmentBytes is the most that the first segment of a new log has: who
	// makes one waits for its zeros.
	firstSegmentBytes = 8 << 20
	// MinSegmentBytes leaves room for a few records; such sizes are for
	// simulation.
	MinSegmentBytes = 4 << 10
	// MaxSegmentBytes keeps offsets well inside the 32 bits that frames have.
	MaxSegmentBytes = 1 << 30
	// DefaultSpareSegments covers what is appended between two trims of a
	// system that is not behind.
	DefaultSpareSegments = 2
	// maxLive is the largest distance of the oldest segment from the newest
	// that frames can express.
	maxLive = 1<<16 - 1
)

// Options say where a log lies and how it uses space.
type Options struct {
	FS disk.FS
	// SegmentBytes is the size of segment files made from now on, but for the
	// first one of a log, which may be smaller: a multiple of 512 from
	// MinSegmentBytes to MaxSegmentBytes; 0 is the default.
	SegmentBytes int64
	// SpareSegments is how many trimmed segments are kept for use again; the
	// rest is removed. 0 is the default; at least one is kept, so that a trim
	// helps a log on a full disk, once it has a segment of full size.
	SpareSegments int
	// Go runs, on a goroutine, what nobody need wait for: making the file of the
	// next segment while the newest one fills. nil makes it when it is needed,
	// and an append waits for that.
	Go func(func())
	// NewLogID makes the id of a new log; nil draws it at random. Simulations
	// give their own.
	NewLogID func() ([16]byte, error)
}

func (o *Options) complete() error {
	if o.SegmentBytes == 0 {
		o.SegmentBytes = DefaultSegmentBytes
	}
	if o.SpareSegments == 0 {
		o.SpareSegments = DefaultSpareSegments
	}
	if o.NewLogID == nil {
		o.NewLogID = func() (id [16]byte, err error) {
			_, err = rand.Read(id[:])
			return id, err
		}
	}
	switch {
	case o.FS == nil:
		return errors.New("wal: no file system given")
	case o.SegmentBytes < MinSegmentBytes || o.SegmentBytes > MaxSegmentBytes || o.SegmentBytes%headerSize != 0:
		return fmt.Errorf("wal: segment of %d bytes: must be a multiple of %d from %d to %d",
			o.SegmentBytes, headerSize, MinSegmentBytes, MaxSegmentBytes)
	case o.SpareSegments < 1:
		return fmt.Errorf("wal: %d spare segments: must be at least 1", o.SpareSegments)
	}
	return nil
}

// Record is one payload in the log.
type Record struct {
	Index   uint64 // from 1, without gaps, over all groups; Append ignores it
	Group   uint32 // whose record it is; means nothing to the log
	Payload []byte // at most MaxPayload bytes
}

// Log is the log itself. One goroutine at a time may use it; what Options.Go
// runs touches nothing but a file that is not in use yet.
type Log struct {
	options  Options
	id       identity
	segments []*segment      // the log, oldest first; the last is appended to
	spares   []*segment      // files of former lives, to use in this order
	number   uint64          // highest number of a segment file so far
	first    uint64          // oldest generation wanted: older ones are trimmed
	durable  int64           // offset in the active segment before which all is durable
	synced   uint64          // highest durable index
	blocks   blocks          // in which batches are written
	making   <-chan *segment // gives the file that is made ahead, nil if it cannot be; or nil
	ahead    uint64          // generation in which one was begun last
	err      error           // why every call is refused, if it is
}

// Open opens the log of a directory, making one if there is none. Afterwards
// everything in it is durable. See DamageError, VersionError and ForeignError
// for what it refuses; then nothing has been changed.
func Open(o Options) (*Log, error) {
	if err := o.complete(); err != nil {
		return nil, err
	}
	r := recovery{fs: o.FS, window: window{buffer: make([]byte, min(windowBytes, o.SegmentBytes))}}
	l := &Log{options: o}
	if err := l.open(&r); err != nil {
		r.close()
		return nil, err
	}
	return l, nil
}

func (l *Log) open(r *recovery) error {
	if err := r.load(); err != nil {
		return err
	}
	l.number = r.number
	if r.top == nil {
		if err := r.unused(); err != nil {
			return err
		}
		if err := l.discard(r.broken); err != nil {
			return err
		}
		return l.create()
	}
	if err := r.link(); err != nil {
		return err
	}
	if err := r.settle(); err != nil {
		return err
	}
	l.id, l.segments, l.first = r.top.id, r.chain, r.first
	l.durable, l.synced = l.active().end, l.active().next-1
	return l.sort(r)
}

// create makes the first segment of a new log.
func (l *Log) create() (err error) {
	if l.id, err = l.options.NewLogID(); err != nil {
		return fmt.Errorf("wal: new log id: %w", err)
	}
	s := l.draft()
	s.size = min(s.size, firstSegmentBytes)
	if err := s.fill(l.options.FS); err != nil {
		return err
	}
	l.first = 1
	if err := l.begin(s, header{id: l.id, generation: 1, base: 1, first: 1}); err != nil {
		return errors.Join(err, s.file.Close())
	}
	l.segments, l.durable = []*segment{s}, headerSize
	return nil
}

// active is the segment that is appended to.
func (l *Log) active() *segment { return l.segments[len(l.segments)-1] }

// First returns the lowest index that Read can return. After Open it may be
// lower than before, never higher than what Trim asked for.
func (l *Log) First() uint64 { return l.live()[0].base }

// live are the segments that are not trimmed.
func (l *Log) live() []*segment {
	return l.segments[l.first-l.segments[0].generation:]
}

// Next returns the index that the next record gets.
func (l *Log) Next() uint64 { return l.active().next }

// Synced returns the highest index that is durable, Next()-1 if all is. It is
// First()-1 or more.
func (l *Log) Synced() uint64 { return l.synced }

// MaxBatch is the largest sum of the Spans of the payloads of one Append.
func (l *Log) MaxBatch() int { return int(l.options.SegmentBytes) - headerSize - reserve }

// MaxPayload is the largest payload: the constant, or less if segments are small.
func (l *Log) MaxPayload() int { return min(MaxPayload, l.MaxBatch()-frameSize) }

// Append writes a batch in one piece and returns the index of its first record.
// It is not durable before Sync. On ErrFull and ErrTooLarge nothing of it is in
// the log. The payloads are not kept.
func (l *Log) Append(batch []Record) (first uint64, err error) {
	if l.err != nil {
		return 0, l.err
	}
	size := 0
	for i := range batch {
		if n := len(batch[i].Payload); n > l.MaxPayload() {
			return 0, fmt.Errorf("%w: payload of %d bytes, at most %d", ErrTooLarge, n, l.MaxPayload())
		}
		size += Span(len(batch[i].Payload))
	}
	if size > l.MaxBatch() {
		return 0, fmt.Errorf("%w: batch of %d bytes, at most %d", ErrTooLarge, size, l.MaxBatch())
	}
	if s := l.active(); s.end+int64(size) > s.size-reserve {
		if err := l.rollOver(); err != nil {
			return 0, err
		}
	}
	first = l.Next()
	return first, l.write(kindData, batch)
}

// write puts records of one kind at the end of the active segment.
func (l *Log) write(k kind, batch []Record) error {
	s := l.active()
	f := frame{kind: k, live: uint16(s.generation - l.first), index: s.next, synced: uint32(l.durable)}
	size := 0
	for i := range batch {
		size += Span(len(batch[i].Payload))
	}
	content, err := l.blocks.begin(s, size)
	if err != nil {
		return l.fail("read", s, err)
	}
	for i := range batch {
		f.group = batch[i].Group
		content = appendRecord(content, s.key, f, batch[i].Payload)
		if k == kindData {
			f.index++
		}
	}
	if err := l.blocks.write(s, content); err != nil {
		return l.fail("write", s, err)
	}
	f.index = s.next
	for i := range batch {
		f.length = uint32(len(batch[i].Payload))
		s.advance(f)
		f.index++
	}
	return nil
}

// Sync makes everything appended durable, with at most one sync of one file,
// and gives back the files of segments trimmed before.
func (l *Log) Sync() error {
	if l.err != nil {
		return l.err
	}
	s := l.active()
	if s.noted < l.first && s.end+frameSize+sealSize <= s.size {
		if err := l.write(kindMark, make([]Record, 1)); err != nil {
			return err
		}
	}
	if l.durable == s.end {
		return nil
	}
	if err := s.file.Sync(); err != nil {
		return l.fail("sync", s, err)
	}
	l.durable, l.synced = s.end, s.next-1
	err := l.release()
	if err == nil {
		l.goAhead()
	}
	return err
}

// rollOver begins another segment. The order is the argument: its header is
// durable before the seal names it, and the seal, with all that the old segment
// holds, before the new one gets a record.
func (l *Log) rollOver() error {
	old := l.active()
	if old.generation+1-l.first > maxLive {
		return fmt.Errorf("%w: %d segments are in use", ErrFull, maxLive)
	}
	s, err := l.takeSpare()
	if err != nil {
		return err
	}
	if err := l.begin(s, header{id: l.id, generation: old.generation + 1, base: old.next, first: l.first}); err != nil {
		return l.fail("begin", s, err)
	}
	name := binary.LittleEndian.AppendUint64(nil, s.number)
	if err := l.write(kindSeal, []Record{{Payload: name}}); err != nil {
		return err
	}
	if err := old.file.Sync(); err != nil {
		return l.fail("sync", old, err)
	}
	old.successor = s.number
	l.segments = append(l.segments, s)
	l.durable, l.synced = headerSize, old.next-1
	return l.release()
}

// Trim gives up all records up to an index, by whole segments and never the
// one that is appended to. Nothing is written here: the files are free for use
// again after the next Sync.
func (l *Log) Trim(upTo uint64) error {
	if l.err != nil {
		return l.err
	}
	for _, s := range l.live() {
		if s.sealed && s.next-1 <= upTo {
			l.first = s.generation + 1
		}
	}
	return nil
}

// Close makes everything durable, notes it in the log if that fits, so that
// damage to its very end is recognised too, and closes the files.
func (l *Log) Close() error {
	if errors.Is(l.err, ErrClosed) {
		return nil
	}
	l.options.Go = nil // nothing more is begun
	err := l.Sync()
	if s := l.active(); err == nil && s.proven < s.data && s.end <= s.size-reserve {
		if err = l.write(kindMark, make([]Record, 1)); err == nil {
			err = l.Sync()
		}
	}
	if s := l.made(); s != nil {
		l.spares = append(l.spares, s)
	}
	for _, s := range slices.Concat(l.segments, l.spares) {
		err = errors.Join(err, s.file.Close())
	}
	l.err = ErrClosed
	return err
}

// fail makes an error final.
func (l *Log) fail(op string, s *segment, err error) error {
	l.err = fmt.Errorf("%w: %s %s: %w", ErrFailed, op, s.name(), err)
	return l.err
}
