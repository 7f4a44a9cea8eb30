package disktest

import (
	"math/bits"
	"math/rand/v2"
	"slices"
)

// sectorSize is the unit in which unsynced writes survive, in bytes.
const sectorSize = 512

// inode is the content of one file, twice: as processes see it and as the
// platter has it. They differ only in sectors that are marked.
type inode struct {
	data    []byte
	platter []byte // as long as data or shorter; what is missing was never synced
	dirty   bitset // sectors the next Sync flushes
	lost    bitset // sectors a failed Sync has forgotten: nothing flushes them
}

func (n *inode) clone() *inode {
	return &inode{
		data:    slices.Clone(n.data),
		platter: slices.Clone(n.platter),
		dirty:   slices.Clone(n.dirty),
		lost:    slices.Clone(n.lost),
	}
}

// write puts p at an offset of what processes see.
func (n *inode) write(p []byte, off int64, rng *rand.Rand) {
	end := off + int64(len(p))
	first := off / sectorSize
	if size := int64(len(n.data)); end > size {
		first = min(first, size/sectorSize) // growth changes the gap too
		n.data = append(n.data, make([]byte, end-size)...)
	}
	for s := first; s*sectorSize < end; s++ {
		if n.dirty.has(s) && rng.IntN(4) == 0 {
			n.flush(s)
		}
		n.dirty.set(s)
	}
	copy(n.data[off:], p)
}

// flush copies one sector to the platter.
func (n *inode) flush(s int64) {
	from, to := s*sectorSize, min((s+1)*sectorSize, int64(len(n.data)))
	if grow := to - int64(len(n.platter)); grow > 0 {
		n.platter = append(n.platter, make([]byte, grow)...)
	}
	copy(n.platter[from:to], n.data[from:to])
}

// sync makes every dirty sector durable.
func (n *inode) sync() {
	for s := range n.dirty.all {
		n.flush(s)
		n.lost.clear(s)
	}
	n.dirty = n.dirty[:0]
}

// forget is a Sync that failed: the dirty sectors count as written from now on.
func (n *inode) forget() {
	for s := range n.dirty.all {
		n.lost.set(s)
	}
	n.dirty = n.dirty[:0]
}

// survive returns what the platter holds after power loss: each marked sector
// is old, new or torn, and a file that grew is any length between.
func (n *inode) survive(rng *rand.Rand) *inode {
	size := int64(len(n.platter))
	if grown := int64(len(n.data)) - size; grown > 0 && rng.IntN(3) > 0 {
		size += grown
		if rng.IntN(3) == 0 {
			size -= rng.Int64N(grown)
		}
	}
	after := make([]byte, size)
	copy(after, n.platter)
	for s := int64(0); s*sectorSize < size; s++ {
		if n.dirty.has(s) || n.lost.has(s) {
			from, to := s*sectorSize, min((s+1)*sectorSize, size)
			fresh := from >= int64(len(n.platter))
			settle(after[from:to], n.data[from:to], fresh, rng)
		}
	}
	return &inode{data: after, platter: slices.Clone(after)}
}

// settle decides the fate of one unsynced sector. Only one that was never
// durable (fresh) may become garbage: overwriting mixes old and new bytes.
func settle(sector, written []byte, fresh bool, rng *rand.Rand) {
	switch rng.IntN(4) {
	case 0: // old
	case 1: // new
		copy(sector, written)
	case 2: // torn once, either part first
		cut := rng.IntN(len(sector) + 1)
		if rng.IntN(2) == 0 {
			copy(sector[:cut], written)
		} else {
			copy(sector[cut:], written[cut:])
		}
	case 3: // torn everywhere
		for i := range sector {
			switch {
			case rng.IntN(2) == 0:
				sector[i] = written[i]
			case fresh:
				sector[i] = byte(rng.Uint32())
			}
		}
	}
}

// bitset is a set of small numbers.
type bitset []uint64

func (b bitset) has(i int64) bool {
	return i/64 < int64(len(b)) && b[i/64]>>(i%64)&1 == 1
}

func (b *bitset) set(i int64) {
	for int64(len(*b)) <= i/64 {
		*b = append(*b, 0)
	}
	(*b)[i/64] |= 1 << (i % 64)
}

func (b bitset) clear(i int64) {
	if i/64 < int64(len(b)) {
		b[i/64] &^= 1 << (i % 64)
	}
}

// all yields the members in rising order.
func (b bitset) all(yield func(int64) bool) {
	for i, word := range b {
		for ; word != 0; word &= word - 1 {
			if !yield(int64(i)*64 + int64(bits.TrailingZeros64(word))) {
				return
			}
		}
	}
}
