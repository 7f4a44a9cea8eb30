package local

import (
	"context"
	"fmt"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/journal"
)

// followBytes is how much of the log is handed on at a time: a reader of old
// entries holds the appends up for one read of so many bytes, a millisecond.
const followBytes = 1 << 20

// Follow implements journal.Journal. Entries go to the follower from memory as
// soon as they are durable; only one who is 4 MiB behind reads the disk.
func (j *Journal) Follow(ctx context.Context, after polymath.Index, sum journal.Checksum, yield func([]journal.Record) error) error {
	if err := j.prove(ctx, after, sum); err != nil {
		return err
	}
	var batch []journal.Record
	for position := after.Position; ; {
		var err error
		if batch, err = j.next(ctx, position+1, followBytes, batch[:0]); err != nil {
			return err
		}
		if err := yield(batch); err != nil {
			return err
		}
		position += uint64(len(batch))
	}
}

// next waits for the entry at a position and appends it to batch, with those
// after it until they have limit bytes.
func (j *Journal) next(ctx context.Context, position uint64, limit int, batch []journal.Record) ([]journal.Record, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := j.Err(); err != nil {
		return nil, err
	}
	records, err := j.log.Next(ctx, position, limit)
	if err != nil {
		return nil, translate("follow journal", err)
	}
	for _, record := range records {
		r, err := parse(record, j.shard)
		if err != nil {
			return nil, fmt.Errorf("follow journal: %w", err)
		}
		batch = append(batch, r)
	}
	return batch, nil
}

// prove shows that this journal holds the entry after which somebody wants to
// go on. If that was the last one trimmed, the entry after it proves it: it has
// the checksum that both give together.
func (j *Journal) prove(ctx context.Context, after polymath.Index, sum journal.Checksum) error {
	diverged := func(what string) error {
		return fmt.Errorf("follow journal after %v: %w: %s", after, journal.ErrDiverged, what)
	}
	tail := j.tail()
	switch {
	case after.Position > tail.Position:
		return diverged(fmt.Sprintf("it ends at %v", tail))
	case after.Position == 0 && sum != 0:
		return diverged("it is empty up to there")
	case after.Position == 0:
		return nil
	}
	known := after.Position
	if known+1 == j.log.First() {
		known++
	}
	batch, err := j.next(ctx, known, 1, nil)
	if err != nil {
		return err
	}
	r := batch[0]
	switch {
	case known > after.Position && (sum.Next(r.Entry) != r.Sum || after.Epoch > r.Index.Epoch):
		return diverged(fmt.Sprintf("the entry at %v continues another one", r.Index))
	case known == after.Position && (r.Index != after || r.Sum != sum):
		return diverged(fmt.Sprintf("it has another entry at %v", r.Index))
	}
	return nil
}
