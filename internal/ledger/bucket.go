package ledger

import (
	"slices"

	"github.com/polymath-run/polymath"
)

// bucketCount is how many parts the jobs are kept in: an image copies one
// part at a time, so that no entry waits for a copy of everything.
const bucketCount = 1024

// bucket is some of the unfinished jobs, by ref.
type bucket struct{ jobs []*job }

func bucketOf(r polymath.Ref) int {
	return int((r.Index.Position + uint64(r.Ordinal)) % bucketCount)
}

func (b *bucket) find(r polymath.Ref) (int, bool) {
	// Jobs come in the order of their refs and mostly go in it.
	if n := len(b.jobs); n == 0 || b.jobs[0].ref == r {
		return 0, n > 0
	} else if b.jobs[n-1].ref.Compare(r) < 0 {
		return n, false
	}
	return slices.BinarySearchFunc(b.jobs, r, func(j *job, r polymath.Ref) int { return j.ref.Compare(r) })
}

// get finds an unfinished job, or nil.
func (l *Ledger) get(r polymath.Ref) *job {
	b := &l.buckets[bucketOf(r)]
	if i, ok := b.find(r); ok {
		return b.jobs[i]
	}
	return nil
}

// put files a job. Refs grow, so that its place is nearly always the end.
func (l *Ledger) put(j *job) {
	n := bucketOf(j.ref)
	l.keep(n)
	b := &l.buckets[n]
	i, _ := b.find(j.ref)
	b.jobs = slices.Insert(b.jobs, i, j)
}

func (l *Ledger) remove(j *job) {
	n := bucketOf(j.ref)
	l.keep(n)
	b := &l.buckets[n]
	switch i, ok := b.find(j.ref); {
	case ok && i == 0:
		b.jobs[0] = nil
		b.jobs = b.jobs[1:]
	case ok:
		b.jobs = slices.Delete(b.jobs, i, i+1)
	}
}

// edit must come before any change to a job: while an image is taken, the
// job's bucket is copied as it was.
func (l *Ledger) edit(j *job) { l.keep(bucketOf(j.ref)) }
