package ledger

import (
	"slices"

	"github.com/polymath-run/polymath"
)

// bucketCount is how many parts the jobs are kept in: an image copies one
// part at a time, so that no entry waits for a copy of everything.
const bucketCount = 1024

// bucketOf is the bucket of what has a ref.
func bucketOf(r polymath.Ref) int {
	return int((r.Index.Position + uint64(r.Ordinal)) % bucketCount)
}

// Named is a pointer to what has a Ref for ever.
type Named interface {
	comparable
	Name() polymath.Ref
}

// Name is the ref of the job.
func (j *job) Name() polymath.Ref { return j.ref }

// Name is the ref of the lease.
func (ls *lease) Name() polymath.Ref { return ls.ref }

// bucket is some things by their refs. Refs grow: what comes goes to the end, and
// mostly what goes leaves the front.
type bucket[T Named] struct{ all []T }

// find is where a ref is or belongs.
func (b *bucket[T]) find(r polymath.Ref) (int, bool) {
	if n := len(b.all); n == 0 || b.all[0].Name() == r {
		return 0, n > 0
	}
	return slices.BinarySearchFunc(b.all, r, func(x T, r polymath.Ref) int { return x.Name().Compare(r) })
}

// get finds what has a ref, or nil.
func (b *bucket[T]) get(r polymath.Ref) (x T) {
	if i, ok := b.find(r); ok {
		x = b.all[i]
	}
	return x
}

// put files x, in place of what had its ref.
func (b *bucket[T]) put(x T) {
	n := len(b.all)
	if n == 0 || b.all[n-1].Name().Compare(x.Name()) < 0 {
		b.all = append(b.all, x)
		return
	}
	if i, ok := b.find(x.Name()); ok {
		b.all[i] = x
	} else {
		b.all = slices.Insert(b.all, i, x)
	}
}

// remove takes out x if it is there.
func (b *bucket[T]) remove(x T) bool {
	i, ok := b.find(x.Name())
	if ok = ok && b.all[i] == x; ok {
		b.all = cut(b.all, i)
	}
	return ok
}

// shortList is what is moved rather than left behind: then a short list never
// needs new room.
const shortList = 32

// cut takes one out of a list. Of a long one the shorter part moves.
func cut[T any](all []T, i int) []T {
	if i >= len(all)/2 || len(all) <= shortList {
		return slices.Delete(all, i, i+1)
	}
	copy(all[1:i+1], all[:i])
	clear(all[:1])
	return all[1:]
}

// get finds an unfinished job, or nil.
func (l *Ledger) get(r polymath.Ref) *job { return l.buckets[bucketOf(r)].get(r) }

// put files a job.
func (l *Ledger) put(j *job) {
	n := bucketOf(j.ref)
	l.keep(n)
	l.buckets[n].put(j)
}

func (l *Ledger) remove(j *job) {
	n := bucketOf(j.ref)
	l.keep(n)
	l.buckets[n].remove(j)
}

// edit must come before any change to a job: while an image is taken, the
// job's bucket is copied as it was.
func (l *Ledger) edit(j *job) { l.keep(bucketOf(j.ref)) }
