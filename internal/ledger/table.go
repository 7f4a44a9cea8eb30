package ledger

import (
	"github.com/polymath-run/polymath"
)

// Table finds things by their Ref: leases that are out, and what others know of
// them. There is nothing to hash, as refs are numbers that grow, and no moment at
// which all move because there are too many. The zero value is empty.
type Table[T Named] struct {
	buckets [bucketCount]bucket[T]
	count   int
}

// Len is how many there are.
func (t *Table[T]) Len() int { return t.count }

// Get finds what has a ref, or nil.
func (t *Table[T]) Get(r polymath.Ref) T { return t.buckets[bucketOf(r)].get(r) }

// Put files x, in place of what had its ref.
func (t *Table[T]) Put(x T) {
	b := &t.buckets[bucketOf(x.Name())]
	before := len(b.all)
	b.put(x)
	t.count += len(b.all) - before
}

// Remove takes x out, unless another has its ref.
func (t *Table[T]) Remove(x T) {
	if t.buckets[bucketOf(x.Name())].remove(x) {
		t.count--
	}
}
