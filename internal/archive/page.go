package archive

import (
	"bytes"
	"slices"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/event"
	bolt "go.etcd.io/bbolt"
)

// JobPage is some finished jobs, those submitted last first.
type JobPage struct {
	Jobs []polymath.Job
	Next polymath.JobID // to go on after; zero at the end
}

// Jobs returns at most limit (and maxPage) finished jobs that were submitted
// before the job named by after; the zero JobID begins with the newest. With
// a filter, or of large jobs, a page may be short, or empty, and still have a
// Next.
func (a *Archive) Jobs(after polymath.JobID, limit int, f Filter) (JobPage, error) {
	limit = bound(limit)
	var below *polymath.Ref
	if !after.IsZero() {
		below = &after.Ref
	}
	waiting := gather(a, func(b *batch) []*jobRecord { return b.jobs })
	var page JobPage
	err := a.store.view(func(tx *bolt.Tx) error {
		s, err := loadState(tx)
		if err != nil {
			return err
		}
		seen, size := 0, 0
		for r, err := range downFrom(jobBucket.of(tx), waiting, below) {
			if err != nil {
				return err
			}
			if r.clock >= s.before && f.matches(&r.job) {
				page.Jobs = append(page.Jobs, r.keep(s.shard))
			}
			size += r.size()
			if seen++; len(page.Jobs) == limit || seen == maxScan || size >= maxScanBytes {
				page.Next = polymath.JobID{Shard: s.shard, Ref: r.job.ID.Ref}
				break
			}
		}
		return nil
	})
	return page, err
}

// Events returns the events after an ID, oldest first, at most limit (and
// maxPage). gap says that retention removed some between that ID and these.
func (a *Archive) Events(after event.ID, limit int) (events []event.Event, gap bool, err error) {
	limit = bound(limit)
	from := appendIndex(nil, after.Index)
	waiting := gather(a, func(b *batch) []record { return b.events })
	err = a.store.view(func(tx *bolt.Tx) error {
		s, err := loadState(tx)
		if err != nil {
			return err
		}
		before := s.eventsBefore(&a.options)
		gap = after.Compare(s.gone) < 0
		for k, v := range ascend(eventBucket.of(tx), waiting, from) {
			var r eventRecord
			if err := eventBucket.read(k, v, r.code); err != nil {
				return err
			}
			news := r.public(s.shard, indexOf(k))
			if after.Index == indexOf(k) {
				news = news[min(uint64(after.N)+1, uint64(len(news))):]
			}
			if r.clock < before {
				gap = gap || len(news) > 0
				continue
			}
			if events = append(events, news...); len(events) >= limit {
				events = events[:limit]
				break
			}
		}
		return nil
	})
	return events, gap, err
}

// LastEvent is the ID of the newest event put.
func (a *Archive) LastEvent() event.ID {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.filling.newest
}

// bound keeps a page within what one read may cost.
func bound(limit int) int { return max(1, min(limit, maxPage)) }

// downFrom yields the jobs of a table from below an id, nil for all, from the
// last down, with those that are waiting for a commit.
func downFrom(table *bolt.Bucket, waiting []*jobRecord, below *polymath.Ref) func(func(*jobRecord, error) bool) {
	if below != nil {
		waiting = slices.DeleteFunc(waiting, func(r *jobRecord) bool { return r.job.ID.Ref.Compare(*below) >= 0 })
	}
	slices.SortFunc(waiting, byRef)
	return func(yield func(*jobRecord, error) bool) {
		c := table.Cursor()
		k, v := lastUpTo(c, below)
		var all []*jobRecord // of a group, in the order of their ids
		for k != nil || len(waiting) > 0 {
			all = all[:0]
			var of polymath.Ref
			if k != nil {
				of = group(refOf(k))
			}
			for ; k != nil && group(refOf(k)) == of; k, v = c.Prev() {
				r, err := readRun(k, v)
				if err != nil {
					yield(nil, err)
					return
				}
				all = append(all, r.jobs...)
			}
			if below != nil {
				all = slices.DeleteFunc(all, func(r *jobRecord) bool { return r.job.ID.Ref.Compare(*below) >= 0 })
			}
			n, _ := slices.BinarySearchFunc(waiting, of, func(r *jobRecord, ref polymath.Ref) int { return r.job.ID.Ref.Compare(ref) })
			all = append(all, waiting[n:]...)
			waiting = waiting[:n]
			slices.SortFunc(all, byRef)
			all = slices.CompactFunc(all, func(x, y *jobRecord) bool { return x.job.ID.Ref == y.job.ID.Ref })
			for _, r := range slices.Backward(all) {
				if !yield(r, nil) {
					return
				}
			}
		}
	}
}

// lastUpTo goes to the last record of the group of a job, or of an earlier one;
// of all for nil.
func lastUpTo(c *bolt.Cursor, ref *polymath.Ref) (k, v []byte) {
	if ref == nil {
		return c.Last()
	}
	end := group(*ref)
	end.Ordinal += groupJobs - 1
	if k, _ = c.Seek(append(appendRef(nil, end), 0)); k == nil {
		return c.Last()
	}
	return c.Prev()
}

// descend yields the records of a table with keys below a bound, nil for
// none, from the last down, with those that are waiting for a commit.
func descend(table *bolt.Bucket, waiting []record, below []byte) func(func(k, v []byte) bool) {
	waiting = slices.DeleteFunc(waiting, func(r record) bool { return below != nil && bytes.Compare(r.key, below) >= 0 })
	slices.SortFunc(waiting, func(x, y record) int { return bytes.Compare(y.key, x.key) })
	c := table.Cursor()
	return merge(waiting, c.Prev, -1, func() (k, v []byte) {
		if below == nil {
			return c.Last()
		}
		if k, _ = c.Seek(below); k == nil {
			return c.Last()
		}
		return c.Prev()
	})
}

// ascend yields the records of a table from a key on.
func ascend(table *bolt.Bucket, waiting []record, from []byte) func(func(k, v []byte) bool) {
	waiting = slices.DeleteFunc(waiting, func(r record) bool { return bytes.Compare(r.key, from) < 0 })
	c := table.Cursor()
	return merge(waiting, c.Next, 1, func() (k, v []byte) { return c.Seek(from) })
}

// merge yields two sorted sequences as one, records that are in both once.
func merge(waiting []record, next func() (k, v []byte), order int, first func() (k, v []byte)) func(func(k, v []byte) bool) {
	return func(yield func(k, v []byte) bool) {
		k, v := first()
		for k != nil || len(waiting) > 0 {
			ahead := -1 // of the table before what is waiting
			switch {
			case k == nil:
				ahead = 1
			case len(waiting) > 0:
				ahead = order * bytes.Compare(k, waiting[0].key)
			}
			if ahead <= 0 && !yield(k, v) || ahead > 0 && !yield(waiting[0].key, waiting[0].value) {
				return
			}
			if ahead >= 0 {
				waiting = waiting[1:]
			}
			if ahead <= 0 {
				k, v = next()
			}
		}
	}
}
