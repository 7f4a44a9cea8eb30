package archive

import (
	"bytes"
	"context"
	"fmt"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/event"
	"github.com/polymath-run/polymath/internal/ledger"
)

// batch is what one commit writes. Its records are made when it is put, so
// that nothing of the ledger's is kept; once it is being committed it does not
// change any more.
type batch struct {
	last   polymath.Index // of the newest entry, also one without effects
	clocks                // after that entry
	newest event.ID       // the newest event so far
	bytes  int            // of keys and values

	jobs          []*jobRecord // in the order of their entries; the bytes of each are in the slab
	ended, events []record     // the same
	letters       []letter     // the same, never changed: only added to
	discards      discards

	place  map[polymath.Ref]*jobRecord // those of jobs that readers have looked through
	placed int                         // how many of jobs that is
	told   uint64                      // how many events are in the records
	block  []jobRecord                 // for the jobs to come
	slab   slab                        // of all these
	coder  coder                       // of the record being made
}

// record is a key and a sealed value.
type record struct{ key, value []byte }

// jobsBlock is how many jobs get memory at once: one list that grows would be
// copied whenever a batch has more of them than the one before.
const jobsBlock = 64

// jobBytes is what a job that waits takes beside its own bytes, of which
// fieldsBytes are counted as part of its record.
const jobBytes = 272

// slab is memory for many small things.
type slab struct{ free []byte }

// slabSize is how much memory is taken at once, in bytes.
const slabSize = 256 << 10

// keep copies bytes to where they stay.
func (s *slab) keep(p []byte) []byte {
	if len(p) > slabSize/8 {
		return bytes.Clone(p)
	}
	if len(p) > len(s.free) {
		s.free = make([]byte, slabSize)
	}
	n := copy(s.free, p)
	kept := s.free[:n:n]
	s.free = s.free[n:]
	return kept
}

// newBatch makes an empty batch to follow one that ended as given.
func newBatch(last polymath.Index, k clocks, newest event.ID) *batch {
	return &batch{last: last, clocks: k, newest: newest, discards: make(discards)}
}

// following makes an empty batch to follow b, which may become as large.
func (b *batch) following() *batch {
	n := newBatch(b.last, b.clocks, b.newest)
	n.jobs, n.ended, n.events = make([]*jobRecord, 0, len(b.jobs)), make([]record, 0, len(b.ended)), make([]record, 0, len(b.events))
	return n
}

// isEmpty reports whether there is nothing to write but the index.
func (b *batch) isEmpty() bool { return b.bytes == 0 }

// isFull reports whether the batch should take no more.
func (b *batch) isFull() bool { return b.bytes >= maxBatchBytes || len(b.jobs) >= maxBatchJobs }

// seal makes a record from a key and the function that codes its fields.
func (b *batch) seal(in bucket, key []byte, code func(*coder)) record {
	c := &b.coder
	*c = coder{b: begin(append(c.b[:0], key...))}
	code(c)
	whole := b.slab.keep(c.b)
	r := record{key: whole[:len(key):len(key)], value: whole[len(key):]}
	in.seal(r.key, r.value)
	b.bytes += len(whole)
	return r
}

// job finds a job, or nil. Most batches are written before anybody asks them for
// one: only then are their jobs looked through. The archive's lock is held.
func (b *batch) job(ref polymath.Ref) *jobRecord {
	if b.place == nil {
		b.place = make(map[polymath.Ref]*jobRecord, len(b.jobs))
	}
	for _, r := range b.jobs[b.placed:] {
		b.place[r.job.ID.Ref] = r
	}
	b.placed = len(b.jobs)
	return b.place[ref]
}

// add takes the effects of one entry.
func (b *batch) add(at polymath.Index, fx *ledger.Effects, keepJobs int64) {
	b.last = at
	b.stamp(fx.At, fx.Prune, keepJobs)
	var key [letterSize]byte
	if fx.Prune != 0 {
		b.bytes++ // it is something to write
	}
	if len(fx.Finished) > 0 {
		ended := endedRecord{clock: b.clock, jobs: make([]polymath.Ref, len(fx.Finished))}
		for i := range fx.Finished {
			j := &fx.Finished[i]
			ended.jobs[i] = j.ID.Ref
			b.addJob(j)
		}
		b.ended = append(b.ended, b.seal(endedBucket, appendIndex(key[:0], at), ended.code))
	}
	b.addLetters(fx)
	if n := len(fx.Events); n > 0 {
		r := eventRecord{clock: b.clock, at: fx.At, events: fx.Events}
		b.events = append(b.events, b.seal(eventBucket, appendIndex(key[:0], at), r.code))
		b.told += uint64(n)
		b.newest.Index, b.newest.N = at, uint32(n-1)
	}
}

// addJob takes a job. Its texts never change; its bytes are the ledger's.
func (b *batch) addJob(j *polymath.Job) {
	if len(b.block) == 0 {
		b.block = make([]jobRecord, jobsBlock)
	}
	r := &b.block[0]
	b.block = b.block[1:]
	b.jobs = append(b.jobs, r)
	r.clock, r.job = b.clock, *j
	r.job.Input, r.job.Result = b.slab.keep(j.Input), b.slab.keep(j.Result)
	b.bytes += jobBytes + r.size()
}

// Room returns once there is room for the effects of another entry, which the
// next Put finds then. It waits while the disk lags behind by two batches. When
// the disk is full it returns an error that wraps ErrFull as soon as there is no
// room in memory either; asking again works once there is space.
func (a *Archive) Room() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.room()
}

// room is Room. a.mu is held, but for while it waits.
func (a *Archive) room() error {
	for a.filling.isFull() || a.closed || a.fatal {
		if a.closed || a.failure != nil {
			return fmt.Errorf("archive: %w", a.refusal())
		}
		if err := a.wait(context.Background()); err != nil {
			return err
		}
	}
	return nil
}

// Put takes the effects of the entry at an index, in the order of the journal,
// and keeps nothing of fx. What it takes is visible to readers at once and
// durable after a Flush. An entry that is contained already changes nothing.
//
// Without Room it waits, or returns what Room does: the entry was not taken, and
// putting it again works once there is space.
func (a *Archive) Put(at polymath.Index, fx *ledger.Effects) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if at.Compare(a.filling.last) <= 0 {
		return nil
	}
	if err := a.room(); err != nil {
		return err
	}
	idle := a.filling.isEmpty()
	a.filling.add(at, fx, a.options.KeepJobs.Milliseconds())
	if idle != a.filling.isEmpty() || a.filling.isFull() {
		a.look()
	}
	return nil
}
