package pick

// Least picks the backend with the fewest requests in flight for its weight:
// the smallest (in flight + 1) / weight, what its load would be with this
// request. Ties go around, so that idle backends take turns.
//
// While no request ends this is the highest-quotient method of D'Hondt: of m
// requests in flight none of the backends has fewer than floor(m * weight / W).
type Least struct {
	list
	roster

	start int // where the next search begins; the first of equals is picked
}

// NewLeast makes a policy without backends.
func NewLeast() *Least { return &Least{} }

// Update implements Policy.
func (p *Least) Update(backends []Backend) error {
	if err := p.list.Update(backends); err != nil {
		return err
	}
	p.roster.update(backends)
	return nil
}

// Pick implements Policy.
func (p *Least) Pick(r Request) int {
	n, best := len(p.backends), None
	i := p.start
	for range n {
		if i >= n {
			i = 0
		}
		if p.eligible(i, r.Avoid) && (best == None || p.lighter(i, best)) {
			best = i
		}
		i++
	}
	if best != None {
		p.loads[best].inFlight++
		p.start = best + 1
	}
	return best
}

// lighter compares (in flight + 1) / weight without dividing.
func (p *Least) lighter(a, b int) bool {
	return (p.loads[a].inFlight+1)*int64(p.backends[b].Weight) <
		(p.loads[b].inFlight+1)*int64(p.backends[a].Weight)
}

// Done implements Policy.
func (p *Least) Done(o Outcome) { p.roster.done(&o) }
