package pick

// RoundRobin picks one backend after the other, whatever their weights.
//
// While the backends stay the same, any m requests in a row give each of the k
// that are available floor(m/k) or ceil(m/k) of them.
type RoundRobin struct {
	list

	start int // where the next turn begins to look
}

// NewRoundRobin makes a policy without backends.
func NewRoundRobin() *RoundRobin { return &RoundRobin{} }

// Pick implements Policy.
func (p *RoundRobin) Pick(r Request) int {
	i := p.next(min(p.start, len(p.backends)), r.Avoid)
	if i != None {
		p.start = i + 1
	}
	return i
}
