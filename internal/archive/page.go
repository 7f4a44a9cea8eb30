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
	var below []byte
	if !after.IsZero() {
		below = appendRef(nil, after.Ref)
	}
	waiting := a.waiting(func(b *batch) []record { return b.jobs })
	var page JobPage
	err := a.store.view(func(tx *bolt.Tx) error {
		s, err := loadState(tx)
		if err != nil {
			return err
		}
		seen, size := 0, 0
		for k, v := range descend(jobBucket.of(tx), waiting, below) {
			var r jobRecord
			if err := jobBucket.read(k, v, r.code); err != nil {
				return err
			}
			r.job.ID = polymath.JobID{Shard: s.shard, Ref: refOf(k)}
			if r.clock >= s.before && f.matches(&r.job) {
				page.Jobs = append(page.Jobs, r.job)
			}
			size += len(v)
			if seen++; len(page.Jobs) == limit || seen == maxScan || size >= maxScanBytes {
				page.Next = r.job.ID
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
	waiting := a.waiting(func(b *batch) []record { return b.events })
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
