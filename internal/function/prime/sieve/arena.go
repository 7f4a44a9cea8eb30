package sieve

// blockWords is how many words a block of the arena has: 8 KiB. The first one
// is the link to the block before.
const (
	blockWords = 1024
	blockMask  = blockWords - 1
)

// arena is the memory of many lists that grow and empty all the time. A list is
// a cursor: the index of its next free word, 0 if it has none.
//
//	list ──> ┌──────┬───┬───┬───┬┄┄┐      a cursor at the start of a block
//	         │ link │ e │ e │ e │  │      means that the block before is full
//	         └──┼───┴───┴───┴───┴┄┄┘
//	            └──> ┌──────┬───┬───┬───┬───┐
//	                 │  0   │ e │ e │ e │ e │
//	                 └──────┴───┴───┴───┴───┘
//
// Block 0 is never used, so that no cursor of a list with entries is 0.
type arena struct {
	words  []uint64
	mapped [][]byte // what words lie in, or lay in before they grew, if that is not of Go's heap
	free   []uint64 // starts of the blocks that are in no list
}

// reset frees every block.
func (a *arena) reset() {
	if len(a.words) == 0 {
		a.words = make([]uint64, blockWords)
	}
	a.free = a.free[:0]
	for start := len(a.words) - blockWords; start > 0; start -= blockWords {
		a.free = append(a.free, uint64(start))
	}
}

// grow is how many blocks the arena grows by at least: 512 KiB.
const grow = 64

// block begins a block whose link is the cursor of the full list before it.
func (a *arena) block(link uint64) uint64 {
	if len(a.free) == 0 {
		old := len(a.words)
		more := max(grow*blockWords, old/4/blockWords*blockWords)
		words := a.allocate(old + more)
		copy(words, a.words)
		a.words = words // entries that were popped may still be read where they lay
		for start := old + more - blockWords; start >= old; start -= blockWords {
			a.free = append(a.free, uint64(start))
		}
	}
	start := a.free[len(a.free)-1]
	a.free = a.free[:len(a.free)-1]
	a.words[start] = link
	return start + 1
}

// reserve makes room for words at once, on an arena without lists.
func (a *arena) reserve(words uint64) {
	words += words/(blockWords-1) + 2*grow*blockWords
	if words <= uint64(len(a.words)) {
		return
	}
	a.drop()
	a.words = a.allocate(int((words + blockMask) / blockWords * blockWords))
	a.reset()
}

// allocate makes n words, all 0. Go would clear them at once where it used the
// memory before, which takes 50 ms for the longest and cannot be interrupted;
// the system clears each page when it is first touched.
func (a *arena) allocate(n int) []uint64 {
	const wordBytes = 8
	if n > keptWords {
		if mapped := mapMemory(n * wordBytes); mapped != nil {
			a.mapped = append(a.mapped, mapped)
			return wordsOf(mapped)
		}
	}
	return make([]uint64, n)
}

// drop gives the words back.
func (a *arena) drop() {
	for _, mapped := range a.mapped {
		unmapMemory(mapped)
	}
	a.words, a.mapped = nil, nil
}

// keptWords is how long an idle arena may be: 32 MiB. Windows that need more
// take half a second, and fresh memory for them a hundredth of that.
const keptWords = 4 << 20

// shrink gives the memory back if it is long.
func (a *arena) shrink() {
	if len(a.words) > keptWords {
		a.drop()
		*a = arena{}
	}
}

// push appends an entry to a list.
func (a *arena) push(list *uint64, entry uint64) {
	c := *list
	if c%blockWords == 0 {
		c = a.block(c)
	}
	a.words[c] = entry
	*list = c + 1
}

// pop takes the last block off a list. Its entries are good until the next
// call of release(start).
func (a *arena) pop(list *uint64) (start uint64, entries []uint64) {
	end := *list
	start = (end - 1) / blockWords * blockWords
	*list = a.words[start]
	return start, a.words[start+1 : end]
}

// release frees a block.
func (a *arena) release(start uint64) { a.free = append(a.free, start) }
