package pick

// Random picks by chance, in proportion to weight. Balancers that do not know
// of each other never fall into step with it.
type Random struct {
	list
	lottery
}

// NewRandom makes a policy without backends.
func NewRandom() *Random { return &Random{} }

// Update implements Policy.
func (p *Random) Update(backends []Backend) error {
	if err := p.list.Update(backends); err != nil {
		return err
	}
	p.lottery.update(backends)
	return nil
}

// Mark implements Policy.
func (p *Random) Mark(i int, available bool) {
	p.list.Mark(i, available)
	p.lottery.update(p.backends)
}

// Pick implements Policy.
func (p *Random) Pick(r Request) int {
	total := p.total()
	switch {
	case total == 0:
		return None
	case len(r.Avoid) > 0:
		return p.among(r)
	default:
		return p.find(scale(r.Random, total))
	}
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
