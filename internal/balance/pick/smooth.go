package pick

// Smooth is nginx's smooth weighted round robin: weights 5, 1, 1 give
// the order aabacaa and not aaaaabc.
//
// Before each pick every backend that may take it earns its weight; the richest
// is picked, and pays what all have earned. So a backend's credit after m picks
// is what it is owed, m * weight / W requests, less those it got, times W. From
// an even start each gets exactly its weight in every W picks, W being the sum
// of the weights, and is never a whole request ahead of its share.
type Smooth struct {
	list

	credit []int64 // of each backend: requests it is owed, times W
}

// NewSmooth makes a policy without backends.
func NewSmooth() *Smooth { return &Smooth{} }

// Update implements Policy. Credit stays with its backend, as far as it is
// within one turn of the new weights: a backend that was heavy is not starved
// for what it got then. Whoever could not be picked has none coming.
func (p *Smooth) Update(backends []Backend) error {
	if err := check(backends); err != nil {
		return err
	}
	credit := make([]int64, len(backends))
	p.carry(credit, backends)
	p.credit = credit
	p.set(backends)
	return nil
}

func (p *Smooth) carry(credit []int64, backends []Backend) {
	old := make(map[string]int64, len(p.backends))
	for i := range p.backends {
		if p.backends[i].takes() {
			old[p.backends[i].Name] = p.credit[i]
		}
	}
	for i := range backends {
		if backends[i].takes() {
			credit[i] = old[backends[i].Name]
		}
	}
	level(credit, backends)
}

// Mark implements Policy.
func (p *Smooth) Mark(i int, available bool) {
	if p.backends[i].Available == available {
		return
	}
	p.list.Mark(i, available)
	p.credit[i] = 0
	level(p.credit, p.backends)
}

// level makes the credits of those that take requests a sum of about zero, each
// within one turn.
func level(credit []int64, backends []Backend) {
	var sum, total, n int64
	for i := range backends {
		if backends[i].takes() {
			sum += credit[i]
			total += int64(backends[i].Weight)
			n++
		}
	}
	for i := range backends {
		if backends[i].takes() {
			credit[i] = min(max(credit[i]-sum/n, -total), total)
		}
	}
}

// Pick implements Policy.
func (p *Smooth) Pick(r Request) int {
	best, total := None, int64(0)
	for i := range p.backends {
		if !p.eligible(i, r.Avoid) {
			continue
		}
		weight := int64(p.backends[i].Weight)
		total += weight
		p.credit[i] += weight
		if best == None || p.credit[i] > p.credit[best] {
			best = i
		}
	}
	if best != None {
		p.credit[best] -= total
	}
	return best
}
