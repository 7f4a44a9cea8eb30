package archive

import (
	"bytes"
	"errors"
	"slices"
	"time"

	"github.com/polymath-run/polymath"
	bolt "go.etcd.io/bbolt"
)

// commitAll commits batch after batch until the archive is closed.
func (a *Archive) commitAll() {
	defer close(a.done)
	for {
		switch a.urgency() {
		case idle:
			<-a.due
		case soon:
			a.doze(batchDelay)
			a.commit()
		case later:
			a.doze(retryDelay)
			a.commit()
		case now:
			a.commit()
		case over:
			return
		}
	}
}

// urgency is what the committer should do next.
type urgency int

const (
	idle  urgency = iota // nothing to write: wait for a call
	soon                 // something: wait for more of it
	later                // it failed for now: wait for space
	now
	over
)

func (a *Archive) urgency() urgency {
	a.mu.Lock()
	defer a.mu.Unlock()
	unwritten := a.committing != nil || a.filling.last != a.durable.applied
	switch {
	case a.fatal || a.closed && (!unwritten || a.failure != nil):
		return over
	case a.closed || unwritten && a.flushing > 0 || a.failure == nil && a.filling.isFull():
		return now
	case a.committing != nil:
		return later
	case !a.filling.isEmpty():
		return soon
	default:
		return idle
	}
}

// doze waits for a time, or until somebody wants the committer to look.
func (a *Archive) doze(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-a.due:
	}
}

// commit writes the batch that failed before, or the one being filled.
func (a *Archive) commit() {
	a.mu.Lock()
	if a.committing == nil {
		a.committing = a.filling
		a.filling = a.committing.following()
		a.change()
	}
	b := a.committing
	a.begun++
	a.mu.Unlock()

	var after state
	err := a.store.update(func(tx *bolt.Tx) (err error) {
		after, err = b.write(tx, &a.options)
		return err
	})

	a.mu.Lock()
	defer a.mu.Unlock()
	if a.failure = err; err == nil {
		a.durable, a.committing = after, nil
	}
	a.failed = a.begun
	a.fatal = err != nil && !errors.Is(err, ErrFull)
	a.change()
}

// write puts a batch into a transaction. A transaction whose commit seemed to
// fail may be in the file all the same: then there is nothing left to put.
func (b *batch) write(tx *bolt.Tx, o *Options) (state, error) {
	s, err := loadState(tx)
	if err != nil {
		return s, err
	}
	if s.applied.Compare(b.last) < 0 {
		removed, cannot := b.discards.remove(tx) // before what died after them is put
		letters, _ := layers{b.layer()}.alive()
		err = errors.Join(
			cannot,
			putRuns(tx, b.sorted()),
			put(tx, endedBucket, b.ended),
			put(tx, letterBucket, letters),
			put(tx, eventBucket, b.events),
		)
		s.applied, s.clocks, s.newest = b.last, b.clocks, b.newest
		s.jobs += uint64(len(b.jobs))
		s.letters += uint64(len(letters)) - removed
		s.events += b.told
	}
	p := pruner{tx: tx, state: &s, options: o}
	err = errors.Join(err, p.jobs(len(b.jobs)), p.events(len(b.events)))
	return s, errors.Join(err, s.save(tx))
}

// sorted is the jobs in the order of their ids.
func (b *batch) sorted() []*jobRecord {
	type named struct { // beside each other in memory, which is what sorting is made of
		ref polymath.Ref
		job *jobRecord
	}
	all := make([]named, len(b.jobs))
	for i, r := range b.jobs {
		all[i] = named{r.job.ID.Ref, r}
	}
	slices.SortFunc(all, func(x, y named) int { return x.ref.Compare(y.ref) })
	jobs := make([]*jobRecord, len(all))
	for i := range all {
		jobs[i] = all[i].job
	}
	return jobs
}

// put stores records in the order of their keys, which costs a page a fraction
// of what a random order does.
func put(tx *bolt.Tx, in bucket, records []record) error {
	table := in.of(tx)
	table.FillPercent = fillPercent
	byKey := func(x, y record) int { return bytes.Compare(x.key, y.key) }
	if !slices.IsSortedFunc(records, byKey) {
		records = slices.Clone(records) // readers have the batch, too
		slices.SortFunc(records, byKey)
	}
	for _, r := range records {
		if err := table.Put(r.key, r.value); err != nil {
			return err
		}
	}
	return nil
}
