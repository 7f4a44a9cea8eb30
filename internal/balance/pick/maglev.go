package pick

import (
	"cmp"
	"slices"
)

const (
	// TableSize is the number of slots of Maglev's table, a prime as the
	// permutations need it: 65537 is the smaller of the paper's two.
	TableSize = 65537

	// maglevProbes is how many other slots a key tries whose backend is away,
	// before it asks the backends one after the other: with half of them away
	// one key in 256 gets so far.
	maglevProbes = 8
)

// Maglev is the hashing of Google's balancer (Eisenbud et al., NSDI 2016): each
// backend has its own permutation of the slots of a table, and in turns they
// claim the next free one of theirs. Looking up is one read, however many
// backends there are, and shares are even to a slot; when backends come or go
// some keys move that did not have to.
//
// A backend that is away keeps its slots, and its keys go elsewhere by their
// hashes until it is back; no other key moves. The order of the list means
// nothing.
type Maglev struct {
	list

	size  uint64   // slots of the table: a prime
	table []uint16 // index of a backend by slot; empty without any
}

// NewMaglev makes a policy without backends.
func NewMaglev() *Maglev { return &Maglev{size: TableSize} }

// Update implements Policy. It takes a few milliseconds where names or weights
// have changed: keep weights steady.
func (p *Maglev) Update(backends []Backend) error {
	stay := p.samePlaces(backends)
	if err := p.list.Update(backends); err != nil {
		return err
	}
	if !stay {
		p.populate()
	}
	return nil
}

// claimant is a backend while the table is filled.
type claimant struct {
	backend int
	at      uint64 // the next slot of its permutation
	skip    uint64 // from there to the one after
	weight  int
	due     int // weights earned, less those its slots have cost
}

func (p *Maglev) claimants() (all []claimant, heaviest int) {
	for i, b := range p.backends {
		if b.Weight == 0 {
			continue
		}
		seed := Hash(b.Name)
		all = append(all, claimant{
			backend: i,
			at:      nth(seed, 0) % p.size,
			skip:    nth(seed, 1)%(p.size-1) + 1,
			weight:  b.Weight,
		})
		heaviest = max(heaviest, b.Weight)
	}
	slices.SortFunc(all, func(a, b claimant) int {
		return cmp.Compare(p.backends[a.backend].Name, p.backends[b.backend].Name)
	})
	return all, heaviest
}

// populate fills the table. In every round a backend earns its weight, and has
// a turn for as much as the heaviest one earns.
func (p *Maglev) populate() {
	const free = MaxBackends
	all, heaviest := p.claimants()
	p.table = p.table[:0]
	if len(all) == 0 {
		return
	}
	p.table = slices.Grow(p.table, int(p.size))[:p.size]
	for slot := range p.table {
		p.table[slot] = free
	}
	for claimed := uint64(0); ; {
		for i := range all {
			c := &all[i]
			c.due += c.weight
			if c.due < heaviest {
				continue
			}
			c.due -= heaviest
			for p.table[c.at] != free {
				c.at = (c.at + c.skip) % p.size
			}
			p.table[c.at] = uint16(c.backend)
			if claimed++; claimed == p.size {
				return
			}
		}
	}
}

// Pick implements Policy.
func (p *Maglev) Pick(r Request) int {
	if len(p.table) == 0 {
		return None
	}
	key := r.Key
	for n := range uint64(maglevProbes) {
		if i := int(p.table[key%p.size]); p.eligible(i, r.Avoid) {
			return i
		}
		key = nth(r.Key, n)
	}
	return p.next(int(scale(key, uint64(len(p.backends)))), r.Avoid)
}
