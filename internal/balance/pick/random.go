package pick

import (
	"math/bits"
	"sort"
)

// Random picks by chance, in proportion to weight. Balancers that do not know
// of each other never fall into step with it.
type Random struct {
	list

	upTo []uint64 // weights of the backends that take requests, summed up to each one
}

// NewRandom makes a policy without backends.
func NewRandom() *Random { return &Random{} }

// Update implements Policy.
func (p *Random) Update(backends []Backend) error {
	if err := p.list.Update(backends); err != nil {
		return err
	}
	p.upTo = p.upTo[:0]
	sum := uint64(0)
	for i := range backends {
		if backends[i].takes() {
			sum += uint64(backends[i].Weight)
		}
		p.upTo = append(p.upTo, sum)
	}
	return nil
}

// Pick implements Policy.
func (p *Random) Pick(r Request) int {
	n := len(p.upTo)
	if n == 0 || p.upTo[n-1] == 0 {
		return None
	}
	if len(r.Avoid) > 0 {
		return p.among(r)
	}
	at := scale(r.Random, p.upTo[n-1])
	return sort.Search(n, func(i int) bool { return p.upTo[i] > at })
}

// among picks where some are to be avoided, in proportion among the others.
func (p *Random) among(r Request) int {
	total := uint64(0)
	for i := range p.backends {
		if p.eligible(i, r.Avoid) {
			total += uint64(p.backends[i].Weight)
		}
	}
	at := scale(r.Random, total)
	for i := range p.backends {
		if !p.eligible(i, r.Avoid) {
			continue
		}
		weight := uint64(p.backends[i].Weight)
		if at < weight {
			return i
		}
		at -= weight
	}
	return None
}

// scale brings 64 random bits to [0, n), to within n/2^64 of uniform.
func scale(random, n uint64) uint64 {
	high, _ := bits.Mul64(random, n)
	return high
}
