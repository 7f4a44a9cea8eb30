// Package local is the journal on one disk: the entries of one shard in a
// segmented log of its own.
//
//	Append ──▶ wal.Committer: one sync for all who wait ──▶ segment files
//	               │ stamps epoch, position, checksum           │
//	Follow ◀── newest entries from memory, older ones ◀─────────┘
//
// An acknowledged entry survives the death of the process, of the system and
// of the power, not that of the disk. DESIGN.md has the law and the format.
package local

import (
	"context"
	"errors"
	"fmt"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/disk"
	"github.com/polymath-run/polymath/internal/journal"
	"github.com/polymath-run/polymath/internal/wal"
)

// survives is what Limits says.
const survives = "the death of the process, of the system and of the power, at any moment; not the loss of the disk"

// ErrFailed is returned by every call after a write or a sync has failed. What
// is on the disk is unknown until it is read again.
var ErrFailed = errors.New("the disk of the journal failed: the process must stop; " +
	"what was acknowledged is read again at the next start")

// Options say where a journal lies.
type Options struct {
	// FS is a directory for this journal alone. Nobody else may have it open.
	FS disk.FS
	// Shard is written into every record. A log of another shard is refused.
	Shard uint32
	// Epoch is the least epoch of what is appended from now on. The log never
	// loses what it acknowledged, so the epoch stays as it was, 1 at first;
	// whoever cuts a log or puts an older copy in its place raises it here.
	Epoch uint32
	// SegmentBytes, SpareSegments and Go are those of wal.Options; 0 is the
	// default, and without Go nothing is made ahead.
	SegmentBytes  int64
	SpareSegments int
	Go            func(func())
	// NewLogID is that of wal.Options: for tests that want the same bytes.
	NewLogID func() ([16]byte, error)
}

// Journal implements journal.Journal.
type Journal struct {
	log   *wal.Committer
	shard uint32
	epoch uint32 // of what is appended
	base  link   // the last entry when the journal was opened
	limit int    // largest entry, in bytes
}

var _ journal.Journal = (*Journal)(nil)

// Open opens the journal of a directory or makes one. A damaged log is refused
// with the errors of package wal, which name the file; nothing is changed then.
func Open(o Options) (*Journal, error) {
	log, err := wal.Open(wal.Options{
		FS: o.FS, SegmentBytes: o.SegmentBytes, SpareSegments: o.SpareSegments, NewLogID: o.NewLogID, Go: o.Go,
	})
	if err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	base, err := last(log, o.Shard)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open journal: %w", err), log.Close())
	}
	c := chain{epoch: max(o.Epoch, base.index.Epoch, 1), last: base}
	j := &Journal{
		log:   wal.NewStampedCommitter(log, wal.Stamp{Bytes: stampBytes, Fill: c.fill}),
		shard: o.Shard,
		epoch: c.epoch,
		base:  base,
	}
	j.limit = min(polymath.MaxEntryBytes, j.log.MaxPayload())
	return j, nil
}

// last reads the link that the next entry continues, zero in a new log.
func last(log *wal.Log, shard uint32) (link, error) {
	if log.Next() == 1 {
		return link{}, nil
	}
	records, err := log.Read(log.Synced(), 1)
	if err != nil {
		return link{}, err
	}
	r, err := parse(records[0], shard)
	return link{r.Index, r.Sum}, err
}

// Append implements journal.Journal. At most 4,096 entries or 4 MiB wait.
func (j *Journal) Append(ctx context.Context, entry []byte) error {
	if n := len(entry); n < 1 || n > j.limit {
		return fmt.Errorf("append to journal: %w: it has %d bytes, must have 1 to %d", journal.ErrNotAppended, n, j.limit)
	}
	if _, err := j.log.Append(ctx, j.shard, entry); err != nil {
		return translate("append to journal", err)
	}
	return nil
}

// Tail implements journal.Journal. It is exact and waits for nothing.
func (j *Journal) Tail(context.Context) (polymath.Index, error) {
	if err := j.Err(); err != nil {
		return polymath.Index{}, err
	}
	return j.tail(), nil
}

func (j *Journal) tail() polymath.Index {
	position := j.log.Synced()
	if position == j.base.index.Position {
		return j.base.index
	}
	return polymath.Index{Epoch: j.epoch, Position: position}
}

// Trim implements journal.Journal. It gives back whole segments, and keeps at
// least the newest entry: the next one continues its checksum.
func (j *Journal) Trim(_ context.Context, upTo polymath.Index) error {
	if err := j.Err(); err != nil {
		return err
	}
	position := min(upTo.Position, j.tail().Position)
	if position == 0 {
		return nil
	}
	if err := j.log.Trim(position - 1); err != nil {
		return translate("trim journal", err)
	}
	return nil
}

// Limits implements journal.Journal.
func (j *Journal) Limits() journal.Limits {
	return journal.Limits{MaxEntry: j.limit, Survives: survives, PowerLoss: true}
}

// Close implements journal.Journal. What waits is made durable first.
func (j *Journal) Close() error {
	if err := j.log.Close(); err != nil {
		return fmt.Errorf("close journal: %w", err)
	}
	return nil
}

// Failed is closed when the disk has failed and the process must stop; Err says
// why.
func (j *Journal) Failed() <-chan struct{} { return j.log.Failed() }

// Err is the error that every call gets from now on: one that wraps ErrFailed
// after a failure, journal.ErrClosed after Close, nil before either.
func (j *Journal) Err() error {
	if err := j.log.Err(); err != nil {
		return translate("journal", err)
	}
	return nil
}

// Stats counts what a Journal has made durable since it was opened.
type Stats struct {
	Entries uint64
	Bytes   uint64 // of the entries
	Syncs   uint64 // each for all the entries that waited
}

// Stats returns the counts so far.
func (j *Journal) Stats() Stats {
	s := j.log.Stats()
	return Stats{Entries: s.Records, Bytes: s.Bytes - s.Records*stampBytes, Syncs: s.Syncs}
}

// translate says in the words of the port what an error of the log means.
func translate(op string, err error) error {
	meaning := [...]struct{ log, port error }{
		{wal.ErrTrimmed, journal.ErrTrimmed},
		{wal.ErrClosed, journal.ErrClosed},
		{wal.ErrFailed, ErrFailed},
		{wal.ErrFull, journal.ErrFull},
		{wal.ErrNotAppended, journal.ErrNotAppended},
	}
	translated := err
	for _, m := range meaning {
		if errors.Is(err, m.log) {
			translated = fmt.Errorf("%w: %w", m.port, translated)
		}
	}
	return fmt.Errorf("%s: %w", op, translated)
}
