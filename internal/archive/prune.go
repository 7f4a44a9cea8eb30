package archive

import (
	"bytes"
	"errors"
	"slices"

	"github.com/polymath-run/polymath"
	bolt "go.etcd.io/bbolt"
)

// Most that one commit removes beyond twice what it adds. What a batch pushes
// out by number goes with it; a day's worth that has become too old at once
// goes step by step, and is hidden from readers until then.
const (
	pruneJobs    = 10_000
	pruneEntries = 10_000 // of events
)

// pruner removes the oldest records within a transaction.
type pruner struct {
	tx      *bolt.Tx
	state   *state
	options *Options
}

// jobs removes finished jobs, entry by entry, while there are too many or the
// oldest are too old. added is how many the transaction has put.
func (p *pruner) jobs(added int) error {
	s := p.state
	var gone [][]byte // keys of ended entries
	var jobs []polymath.Ref
	for k, v := range oldest(endedBucket.of(p.tx)) {
		var r endedRecord
		if err := endedBucket.read(k, v, r.code); err != nil {
			return err
		}
		if s.jobs <= p.options.MaxJobs && r.clock >= s.before || len(jobs) >= 2*added+pruneJobs {
			break
		}
		jobs = append(jobs, r.jobs...)
		s.jobs -= uint64(len(r.jobs))
		s.ended = indexOf(k)
		gone = append(gone, bytes.Clone(k))
	}
	slices.SortFunc(jobs, polymath.Ref.Compare)
	return errors.Join(remove(endedBucket.of(p.tx), gone), removeJobs(p.tx, jobs), p.letters(jobs))
}

// removeJobs takes jobs, in the order of their ids, out of the file.
func removeJobs(tx *bolt.Tx, refs []polymath.Ref) error {
	table := jobBucket.of(tx)
	var gone [][]byte
	var rest []*jobRecord
	for len(refs) > 0 {
		of, n := group(refs[0]), 1
		for n < len(refs) && group(refs[n]) == of {
			n++
		}
		for k, v := range upTo(table, refs[n-1]) {
			r, err := readRun(k, v)
			if err != nil {
				return err
			}
			left := slices.DeleteFunc(slices.Clone(r.jobs), func(j *jobRecord) bool {
				return slices.Contains(refs[:n], j.job.ID.Ref)
			})
			if len(left) == len(r.jobs) {
				continue
			}
			gone = append(gone, bytes.Clone(k))
			for _, j := range left {
				rest = append(rest, &jobRecord{j.clock, j.keep(0)})
			}
		}
		refs = refs[n:]
	}
	if err := remove(table, gone); err != nil {
		return err
	}
	slices.SortFunc(rest, byRef)
	return putRuns(tx, rest)
}

// letters removes the dead letters of jobs.
func (p *pruner) letters(jobs []polymath.Ref) error {
	if p.state.letters == 0 {
		return nil
	}
	var gone [][]byte
	c := letterBucket.of(p.tx).Cursor()
	for _, ref := range jobs {
		key := appendRef(nil, ref)
		for k, _ := c.Seek(key); bytes.HasPrefix(k, key); k, _ = c.Next() {
			gone = append(gone, bytes.Clone(k))
		}
	}
	p.state.letters -= uint64(len(gone))
	return remove(letterBucket.of(p.tx), gone)
}

// events removes events, entry by entry.
func (p *pruner) events(added int) error {
	s, before := p.state, p.state.eventsBefore(p.options)
	var gone [][]byte
	for k, v := range oldest(eventBucket.of(p.tx)) {
		c, err := eventBucket.unseal(k, v)
		if err != nil {
			return err
		}
		var r eventRecord
		told := r.head(c)
		if c.err != nil {
			return c.err
		}
		if s.events <= p.options.MaxEvents && r.clock >= before || len(gone) >= 2*added+pruneEntries {
			break
		}
		s.events -= told
		s.gone.Index, s.gone.N = indexOf(k), uint32(told-1)
		gone = append(gone, bytes.Clone(k))
	}
	return remove(eventBucket.of(p.tx), gone)
}

// oldest yields the records of a table in the order of their keys.
func oldest(b *bolt.Bucket) func(func(k, v []byte) bool) {
	return func(yield func(k, v []byte) bool) {
		c := b.Cursor()
		for k, v := c.First(); k != nil && yield(k, v); k, v = c.Next() {
		}
	}
}

func remove(from *bolt.Bucket, keys [][]byte) error {
	for _, k := range keys {
		if err := from.Delete(k); err != nil {
			return err
		}
	}
	return nil
}
