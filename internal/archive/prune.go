package archive

import (
	"bytes"

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
	s, removed := p.state, 0
	var gone [][]byte // keys of ended entries
	for k, v := range oldest(endedBucket.of(p.tx)) {
		var r endedRecord
		if err := endedBucket.read(k, v, r.code); err != nil {
			return err
		}
		if s.jobs <= p.options.MaxJobs && r.clock >= s.before || removed >= 2*added+pruneJobs {
			break
		}
		removed += len(r.jobs)
		for _, ref := range r.jobs {
			if err := p.job(ref); err != nil {
				return err
			}
		}
		s.ended = indexOf(k)
		gone = append(gone, bytes.Clone(k))
	}
	return remove(endedBucket.of(p.tx), gone)
}

// job removes one job and its dead letters.
func (p *pruner) job(ref polymath.Ref) error {
	key := appendRef(nil, ref)
	if err := jobBucket.of(p.tx).Delete(key); err != nil {
		return err
	}
	p.state.jobs--
	if p.state.letters == 0 {
		return nil
	}
	var gone [][]byte
	c := letterBucket.of(p.tx).Cursor()
	for k, _ := c.Seek(key); bytes.HasPrefix(k, key); k, _ = c.Next() {
		gone = append(gone, bytes.Clone(k))
	}
	p.state.letters -= uint64(len(gone))
	return remove(letterBucket.of(p.tx), gone)
}

// events removes events, entry by entry.
func (p *pruner) events(added int) error {
	s, before := p.state, p.state.eventsBefore(p.options)
	var gone [][]byte
	for k, v := range oldest(eventBucket.of(p.tx)) {
		var r eventRecord
		if err := eventBucket.read(k, v, r.code); err != nil {
			return err
		}
		if s.events <= p.options.MaxEvents && r.clock >= before || len(gone) >= 2*added+pruneEntries {
			break
		}
		s.events -= uint64(len(r.events))
		s.gone.Index, s.gone.N = indexOf(k), uint32(len(r.events)-1)
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
