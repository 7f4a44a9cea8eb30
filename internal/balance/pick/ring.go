package pick

import (
	"cmp"
	"fmt"
	"slices"
	"sort"
)

const (
	// DefaultPoints is how many points of the ring one unit of weight gets: a
	// backend's share is within a tenth or so of fair (1/sqrt(160) = 7.9 %).
	DefaultPoints = 160

	// MaxPoints is the most points of one ring: 16 MiB, sorted in a fifth of a
	// second when backends change.
	MaxPoints = 1 << 20

	// DefaultBound is how many percent above the mean a backend's load may be.
	DefaultBound = 25

	// MaxBound is the loosest bound, in percent: ten times the mean.
	MaxBound = 900
)

// Ring is consistent hashing: points of every backend on a circle of hashes; a
// key belongs to the first point at or after it (Karger et al., 1997). A backend
// that comes takes keys and gives none away; those of one that leaves, and only
// those, move to others. The order of the list means nothing.
//
// With a bound it is consistent hashing with bounded loads (Mirrokni, Thorup and
// Zadimoghaddam, 2018): of m requests in flight, with this one, a backend takes
// at most ceil((1 + bound) * m * weight / W). A key whose backend is full goes on
// clockwise to the next that is not. The mean is over the backends that may
// take the request, so that there always is one with room.
type Ring struct {
	list
	roster

	points []point // by hash
	each   int     // points per unit of weight
	bound  int64   // percent; 0 is none
	weight int64   // of the backends that take requests
	total  int64   // requests in flight at those; kept where there is a bound
}

// point is where a backend stands on the circle.
type point struct {
	hash    uint64
	backend int32
}

// NewRing makes a ring with a number of points per unit of weight, where 0 is
// DefaultPoints, and without a bound.
func NewRing(points int) (*Ring, error) {
	if points == 0 {
		points = DefaultPoints
	}
	if points < 1 || points > MaxPoints {
		return nil, fmt.Errorf("pick: a ring of %d points per unit of weight: choose from 1 to %d", points, MaxPoints)
	}
	return &Ring{each: points}, nil
}

// NewBoundedRing is NewRing with a bound in percent above the mean, from 1 to
// MaxBound, where 0 is DefaultBound. Tight bounds send more keys elsewhere.
func NewBoundedRing(points, bound int) (*Ring, error) {
	p, err := NewRing(points)
	if err != nil {
		return nil, err
	}
	if bound == 0 {
		bound = DefaultBound
	}
	if bound < 1 || bound > MaxBound {
		return nil, fmt.Errorf("pick: a bound of %d %% above the mean: choose from 1 to %d", bound, MaxBound)
	}
	p.bound = int64(bound)
	return p, nil
}

// Update implements Policy. Only names and weights move points; who is available
// does not.
func (p *Ring) Update(backends []Backend) error {
	if err := check(backends); err != nil {
		return err
	}
	n := 0
	for i := range backends {
		n += backends[i].Weight * p.each
	}
	if n > MaxPoints {
		return fmt.Errorf("pick: a ring of %d points (%d per unit of weight), at most %d are possible: choose smaller weights, or fewer points", n, p.each, MaxPoints)
	}
	stay := p.samePlaces(backends)
	p.set(backends)
	if !stay {
		p.place(n)
	}
	p.count()
	return nil
}

func (p *Ring) place(n int) {
	p.points = slices.Grow(p.points[:0], n)
	for i, b := range p.backends {
		seed := Hash(b.Name)
		for j := range b.Weight * p.each {
			p.points = append(p.points, point{nth(seed, uint64(j)), int32(i)})
		}
	}
	slices.SortFunc(p.points, func(a, b point) int {
		return cmp.Or(cmp.Compare(a.hash, b.hash),
			cmp.Compare(p.backends[a.backend].Name, p.backends[b.backend].Name))
	})
}

// Mark implements Policy.
func (p *Ring) Mark(i int, available bool) {
	b := &p.backends[i]
	before := b.takes()
	b.Available = available
	if b.takes() == before {
		return
	}
	sign := int64(1)
	if before {
		sign = -1
	}
	p.weight += sign * int64(b.Weight)
	if p.bound > 0 {
		p.loads[i].counted = !before
		p.total += sign * p.loads[i].inFlight
	}
}

// count begins the sums anew.
func (p *Ring) count() {
	for _, l := range p.named {
		l.counted = false
	}
	if p.bound > 0 {
		p.roster.update(p.backends)
	}
	p.weight, p.total = 0, 0
	for i := range p.backends {
		if !p.backends[i].takes() {
			continue
		}
		p.weight += int64(p.backends[i].Weight)
		if p.bound > 0 {
			p.loads[i].counted = true
			p.total += p.loads[i].inFlight
		}
	}
}

// Pick implements Policy.
func (p *Ring) Pick(r Request) int {
	weight, total := p.sums(r.Avoid)
	if weight == 0 {
		return None // without a walk past every point
	}
	n := len(p.points)
	at := sort.Search(n, func(i int) bool { return p.points[i].hash >= r.Key })
	for range n {
		if at >= n {
			at = 0
		}
		i := int(p.points[at].backend)
		if p.eligible(i, r.Avoid) && p.room(i, weight, total) {
			if p.bound > 0 {
				p.loads[i].inFlight++
				p.total++
			}
			return i
		}
		at++
	}
	return None
}

// sums gives weight of the eligible backends and, where there is a bound, the
// requests in flight at them.
func (p *Ring) sums(avoid []int) (weight, total int64) {
	if len(avoid) == 0 {
		return p.weight, p.total
	}
	for i := range p.backends {
		if !p.eligible(i, avoid) {
			continue
		}
		weight += int64(p.backends[i].Weight)
		if p.bound > 0 {
			total += p.loads[i].inFlight
		}
	}
	return weight, total
}

// room compares in flight < (1 + bound) * (total + 1) * weight / W without
// dividing: then with one more it is at most the ceiling of that.
func (p *Ring) room(i int, weight, total int64) bool {
	const percent = 100
	return p.bound == 0 ||
		p.loads[i].inFlight*percent*weight < (percent+p.bound)*(total+1)*int64(p.backends[i].Weight)
}

// Done implements Policy.
func (p *Ring) Done(o Outcome) {
	if p.bound == 0 {
		return
	}
	if l := p.roster.done(&o); l != nil && l.counted {
		p.total--
	}
}
