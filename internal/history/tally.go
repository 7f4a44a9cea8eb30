package history

import (
	"cmp"
	"slices"

	"github.com/polymath-run/polymath/internal/ledger"
)

// MaxFunctions is how many functions are counted by name. Their names come
// from users, who must not be able to fill memory, or a metrics store, with
// them.
const MaxFunctions = 100

// Other is the name under which all further functions are counted.
const Other = "other"

// FunctionCounts are the counts of the jobs of one function. Only those of
// jobs are set: what a lease is for is not among the effects of its end.
type FunctionCounts struct {
	Function string
	Counts   Counts
}

// tally counts by name.
type tally map[string]*Counts

func newTally() tally { return make(tally) }

func (t tally) count(name string, k ledger.EventKind) {
	c := t[name]
	if c == nil {
		if len(t) >= MaxFunctions {
			name = Other
		}
		if c = t[name]; c == nil {
			c = new(Counts)
			t[name] = c
		}
	}
	c.event(k)
}

func (t tally) list() []FunctionCounts {
	out := make([]FunctionCounts, 0, len(t))
	for name, c := range t {
		out = append(out, FunctionCounts{name, *c})
	}
	slices.SortFunc(out, func(a, b FunctionCounts) int { return cmp.Compare(a.Function, b.Function) })
	return out
}
