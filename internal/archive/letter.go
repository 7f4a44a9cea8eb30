package archive

import (
	"bytes"
	"encoding/binary"
	"maps"
	"slices"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/ledger"
	bolt "go.etcd.io/bbolt"
)

// LetterID names a dead letter: a job and the unit.
type LetterID struct {
	Job  polymath.JobID
	Unit uint64
}

// LetterPage is some dead letters, those of the newest job first, and within
// a job from the last unit down.
type LetterPage struct {
	Letters []polymath.DeadLetter
	Next    LetterID // to go on after; zero at the end
}

// LetterFilter chooses dead letters; its zero fields choose all.
type LetterFilter struct {
	Job    polymath.JobID
	Tenant string
	Queue  string
}

func (f LetterFilter) matches(d *polymath.DeadLetter) bool {
	return (f.Tenant == "" || f.Tenant == d.Tenant) && (f.Queue == "" || f.Queue == d.Queue)
}

// span is the beginning of all keys to look at, nil for all keys, and the
// bound they are below, nil for none.
func (f LetterFilter) span(after LetterID) (prefix, below []byte) {
	if !f.Job.IsZero() {
		prefix = appendRef(nil, f.Job.Ref)
		below = append(slices.Clone(prefix), bytes.Repeat([]byte{0xff}, letterSize-refSize+1)...)
	}
	if !after.Job.IsZero() {
		below = appendLetter(nil, after.Job.Ref, after.Unit)
	}
	return prefix, below
}

// DeadLetters returns at most limit (and maxPage) dead letters that come after
// a given one; the zero LetterID begins with the first. With a filter a page
// may be short, or empty, and still have a Next. What a page shows is as of
// one index.
func (a *Archive) DeadLetters(after LetterID, limit int, f LetterFilter) (LetterPage, error) {
	return a.letterPage(a.layers(), after, bound(limit), f)
}

// letterPage reads what is upon the file through layers looked at before.
func (a *Archive) letterPage(upon layers, after LetterID, limit int, f LetterFilter) (page LetterPage, err error) {
	prefix, below := f.span(after)
	err = a.store.view(func(tx *bolt.Tx) error {
		s, err := loadState(tx)
		if err != nil {
			return err
		}
		upon := upon.above(s.applied)
		waiting, fresh := upon.alive()
		var last LetterID
		seen := 0
		for k, v := range descend(letterBucket.of(tx), waiting, below) {
			if !bytes.HasPrefix(k, prefix) {
				break
			}
			if len(page.Letters) == limit || seen == maxScan {
				page.Next = last
				break
			}
			d, err := readLetter(a.options.Shard, k, v)
			if err != nil {
				return err
			}
			seen++
			last = LetterID{d.Job, d.Interval.From}
			if f.matches(&d) && (fresh[last] || !upon.find(discardOf(&d))) {
				page.Letters = append(page.Letters, d)
			}
		}
		return nil
	})
	return page, err
}

// readLetter reads a record of the letters' table.
func readLetter(shard uint8, k, v []byte) (polymath.DeadLetter, error) {
	d := polymath.DeadLetter{Job: polymath.JobID{Shard: shard, Ref: refOf(k)}}
	d.Interval.From = binary.BigEndian.Uint64(k[refSize:])
	err := letterBucket.read(k, v, func(c *coder) { codeLetter(c, &d) })
	return d, err
}

// letter is a dead letter of a batch.
type letter struct {
	record
	id      LetterID
	discard discard // that would let it go
}

// discard names what a command let go of: one letter, or with a zero job all
// of a queue. It must be of the right queue: nobody reaches another's letters.
type discard struct {
	job           polymath.Ref
	unit          uint64
	tenant, queue string
}

// whole is the discard of everything in the same queue.
func (d discard) whole() discard { return discard{tenant: d.tenant, queue: d.queue} }

// discardOf is the discard that lets one letter go.
func discardOf(d *polymath.DeadLetter) discard {
	return discard{job: d.Job.Ref, unit: d.Interval.From, tenant: d.Tenant, queue: d.Queue}
}

// discards is what a batch lets go of: whatever earlier batches put, and of its
// own letters as many, from the first, as there were at that time.
type discards map[discard]int

// find reports whether a letter is let go of, and before which place in the
// batch it must have been put for that.
func (g discards) find(d discard) (before int, found bool) {
	one, found := g[d]
	all, foundAll := g[d.whole()]
	return max(one, all), found || foundAll
}

// discardSize is what a discard counts for in a batch beside its names, in bytes.
const discardSize = 64

// addLetters takes the dead letters of one entry, and what it let go of.
func (b *batch) addLetters(fx *ledger.Effects) {
	var key [letterSize]byte
	before := len(b.letters)
	for i := range fx.Dead {
		d := &fx.Dead[i]
		k := appendLetter(key[:0], d.Job.Ref, d.Interval.From)
		b.letters = append(b.letters, letter{
			record:  b.seal(letterBucket, k, func(c *coder) { codeLetter(c, d) }),
			id:      LetterID{d.Job, d.Interval.From},
			discard: discardOf(d),
		})
	}
	for _, d := range fx.Discarded {
		b.discards[discard{job: d.Job.Ref, unit: d.Unit, tenant: d.Tenant, queue: d.Queue}] = before + d.Older
		b.bytes += discardSize + len(d.Tenant) + len(d.Queue)
	}
}

// remove takes what was let go out of the file and tells how much that was. To
// empty a queue takes a walk through all letters, one for all queues: they are
// few, and emptying is rare.
func (g discards) remove(tx *bolt.Tx) (uint64, error) {
	var gone [][]byte
	table, walk := letterBucket.of(tx), false
	for d := range g {
		if d.job.IsZero() {
			walk = true
		} else if _, all := g[d.whole()]; !all {
			key := appendLetter(nil, d.job, d.unit)
			same, err := d.matches(key, table.Get(key))
			if err != nil {
				return 0, err
			}
			if same {
				gone = append(gone, key)
			}
		}
	}
	if walk {
		for k, v := range oldest(table) {
			d, err := readLetter(0, k, v)
			if err != nil {
				return 0, err
			}
			if _, all := g[discardOf(&d).whole()]; all {
				gone = append(gone, bytes.Clone(k))
			}
		}
	}
	slices.SortFunc(gone, bytes.Compare)
	return uint64(len(gone)), remove(table, gone)
}

// matches reports whether a record, nil for none, is the letter that is let go.
func (d discard) matches(k, v []byte) (bool, error) {
	if v == nil {
		return false, nil
	}
	found, err := readLetter(0, k, v)
	return discardOf(&found) == d, err
}

// layer is what a batch that is not committed says about letters, as of the
// entry it ended with when it was looked at.
type layer struct {
	last     polymath.Index
	letters  []letter
	discards discards
}

// layers are upon each other, the oldest first.
type layers []layer

// layers looks at the batches that are not committed.
func (a *Archive) layers() layers {
	a.mu.Lock()
	defer a.mu.Unlock()
	var all layers
	for _, b := range a.pending() {
		l := b.layer()
		l.discards = maps.Clone(l.discards)
		all = append(all, l)
	}
	return all
}

func (b *batch) layer() layer { return layer{b.last, b.letters, b.discards} }

// above leaves out what a transaction begun later contains: a batch is in it as
// a whole, with what it took since.
func (all layers) above(applied polymath.Index) layers {
	return slices.DeleteFunc(all, func(l layer) bool { return l.last.Compare(applied) <= 0 })
}

// alive are the letters of all layers that were not let go, and their ids.
func (all layers) alive() ([]record, map[LetterID]bool) {
	var records []record
	fresh := make(map[LetterID]bool)
	for n, l := range all {
		for i := range l.letters {
			one := &l.letters[i]
			before, found := l.discards.find(one.discard)
			if found && i < before || all[n+1:].find(one.discard) {
				continue
			}
			records = append(records, one.record)
			fresh[one.id] = true
		}
	}
	return records, fresh
}

// find reports whether a layer lets go of a letter that lies below them all.
func (all layers) find(d discard) bool {
	return slices.ContainsFunc(all, func(l layer) bool {
		_, found := l.discards.find(d)
		return found
	})
}
