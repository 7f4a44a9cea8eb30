package pick

import (
	"math/bits"
	"sort"
)

// lottery draws backends that take requests, in proportion to weight.
type lottery struct {
	upTo []uint64 // their weights, summed up to each index; a blank has no width
}

func (l *lottery) update(backends []Backend) {
	l.upTo = l.upTo[:0]
	sum := uint64(0)
	for i := range backends {
		if backends[i].takes() {
			sum += uint64(backends[i].Weight)
		}
		l.upTo = append(l.upTo, sum)
	}
}

// total is the sum of all weights.
func (l *lottery) total() uint64 {
	if len(l.upTo) == 0 {
		return 0
	}
	return l.upTo[len(l.upTo)-1]
}

// find gives the index that a ticket from 0 to total-1 belongs to.
func (l *lottery) find(ticket uint64) int {
	return sort.Search(len(l.upTo), func(i int) bool { return l.upTo[i] > ticket })
}

// two draws an index and another one, in proportion to weight among the rest;
// the same again where there is no rest. The total is above zero.
func (l *lottery) two(random uint64) (a, b int) {
	total := l.total()
	a = l.find(scale(random, total))
	from := uint64(0)
	if a > 0 {
		from = l.upTo[a-1]
	}
	width := l.upTo[a] - from
	if width == total {
		return a, a
	}
	ticket := scale(mix(random), total-width)
	if ticket >= from {
		ticket += width
	}
	return a, l.find(ticket)
}

// scale brings 64 random bits to [0, n), to within n/2^64 of uniform.
func scale(random, n uint64) uint64 {
	high, _ := bits.Mul64(random, n)
	return high
}
