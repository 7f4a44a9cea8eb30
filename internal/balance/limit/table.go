package limit

import (
	"hash/maphash"
	"sync"
	"time"
)

// Bounds of a Table.
const (
	// DefaultKeys is how many keys are remembered when nobody says: some 7 MB.
	DefaultKeys = 1 << 16
	// MaxKeys is the most that may be: some 100 MB.
	MaxKeys = 1 << 20

	shards    = 16 // locks, so that forwarders rarely meet at one
	shardBits = 4
	firstKeys = 16 // of a shard, before it grows
)

// Table is the Store of this process. It grows with the keys up to a bound;
// from there on it takes no more memory, and none per request.
//
// Keys are told apart by 64 bits of a hash that is seeded by chance: nobody
// outside can choose keys that meet.
type Table struct {
	seed   maphash.Seed
	shards [shards]shard
}

// identity is what has a Memory of its own.
type identity struct {
	rule Rule
	key  Key
}

// NewTable makes a Store for about so many keys, from 1 to MaxKeys; 0 is
// DefaultKeys. The keys are spread over shards that are full one by one.
func NewTable(keys int) *Table {
	if keys <= 0 {
		keys = DefaultKeys
	}
	each := max((min(keys, MaxKeys)+shards-1)/shards, 1)
	t := &Table{seed: maphash.MakeSeed()}
	for i := range t.shards {
		t.shards[i].most = each
		t.shards[i].newest, t.shards[i].oldest = none, none
	}
	return t
}

// Take implements Store.
func (t *Table) Take(rule *Rule, key Key, now time.Duration) Decision {
	hash := maphash.Comparable(t.seed, identity{*rule, key})
	s := &t.shards[hash>>(64-shardBits)]
	s.mu.Lock()
	defer s.mu.Unlock()
	return rule.Take(s.memory(hash), now)
}

// Usage is how full a Table is.
type Usage struct {
	Keys      int    // remembered now
	Forgotten uint64 // since the start, to make room
}

// Usage reads how full the Table is.
func (t *Table) Usage() Usage {
	var u Usage
	for i := range t.shards {
		s := &t.shards[i]
		s.mu.Lock()
		u.Keys += len(s.entries)
		u.Forgotten += s.forgotten
		s.mu.Unlock()
	}
	return u
}

// none is no entry.
const none = int32(-1)

// shard is a part of the table: an index by open addressing with linear probing
// over entries in a list by their last use. mu guards all of it.
type shard struct {
	mu             sync.Mutex
	most           int
	index          []int32 // entries, or none; a power of two, at most half full
	entries        []entry
	newest, oldest int32
	forgotten      uint64
}

type entry struct {
	hash         uint64
	newer, older int32
	memory       Memory
}

// memory finds the Memory of a key or makes room for it.
func (s *shard) memory(hash uint64) *Memory {
	if len(s.index) == 0 {
		s.grow()
	}
	at := s.find(hash)
	i := s.index[at]
	switch {
	case i != none:
		s.unlink(i)
	case len(s.entries) < s.most:
		if 2*(len(s.entries)+1) > len(s.index) {
			s.grow()
			at = s.find(hash)
		}
		i = int32(len(s.entries))
		s.entries = append(s.entries, entry{hash: hash})
		s.index[at] = i
	default:
		i = s.oldest
		s.unlink(i)
		s.remove(s.find(s.entries[i].hash))
		s.entries[i] = entry{hash: hash}
		s.index[s.find(hash)] = i
		s.forgotten++
	}
	s.link(i)
	return &s.entries[i].memory
}

// find gives the place of a hash in the index, or the free one it belongs to.
func (s *shard) find(hash uint64) int {
	mask := len(s.index) - 1
	at := int(hash) & mask
	for s.index[at] != none && s.entries[s.index[at]].hash != hash {
		at = (at + 1) & mask
	}
	return at
}

// remove frees a place of the index and moves those up that had to give way to
// it (Knuth, The Art of Computer Programming 3, 6.4, algorithm R).
func (s *shard) remove(hole int) {
	mask := len(s.index) - 1
	for at := (hole + 1) & mask; s.index[at] != none; at = (at + 1) & mask {
		home := int(s.entries[s.index[at]].hash) & mask
		if (at-home)&mask >= (at-hole)&mask { // it would be found at the hole, too
			s.index[hole] = s.index[at]
			hole = at
		}
	}
	s.index[hole] = none
}

// grow doubles the index.
func (s *shard) grow() {
	s.index = make([]int32, max(2*len(s.index), 2*firstKeys))
	for i := range s.index {
		s.index[i] = none
	}
	for i := range s.entries {
		s.index[s.find(s.entries[i].hash)] = int32(i)
	}
}

// link makes an entry the newest.
func (s *shard) link(i int32) {
	e := &s.entries[i]
	e.newer, e.older = none, s.newest
	if s.newest != none {
		s.entries[s.newest].newer = i
	} else {
		s.oldest = i
	}
	s.newest = i
}

// unlink takes an entry out of the list.
func (s *shard) unlink(i int32) {
	e := &s.entries[i]
	if e.newer != none {
		s.entries[e.newer].older = e.older
	} else {
		s.newest = e.older
	}
	if e.older != none {
		s.entries[e.older].newer = e.newer
	} else {
		s.oldest = e.newer
	}
}
