package archive

import (
	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/event"
	bolt "go.etcd.io/bbolt"
)

// state is what the archive knows about itself, one record in the file. Every
// commit writes it together with what it speaks of.
type state struct {
	shard   uint8
	applied polymath.Index // everything up to here is contained
	clocks

	jobs, letters, events uint64 // on disk

	ended  polymath.Index // entries up to here have no finished jobs on disk any more
	gone   event.ID       // the newest event that is no longer on disk
	newest event.ID       // the newest event there ever was
}

func (s *state) code(c *coder) {
	small(c, &s.shard)
	c.index(&s.applied)
	c.int(&s.clock)
	c.int(&s.before)
	c.uint(&s.jobs)
	c.uint(&s.letters)
	c.uint(&s.events)
	c.index(&s.ended)
	for _, id := range []*event.ID{&s.gone, &s.newest} {
		small(c, &id.Shard)
		c.index(&id.Index)
		small(c, &id.N)
	}
}

func (s state) save(tx *bolt.Tx) error {
	c := coder{b: begin(nil)}
	s.code(&c)
	stateBucket.seal(stateKey(), c.b)
	return stateBucket.of(tx).Put(stateKey(), c.b)
}

func loadState(tx *bolt.Tx) (s state, err error) {
	err = stateBucket.read(stateKey(), stateBucket.of(tx).Get(stateKey()), s.code)
	return s, err
}

// stateKey is the key of the only record in its table.
func stateKey() []byte { return []byte{'s'} }

// clocks is the archive's notion of time. It is made of entries alone, so that
// replicas agree on it: a proposer's clock may only move it forward, and the
// timekeeper's, which comes with an order to prune, sets it. So the clock of
// an entry is never before an earlier order to prune, and whether something is
// gone depends on its own clock and the latest order, not on when a batch was
// committed.
type clocks struct {
	clock  int64 // Unix milliseconds, see stamp
	before int64 // jobs with an earlier clock are gone, even if still on disk
}

// stamp takes an entry with a proposer's clock and an order to prune, 0 for none.
func (k *clocks) stamp(at, prune, keepJobs int64) {
	k.clock = max(k.clock, at)
	if prune != 0 {
		k.before = max(k.before, prune)
		k.clock = k.before + keepJobs
	}
}

// eventsBefore is the clock before which events are gone: they are kept for
// another time than jobs, by the clock that ordered to prune.
func (s *state) eventsBefore(o *Options) int64 {
	if s.before == 0 {
		return 0
	}
	return s.before + (o.KeepJobs - o.KeepEvents).Milliseconds()
}
