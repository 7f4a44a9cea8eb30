// Package pick chooses the backend of a request: the policies of the balancer.
//
// A policy is a state machine of values. Time and randomness come in with the
// request, so that a test can put any history to it and a run can be told
// again; it starts no goroutine, reads no clock, takes no lock (its caller owns
// it, and serializes its calls) and allocates nothing per request.
//
//	health, configuration ──Update──► ┌────────┐
//	request ──────────────────Pick──► │ policy │ ──► index, or None
//	response, error ──────────Done──► └────────┘
//
// DESIGN.md says which policy is for what, and what each promises.
package pick

import (
	"fmt"
	"slices"
	"time"
)

const (
	// MaxBackends is the most backends of one policy: indexes fit in 16 bits,
	// and a walk over all of them takes some tens of microseconds.
	MaxBackends = 4096

	// MaxWeight is the largest weight of a backend. Products of it with all
	// requests in flight fit in 64 bits.
	MaxWeight = 1000
)

// None is what Pick gives when no backend may take the request: all of them are
// unavailable, have weight zero, or were tried. The caller answers 503 then; it
// calls no Done.
const None = -1

// Backend is what a policy knows of one backend.
type Backend struct {
	// Name tells backends apart. What a policy remembers of a backend goes by
	// its name, and so do the places of keys: keep it for as long as the data
	// behind it stays the same.
	Name string

	// Weight is the backend's share in relation to the others, from 0 to
	// MaxWeight. Zero takes no requests: a backend being drained.
	Weight int

	// Number is the server's number in the slot map. No other policy reads it.
	Number uint64

	// Available says whether the backend may be picked now. It is not part of
	// where keys live: they come back when it does.
	Available bool
}

// Request is what a policy knows of one request.
type Request struct {
	// Key is the hash of what should keep the request's place; see Source.
	// Policies that are not by key ignore it.
	Key uint64

	// Random is 64 uniform random bits, fresh for every call.
	Random uint64

	// Now is the time on the caller's monotonic clock, from any beginning.
	Now time.Duration

	// Avoid lists the indexes that this request has tried already, or should
	// not try: a retry, or a hedge. It is short, and nil for most requests.
	Avoid []int
}

// Outcome is how one request ended.
type Outcome struct {
	// Name is the picked backend's. A name outlives an Update, an index does not.
	Name string

	// Index is where it is likely to be in the latest Update: it is looked for
	// there first. It may be wrong.
	Index int

	// Latency is how long the request took, at least 0.
	Latency time.Duration

	// Now is the time on the clock that Request.Now is read from.
	Now time.Duration

	// Failed says that the backend gave no answer of worth.
	Failed bool

	// Abandoned says that nobody waited for the answer any more: the request
	// would have taken at least Latency, and whether it had failed is not known.
	Abandoned bool
}

// Policy is a way to choose. It is not for concurrent use.
type Policy interface {
	// Update takes the backends from now on, as a copy. A backend known by name
	// keeps what the policy remembers of it. On an error, which says what is
	// wrong with the list, the policy goes on with the backends it had.
	Update(backends []Backend) error

	// Mark says whether the backend of an index in the latest Update is available
	// from now on. It is the same as an Update with that changed, and costs no
	// memory and at most a look at each backend.
	Mark(i int, available bool)

	// Pick gives the index of a backend in the latest Update, or None. The
	// backend is available, has a weight above zero, and is not to be avoided.
	Pick(r Request) int

	// Done ends one request that Pick found a backend for. Every such request
	// ends exactly once, also when its backend has been removed meanwhile.
	Done(o Outcome)
}

// list is the part all policies share: the backends, checked and copied.
type list struct {
	backends []Backend
}

// Update implements Policy for those that keep nothing else.
func (l *list) Update(backends []Backend) error {
	if err := check(backends); err != nil {
		return err
	}
	l.set(backends)
	return nil
}

func (l *list) set(backends []Backend) { l.backends = append(l.backends[:0], backends...) }

// Mark implements Policy for those that keep nothing else.
func (l *list) Mark(i int, available bool) { l.backends[i].Available = available }

// Done implements Policy for those that learn nothing from it.
func (*list) Done(Outcome) {}

// eligible reports whether backend i may take the request.
func (l *list) eligible(i int, avoid []int) bool {
	return l.backends[i].takes() && !slices.Contains(avoid, i)
}

// next is the first eligible backend at or after start, around the end.
func (l *list) next(start int, avoid []int) int {
	n := len(l.backends)
	for i := start; i < n; i++ {
		if l.eligible(i, avoid) {
			return i
		}
	}
	for i := range min(start, n) {
		if l.eligible(i, avoid) {
			return i
		}
	}
	return None
}

// samePlaces reports whether the list has the same names, numbers and weights
// in the same order: then keys stay where they are, whoever is available.
func (l *list) samePlaces(backends []Backend) bool {
	if len(l.backends) != len(backends) {
		return false
	}
	for i, b := range backends {
		b.Available = l.backends[i].Available
		if b != l.backends[i] {
			return false
		}
	}
	return true
}

func (b *Backend) takes() bool { return b.Available && b.Weight > 0 }

// check holds a list to the limits.
func check(backends []Backend) error {
	if len(backends) > MaxBackends {
		return fmt.Errorf("pick: %d backends, at most %d are possible: split them over several balancers", len(backends), MaxBackends)
	}
	seen := make(map[string]int, len(backends))
	for i, b := range backends {
		if b.Name == "" {
			return fmt.Errorf("pick: backend %d has no name: give it one", i)
		}
		if b.Weight < 0 || b.Weight > MaxWeight {
			return fmt.Errorf("pick: backend %q has weight %d: choose one from 0 to %d", b.Name, b.Weight, MaxWeight)
		}
		if first, ok := seen[b.Name]; ok {
			return fmt.Errorf("pick: backends %d and %d are both called %q: give each a name of its own", first, i, b.Name)
		}
		seen[b.Name] = i
	}
	return nil
}
