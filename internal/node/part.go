package node

import (
	"math/bits"
	"slices"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/ledger"
)

// PartState is what became of a part of a job's units.
type PartState uint8

// The states of parts.
const (
	PartDone     PartState = iota // merged into the answer
	PartLeased                    // out with a worker
	PartRetry                     // failed, and to be tried again
	PartReturned                  // given back by a worker that did not begin, or left
	PartDead                      // a dead letter
	PartWaiting                   // nobody's yet
	PartUnknown                   // of a job that ended early: nobody kept which units were done
	PartStates                    // how many there are
)

// String is the name of the state.
func (s PartState) String() string {
	return [PartStates + 1]string{"done", "leased", "retry", "returned", "dead", "waiting", "unknown", "?"}[min(s, PartStates)]
}

// Part is a run of a job's units with one state.
type Part struct {
	Interval polymath.Interval
	State    PartState
}

// Parts returns all units of a job as parts in their order, none empty, and no
// two neighbours with the same state. Of very many dead letters only the last
// maxDeadParts are told from done units. The error is NotFound or Gone when
// there is no such job, and TooLarge when it is in too many pieces.
func (n *Node) Parts(id polymath.JobID) ([]Part, error) {
	var p ledger.Parts
	var err error
	n.do(func(c *Core) { p, err = c.ledger.Parts(id) })
	var parts []Part
	dead := p.Dead
	switch {
	case err == nil:
		parts = arrange(&p)
	case polymath.CodeOf(err) != polymath.NotFound:
		return nil, err
	default:
		job, err := n.options.Archive.Job(id)
		if err != nil {
			return nil, err
		}
		dead = job.Dead
		parts = ended(&job)
	}
	if dead == 0 {
		return parts, nil
	}
	units, err := n.deadUnits(id)
	return bury(parts, units), err
}

// ended are the parts of a finished job.
func ended(j *polymath.Job) []Part {
	state := PartUnknown
	if j.State == polymath.Succeeded {
		state = PartDone
	}
	return add(nil, Part{polymath.Interval{To: j.Units}, state})
}

// arrange puts what the ledger knows of a job's units in their order. What it
// does not name, before the cursor, is done, and dead letters are not told
// from it yet.
func arrange(p *ledger.Parts) []Part {
	var known []Part
	for state, intervals := range map[PartState][]polymath.Interval{
		PartLeased: p.Leased, PartRetry: p.Failed, PartReturned: p.Returned,
	} {
		for _, iv := range intervals {
			known = append(known, Part{iv, state})
		}
	}
	slices.SortFunc(known, func(a, b Part) int {
		if a.Interval.From < b.Interval.From {
			return -1
		}
		return 1 // they are disjoint
	})
	var parts []Part
	var at uint64
	for _, k := range known {
		parts = add(parts, Part{polymath.Interval{From: at, To: k.Interval.From}, PartDone})
		parts = add(parts, k)
		at = k.Interval.To
	}
	parts = add(parts, Part{polymath.Interval{From: at, To: p.Cursor}, PartDone})
	return add(parts, Part{polymath.Interval{From: p.Cursor, To: p.Units}, PartWaiting})
}

// add appends a part that begins where the last one ends, unless it is empty.
func add(parts []Part, p Part) []Part {
	last := len(parts) - 1
	switch {
	case p.Interval.Empty():
		return parts
	case last >= 0 && parts[last].State == p.State:
		parts[last].Interval.To = p.Interval.To
		return parts
	default:
		return append(parts, p)
	}
}

// bury marks units that are dead letters, given in their order, where a part
// says no more than that they are over.
func bury(parts []Part, dead []uint64) []Part {
	var out []Part
	for _, p := range parts {
		from := p.Interval.From
		for len(dead) > 0 && dead[0] < p.Interval.To {
			unit := dead[0]
			dead = dead[1:]
			if unit < from || p.State != PartDone && p.State != PartUnknown {
				continue
			}
			out = add(out, Part{polymath.Interval{From: from, To: unit}, p.State})
			out = add(out, Part{polymath.Interval{From: unit, To: unit + 1}, PartDead})
			from = unit + 1
		}
		out = add(out, Part{polymath.Interval{From: from, To: p.Interval.To}, p.State})
	}
	return out
}

// BarBuckets is how many buckets an input bar has at most.
const BarBuckets = 512

// perMille is what the shares of a bucket sum to.
const perMille = 1000

// Shares are how much of a bucket is in each state, in thousandths: each is
// the exact share rounded down or up, and together they are perMille.
type Shares [PartStates]uint16

// Bar draws the parts of a job, all its units, as at most so many buckets of
// equal width, give or take one unit.
func Bar(parts []Part, units uint64, buckets int) []Shares {
	count := min(uint64(max(buckets, 0)), units)
	bar := make([]Shares, count)
	for i := range bar {
		span := polymath.Interval{From: edge(units, uint64(i), count), To: edge(units, uint64(i)+1, count)}
		var in [PartStates]uint64
		for len(parts) > 0 {
			part := parts[0].Interval
			from, to := max(part.From, span.From), min(part.To, span.To)
			in[parts[0].State] += polymath.Interval{From: from, To: to}.Len()
			if part.To > span.To {
				break
			}
			parts = parts[1:]
		}
		bar[i] = share(in, span.Len())
	}
	return bar
}

// edge is units*i/count for an i of at most count, which fits 64 bits.
func edge(units, i, count uint64) uint64 {
	hi, lo := bits.Mul64(units, i)
	q, _ := bits.Div64(hi, lo, count)
	return q
}

// share rounds counts that sum to all by largest remainders.
func share(in [PartStates]uint64, all uint64) Shares {
	var out Shares
	var rest [PartStates]uint64
	left := perMille
	for s, n := range in {
		hi, lo := bits.Mul64(n, perMille)
		q, r := bits.Div64(hi, lo, all)
		out[s], rest[s] = uint16(q), r
		left -= int(q)
	}
	for ; left > 0; left-- {
		most := 0
		for s := range rest {
			if rest[s] > rest[most] {
				most = s
			}
		}
		out[most]++
		rest[most] = 0
	}
	return out
}
