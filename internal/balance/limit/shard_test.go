package limit

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestShard compares a shard with a list of keys in the order of their use,
// with hashes that meet in the index all the time.
func TestShard(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := shard{most: rapid.IntRange(1, 40).Draw(t, "most"), newest: none, oldest: none}
		var used []uint64 // the oldest first
		forgotten := uint64(0)
		for step := range rapid.IntRange(1, 300).Draw(t, "steps") {
			hash := rapid.Uint64Range(0, 7).Draw(t, "low") | rapid.Uint64Range(0, 15).Draw(t, "high")<<32
			m := s.memory(hash)
			known := slices.Contains(used, hash)
			if (m.at != 0) != known {
				t.Fatalf("step %d: key %x is known: %v, want %v", step, hash, m.at != 0, known)
			}
			m.at = 1
			if known {
				used = slices.DeleteFunc(used, func(h uint64) bool { return h == hash })
			} else if len(used) == s.most {
				used = used[1:]
				forgotten++
			}
			used = append(used, hash)
			if len(s.entries) != len(used) || s.forgotten != forgotten {
				t.Fatalf("step %d: %d keys and %d forgotten, want %d and %d", step, len(s.entries), s.forgotten, len(used), forgotten)
			}
			var listed []uint64
			for i := s.oldest; i != none; i = s.entries[i].newer {
				listed = append(listed, s.entries[i].hash)
			}
			if !slices.Equal(listed, used) {
				t.Fatalf("step %d: the order of use is %x, want %x", step, listed, used)
			}
		}
	})
}
