package sim

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/journal"
)

// followRecords is how many records a follower gets at a time, at most: few, so
// that a test sees many batches.
const followRecords = 64

// Journal implements journal.Journal on an Engine.
type Journal struct {
	engine *Engine
	end    error // why every call is refused, if it is; guarded by engine.mu
}

var _ journal.Journal = (*Journal)(nil)

// Append implements journal.Journal.
func (j *Journal) Append(ctx context.Context, entry []byte) error {
	e := j.engine
	if n := len(entry); n < 1 || n > e.options.MaxEntry {
		return fmt.Errorf("sim: %w: it has %d bytes, must have 1 to %d", journal.ErrNotAppended, n, e.options.MaxEntry)
	}
	entry = bytes.Clone(entry)
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := j.admit(ctx, entry); err != nil {
		return err
	}
	e.tick()
	if e.full {
		return fmt.Errorf("sim: %w: %w", journal.ErrNotAppended, journal.ErrFull)
	}
	return e.append(e.draw(), entry)
}

// admit waits until the engine takes an entry. When ctx ends while the engine
// is held, some of the entries that it had taken in appear all the same.
func (j *Journal) admit(ctx context.Context, entry []byte) error {
	e, taken := j.engine, false
	err := ctx.Err()
	for err == nil && j.end == nil && e.held {
		if !taken && e.waiting < MaxWaiting {
			taken = true
			e.waiting++
		}
		err = e.wait(ctx)
	}
	if err != nil && taken && e.held && j.end == nil && e.chance.IntN(2) == 0 {
		e.late = append(e.late, lateEntry{e.calls + 1, entry})
		e.left++
		return fmt.Errorf("%w: %w", ErrUnknown, err)
	}
	if taken {
		e.waiting--
	}
	switch {
	case j.end != nil:
		return fmt.Errorf("sim: %w: %w", journal.ErrNotAppended, j.end)
	case err != nil:
		return fmt.Errorf("sim: %w: %w", journal.ErrNotAppended, err)
	}
	return nil
}

// Follow implements journal.Journal. What yield gets is overwritten when it
// returns, so that whoever keeps it is found out.
func (j *Journal) Follow(ctx context.Context, after polymath.Index, sum journal.Checksum, yield func([]journal.Record) error) error {
	for {
		batch, err := j.next(ctx, after, sum)
		if err != nil {
			return err
		}
		last := batch[len(batch)-1]
		after, sum = last.Index, last.Sum
		if err := yield(batch); err != nil {
			return err
		}
		for i, r := range batch {
			for b := range r.Entry {
				r.Entry[b] ^= 0xa5
			}
			batch[i] = journal.Record{}
		}
	}
}

// next waits for entries after a place and returns copies.
func (j *Journal) next(ctx context.Context, after polymath.Index, sum journal.Checksum) ([]journal.Record, error) {
	e := j.engine
	e.mu.Lock()
	defer e.mu.Unlock()
	for err := ctx.Err(); ; err = e.wait(ctx) {
		if err != nil {
			return nil, err
		}
		if j.end != nil {
			return nil, j.end
		}
		records, err := e.after(after, sum, followRecords)
		if err != nil {
			return nil, err
		}
		if len(records) > 0 {
			records = slices.Clone(records)
			for i := range records {
				records[i].Entry = bytes.Clone(records[i].Entry)
			}
			return records, nil
		}
	}
}

// Tail implements journal.Journal.
func (j *Journal) Tail(context.Context) (polymath.Index, error) {
	e := j.engine
	e.mu.Lock()
	defer e.mu.Unlock()
	if j.end != nil {
		return polymath.Index{}, j.end
	}
	e.tick()
	return e.last().Index, nil
}

// Trim implements journal.Journal. It trims exactly, or not at all.
func (j *Journal) Trim(_ context.Context, upTo polymath.Index) error {
	e := j.engine
	e.mu.Lock()
	defer e.mu.Unlock()
	if j.end != nil {
		return j.end
	}
	if odds := e.options.Odds.IdleTrim; odds == 0 || e.chance.Float64() >= odds {
		e.trim(upTo)
	}
	return nil
}

// Limits implements journal.Journal.
func (j *Journal) Limits() journal.Limits {
	survives := "a crash of the engine, not the end of the process"
	if n := j.engine.options.MaxLoss; n > 0 {
		survives = fmt.Sprintf("nothing: a crash of the engine loses up to %d acknowledged entries", n)
	}
	return journal.Limits{MaxEntry: j.engine.options.MaxEntry, Survives: survives}
}

// Close implements journal.Journal.
func (j *Journal) Close() error {
	e := j.engine
	e.mu.Lock()
	defer e.mu.Unlock()
	if j.end == nil {
		j.end = journal.ErrClosed
		e.open = slices.DeleteFunc(e.open, func(o *Journal) bool { return o == j })
		e.change()
	}
	return nil
}
