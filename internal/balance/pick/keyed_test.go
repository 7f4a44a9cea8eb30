package pick

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// byKey are the policies that give a key a place.
func byKey() []string { return []string{"ring", "maglev", "rendezvous", "slot-map"} }

// sampleKeys is how many keys a table looks at.
const sampleKeys = 100_000

// places says which backend each of n keys belongs to, by name.
func places(p Policy, backends []Backend, n int) []string {
	out := make([]string, n)
	for key := range out {
		if i := p.Pick(Request{Key: mix(uint64(key))}); i != None {
			out[key] = backends[i].Name
		}
	}
	return out
}

// moves counts keys that changed places, and those that had no reason to: that
// neither left the backend that went, nor came to the one that came.
func moves(before, after []string, went, came string) (all, needless int) {
	for key := range before {
		if before[key] == after[key] {
			continue
		}
		all++
		if before[key] != went && after[key] != came {
			needless++
		}
	}
	return all, needless
}

// TestKeysMoveOnlyToWhoCameAndFromWhoLeft is consistency (L5, L8), exact for all
// but Maglev, which TestMaglevMovesFew holds.
func TestKeysMoveOnlyToWhoCameAndFromWhoLeft(t *testing.T) {
	for _, name := range []string{"ring", "rendezvous", "slot-map"} {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				const keys = 500
				p, backends := small(t, name), fleet(rapid.IntRange(2, 12).Draw(t, "backends"))
				for i := range backends {
					backends[i].Weight = rapid.IntRange(1, 3).Draw(t, "weight")
				}
				x := rapid.IntRange(0, len(backends)-1).Draw(t, "which")
				others := slices.Delete(slices.Clone(backends), x, x+1)
				update(t, p, others)
				without := places(p, others, keys)
				update(t, p, backends)
				with := places(p, backends, keys)
				if _, needless := moves(without, with, "", backends[x].Name); needless > 0 {
					t.Fatalf("%d keys moved between others when %s came", needless, backends[x].Name)
				}
				update(t, p, others)
				if got := places(p, others, keys); !slices.Equal(got, without) {
					t.Fatalf("when %s left again keys were not where they had been", backends[x].Name)
				}
			})
		})
	}
}

// TestKeysComeBack: who is away for a while takes nobody else's keys along, and
// has its own when it is back (D5).
func TestKeysComeBack(t *testing.T) {
	for _, name := range byKey() {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				const keys = 500
				p, backends := small(t, name), fleet(rapid.IntRange(2, 12).Draw(t, "backends"))
				update(t, p, backends)
				before := places(p, backends, keys)
				away := make(map[string]bool)
				for i := range backends[1:] {
					backends[1+i].Available = rapid.Bool().Draw(t, "available")
					away[backends[1+i].Name] = !backends[1+i].Available
				}
				update(t, p, backends)
				for key, place := range places(p, backends, keys) {
					if place != before[key] && !away[before[key]] {
						t.Fatalf("key %d moved from %s, which is there", key, before[key])
					}
				}
				for i := range backends {
					backends[i].Available = true
				}
				update(t, p, backends)
				if after := places(p, backends, keys); !slices.Equal(before, after) {
					t.Fatal("keys did not come back to who came back")
				}
			})
		})
	}
}

// TestPlacesDoNotDependOnOrder: two balancers agree whatever order they heard of
// the backends in. (The slot map does depend on history, and says so.)
func TestPlacesDoNotDependOnOrder(t *testing.T) {
	for _, name := range []string{"ring", "maglev", "rendezvous"} {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				one := weighted(1, 2, 3, 1, 1, 1)
				other := rapid.Permutation(one).Draw(t, "order")
				p, q := small(t, name), small(t, name)
				update(t, p, one)
				update(t, q, one[2:])
				update(t, q, other)
				if !slices.Equal(places(p, one, 500), places(q, other, 500)) {
					t.Fatal("the places of keys depend on the order of the list")
				}
			})
		})
	}
}

// TestMaglevSlots: of M slots a backend of weight w among n has M * w / W, within
// 1 + n * w / W: the last round of turns is cut short.
func TestMaglevSlots(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		backends, total := weights(t)
		p := NewMaglev()
		update(t, p, backends)
		slots := make([]int, len(backends))
		for _, i := range p.table {
			slots[i]++
		}
		for i, b := range backends {
			share := float64(b.Weight) / float64(total)
			if off := math.Abs(float64(slots[i]) - TableSize*share); off > 1+float64(len(backends))*share {
				t.Fatalf("backend %d of share %.4f has %d slots of %d", i, share, slots[i], TableSize)
			}
		}
	})
}

// TestMaglevMovesFew: of the keys that stay with backends that stay, less than
// one in fifty moves needlessly when one of ten or more comes or leaves.
func TestMaglevMovesFew(t *testing.T) {
	for _, n := range []int{10, 50} {
		p, backends := NewMaglev(), fleet(n+1)
		update(t, p, backends[:n])
		before := places(p, backends, sampleKeys)
		update(t, p, backends)
		after := places(p, backends, sampleKeys)
		if _, needless := moves(before, after, "", backends[n].Name); needless > sampleKeys/50 {
			t.Errorf("%d backends and one more: %d of %d keys moved needlessly", n, needless, sampleKeys)
		}
	}
}

// TestRendezvousShares: with weights, shares are in proportion; five standard
// deviations of the binomial distribution are allowed.
func TestRendezvousShares(t *testing.T) {
	p, backends := NewRendezvous(), weighted(1, 2, 3, 10)
	update(t, p, backends)
	got := make(map[string]int)
	for _, place := range places(p, backends, sampleKeys) {
		got[place]++
	}
	for _, b := range backends {
		share := float64(b.Weight) / 16
		if off := math.Abs(float64(got[b.Name]) - share*sampleKeys); off > 5*math.Sqrt(sampleKeys*share*(1-share)) {
			t.Errorf("weight %d of 16 got %d of %d keys", b.Weight, got[b.Name], sampleKeys)
		}
	}
}

// TestHashIsForEver: keys and names keep their places over versions and machines.
func TestHashIsForEver(t *testing.T) {
	if got, want := nth(0, 0), uint64(0xe220a8397b1dcdaf); got != want {
		t.Errorf("the first number of SplitMix64 from seed 0 is %#x, want %#x", got, want)
	}
	d := newDigest()
	d.add('a')
	if got, want := uint64(d), uint64(0xaf63dc4c8601ec8c); got != want {
		t.Errorf("FNV-1a of a is %#x, want %#x", got, want)
	}
	want := map[string][]int{
		"ring":       {4, 4, 1, 1, 1, 4, 4, 3, 3, 1, 4, 4},
		"maglev":     {2, 3, 3, 4, 4, 1, 4, 3, 4, 2, 1, 3},
		"rendezvous": {2, 3, 4, 1, 1, 2, 4, 3, 0, 4, 4, 3},
		"slot-map":   {1, 0, 0, 0, 0, 3, 2, 0, 1, 2, 0, 0},
	}
	for name := range want {
		p, backends := fresh(t, name), fleet(5)
		update(t, p, backends)
		var got []int
		for key := range 12 {
			got = append(got, p.Pick(Request{Key: Hash(fmt.Sprint("key-", key))}))
		}
		if !slices.Equal(got, want[name]) {
			t.Errorf("%s: twelve keys are at %v, want %v", name, got, want[name])
		}
	}
}
