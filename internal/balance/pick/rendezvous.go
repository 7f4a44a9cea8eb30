package pick

import "math"

// Rendezvous gives a key to the backend with the highest random weight (Thaler
// and Ravishankar, 1998): each backend draws a number from the key and its name,
// and the best draw takes it. With weights the draw is exponential, -ln(u) /
// weight, of which the smallest wins (Schindelhauer and Schomaker, 2005), so that
// shares are exactly in proportion, and a changed weight moves only the keys it
// has to. A pick looks at every backend: for tens of them, not for thousands.
type Rendezvous struct {
	list

	seeds []uint64
	even  bool // all weights are equal, or zero
}

// NewRendezvous makes a policy without backends.
func NewRendezvous() *Rendezvous { return &Rendezvous{} }

// Update implements Policy.
func (p *Rendezvous) Update(backends []Backend) error {
	if err := p.list.Update(backends); err != nil {
		return err
	}
	p.seeds, p.even = p.seeds[:0], true
	weight := 0
	for _, b := range backends {
		p.seeds = append(p.seeds, Hash(b.Name))
		if b.Weight == 0 {
			continue
		}
		if weight != 0 && b.Weight != weight {
			p.even = false
		}
		weight = b.Weight
	}
	return nil
}

// Pick implements Policy.
func (p *Rendezvous) Pick(r Request) int {
	if p.even {
		return p.highest(r)
	}
	best, least, key := None, math.Inf(1), mix(r.Key)
	for i := range p.backends {
		if !p.eligible(i, r.Avoid) {
			continue
		}
		draw := -math.Log(unit(mix(key^p.seeds[i]))) / float64(p.backends[i].Weight)
		if draw < least {
			best, least = i, draw
		}
	}
	return best
}

// highest needs no logarithm: where weights are equal, the order of the draws is
// that of the hashes.
func (p *Rendezvous) highest(r Request) int {
	best, most, key := None, uint64(0), mix(r.Key)
	for i := range p.backends {
		if !p.eligible(i, r.Avoid) {
			continue
		}
		if draw := mix(key ^ p.seeds[i]); best == None || draw > most {
			best, most = i, draw
		}
	}
	return best
}

// unit brings 64 random bits into (0, 1), both ends excluded.
func unit(random uint64) float64 {
	const bits = 53 // of a float64's fraction
	return (float64(random>>(64-bits+1)) + 0.5) / (1 << (bits - 1))
}
