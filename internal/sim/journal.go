package sim

import (
	"encoding/binary"
	"errors"
	"time"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/journal"
	"github.com/polymath-run/polymath/internal/wal"
)

// errUnknown is an outcome nobody knows.
var errUnknown = errors.New("sim: the connection broke, the outcome is unknown")

// segmentBytes makes segments small, so that a run goes through many.
const segmentBytes = 16 << 10

// log is a journal over the real write-ahead log, driven by events: a commit
// is a write, and some time later a sync.
type log struct {
	m     *machine
	wal   *wal.Log
	queue []appending
	busy  bool
	next  uint64 // position of the next entry
	sum   journal.Checksum
}

type appending struct {
	lane   int
	flight uint64
	entry  []byte
	silent bool // its outcome was told otherwise
}

// openLog recovers the log and finds where the journal ends.
func openLog(m *machine) (*log, error) {
	var id [16]byte
	w, err := wal.Open(wal.Options{FS: m.disk, SegmentBytes: segmentBytes, NewLogID: func() ([16]byte, error) {
		binary.LittleEndian.PutUint64(id[:], m.w.chance.Uint64())
		return id, nil
	}})
	if err != nil {
		return nil, err
	}
	return &log{m: m, wal: w, next: 1}, nil
}

// replay hands over the entries after an index, in order.
func (l *log) replay(after polymath.Index, sum journal.Checksum, yield func(journal.Record) bool) error {
	l.next, l.sum = after.Position+1, sum
	for from := l.wal.First(); from < l.wal.Next(); {
		records, err := l.wal.Read(from, 64<<10)
		if err != nil {
			return err
		}
		for _, r := range records {
			from = r.Index + 1
			position, sum, entry := unframe(r.Payload)
			if position < l.next {
				continue
			}
			if position > l.next {
				return journal.ErrTrimmed
			}
			if l.sum.Next(entry) != sum {
				return journal.ErrDiverged
			}
			l.next, l.sum = position+1, sum
			if !yield(journal.Record{Index: polymath.Index{Epoch: 1, Position: position}, Sum: sum, Entry: entry}) {
				return nil
			}
		}
	}
	return nil
}

func frame(position uint64, sum journal.Checksum, entry []byte) []byte {
	b := binary.LittleEndian.AppendUint64(nil, position)
	b = binary.LittleEndian.AppendUint64(b, uint64(sum))
	return append(b, entry...)
}

func unframe(b []byte) (uint64, journal.Checksum, []byte) {
	return binary.LittleEndian.Uint64(b), journal.Checksum(binary.LittleEndian.Uint64(b[8:])), b[16:]
}

// append is Config.Append of the node: on its way an entry may be lost,
// doubled, late, or stored and then denied.
func (l *log) append(lane int, flight uint64, entry []byte) {
	a := appending{lane: lane, flight: flight, entry: append([]byte(nil), entry...)}
	w := l.m.w
	unknown := func() { l.m.appended(lane, flight, errUnknown) }
	way := w.between(10*time.Microsecond, 300*time.Microsecond)
	switch {
	case w.odds(60):
		w.counts.Lost++
		w.after(50*time.Millisecond, l.m.living(unknown))
	case w.odds(60):
		w.counts.Refused++
		w.after(way, l.m.living(func() { l.m.appended(lane, flight, journal.ErrNotAppended) }))
	case w.odds(60):
		w.counts.Denied++
		a.silent = true
		w.after(way, l.m.living(func() { l.enqueue(a) }))
		w.after(5*time.Millisecond, l.m.living(unknown))
	case w.odds(60):
		w.counts.Delayed++
		a.silent = true
		w.after(5*time.Millisecond, l.m.living(unknown))
		w.after(w.between(10*time.Millisecond, 2*time.Second), l.m.living(func() { l.enqueue(a) }))
	case w.odds(60):
		w.counts.Duplicates++
		w.after(way, l.m.living(func() { l.enqueue(a) }))
		a.silent = true
		w.after(w.between(time.Millisecond, 100*time.Millisecond), l.m.living(func() { l.enqueue(a) }))
	default:
		w.after(way, l.m.living(func() { l.enqueue(a) }))
	}
}

func (l *log) enqueue(a appending) {
	l.queue = append(l.queue, a)
	if !l.busy {
		l.busy = true
		l.m.w.after(10*time.Microsecond, l.m.living(l.write))
	}
}

// write puts all that waits into the log; the sync comes later.
func (l *log) write() {
	batch := l.queue
	l.queue = nil
	var records []wal.Record
	var out []journal.Record
	for _, a := range batch {
		l.sum = l.sum.Next(a.entry)
		records = append(records, wal.Record{Payload: frame(l.next, l.sum, a.entry)})
		out = append(out, journal.Record{Index: polymath.Index{Epoch: 1, Position: l.next}, Sum: l.sum, Entry: a.entry})
		l.next++
	}
	if _, err := l.wal.Append(records); err != nil {
		l.m.stop("the log failed: " + err.Error())
		return
	}
	w := l.m.w
	if w.plant == AckBeforeSync {
		l.publish(batch, out)
		w.after(3*time.Millisecond, l.m.living(func() { l.sync(nil, nil) }))
		return
	}
	w.after(w.between(100*time.Microsecond, 400*time.Microsecond), l.m.living(func() { l.sync(batch, out) }))
}

func (l *log) sync(batch []appending, out []journal.Record) {
	if err := l.wal.Sync(); err != nil {
		l.m.stop("the log failed: " + err.Error())
		return
	}
	l.busy = false
	if len(l.queue) > 0 {
		l.busy = true
		l.m.w.after(time.Microsecond, l.m.living(l.write))
	}
	l.publish(batch, out)
}

// publish hands durable entries to the node, and tells the outcomes before or
// after.
func (l *log) publish(batch []appending, out []journal.Record) {
	tell := func() {
		for _, a := range batch {
			if !a.silent {
				l.m.appended(a.lane, a.flight, nil)
			}
		}
	}
	early := l.m.w.chance.IntN(2) == 0
	if early {
		tell()
	}
	for _, r := range out {
		if !l.m.up {
			return
		}
		l.m.apply(r)
	}
	if !early && l.m.up {
		tell()
	}
}

// trim finds the last record of the log at or before a position, and lets the
// log forget up to there.
func (l *log) trim(upTo polymath.Index) error {
	var last uint64
	for from := l.wal.First(); from < l.wal.Next(); {
		records, err := l.wal.Read(from, 64<<10)
		if err != nil {
			return err
		}
		for _, r := range records {
			from = r.Index + 1
			if position, _, _ := unframe(r.Payload); position > upTo.Position {
				return l.wal.Trim(last)
			}
			last = r.Index
		}
	}
	return l.wal.Trim(last)
}
