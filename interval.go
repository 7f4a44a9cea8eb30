package polymath

import "fmt"

// Interval is a run of units [From, To): From is in it, To is not.
// Units are numbered from 0 within a job. The zero Interval is empty.
type Interval struct {
	From, To uint64
}

// Len is the number of units in the interval; 0 when it is empty or reversed.
func (i Interval) Len() uint64 {
	if i.To <= i.From {
		return 0
	}
	return i.To - i.From
}

// Empty reports whether the interval holds no unit.
func (i Interval) Empty() bool { return i.To <= i.From }

// Contains reports whether every unit of o lies in i. An empty o is contained
// in every interval.
func (i Interval) Contains(o Interval) bool {
	return o.Empty() || (i.From <= o.From && o.To <= i.To)
}

// Overlaps reports whether i and o have a unit in common.
func (i Interval) Overlaps(o Interval) bool {
	return !i.Empty() && !o.Empty() && i.From < o.To && o.From < i.To
}

// Split cuts the interval in two after its first n units. An n beyond the
// length gives the whole interval and an empty rest.
func (i Interval) Split(n uint64) (head, rest Interval) {
	n = min(n, i.Len())
	cut := i.From + n
	return Interval{i.From, cut}, Interval{cut, i.To}
}

// Halves cuts the interval in the middle; the first half is the smaller one
// when the length is odd.
func (i Interval) Halves() (first, second Interval) { return i.Split(i.Len() / 2) }

// String prints the interval as [from,to).
func (i Interval) String() string { return fmt.Sprintf("[%d,%d)", i.From, i.To) }
