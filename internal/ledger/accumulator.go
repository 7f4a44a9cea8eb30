package ledger

import (
	"math/big"
	"slices"
	"strconv"

	"github.com/polymath-run/polymath"
)

// accumulator is the answer of a job while it grows. Which of its fields are
// in use depends on the reducer.
type accumulator struct {
	some   bool    // a number was merged
	number big.Int // count, sum, min, max
	pieces []piece // collect: sorted, disjoint, neighbours joined
	size   int     // bytes in pieces
}

// piece is the joined outputs of a run of units.
type piece struct {
	interval polymath.Interval
	data     []byte
}

// merge adds the output of an interval. An error says that the output is
// none (InvalidArgument) or the answer grew too large (TooLarge); the
// accumulator is as before.
func (a *accumulator) merge(r polymath.Reducer, iv polymath.Interval, output []byte) error {
	if r == polymath.Collect {
		return a.collect(iv, output)
	}
	if len(output) == 0 && (r == polymath.Min || r == polymath.Max) {
		return nil
	}
	x, err := parseNumber(output)
	if err != nil {
		return err
	}
	switch {
	case r == polymath.Count && x.Sign() < 0:
		return polymath.Errorf(polymath.InvalidArgument, "a count cannot be negative")
	case r == polymath.Count || r == polymath.Sum:
		a.number.Add(&a.number, x)
	case !a.some, r == polymath.Min && x.Cmp(&a.number) < 0, r == polymath.Max && x.Cmp(&a.number) > 0:
		a.number.Set(x)
	}
	a.some = true
	return nil
}

// parseNumber reads a whole number in decimal.
func parseNumber(b []byte) (*big.Int, error) {
	if len(b) <= 18 { // digits of every such number fit 64 bits
		if n, err := strconv.ParseInt(string(b), 10, 64); err == nil {
			return big.NewInt(n), nil
		}
	}
	if len(b) > polymath.MaxNumberBytes {
		return nil, polymath.Errorf(polymath.InvalidArgument, "a number of %d bytes is longer than %d", len(b), polymath.MaxNumberBytes)
	}
	digits := b
	if len(digits) > 0 && (digits[0] == '-' || digits[0] == '+') {
		digits = digits[1:]
	}
	if len(digits) == 0 || slices.ContainsFunc(digits, func(c byte) bool { return c < '0' || c > '9' }) {
		return nil, polymath.Errorf(polymath.InvalidArgument, "%.40q is no whole number", b)
	}
	n, _ := new(big.Int).SetString(string(b), 10)
	return n, nil
}

// collect files a copy of the output of an interval in its place.
func (a *accumulator) collect(iv polymath.Interval, output []byte) error {
	if a.size+len(output) > polymath.MaxAccumulatorBytes {
		return polymath.Errorf(polymath.TooLarge, "the answer is larger than %d bytes: ask for less at a time", polymath.MaxAccumulatorBytes)
	}
	a.size += len(output)
	i, _ := slices.BinarySearchFunc(a.pieces, iv.From, func(p piece, from uint64) int {
		if p.interval.From < from {
			return -1
		}
		return 1
	})
	if i > 0 && a.pieces[i-1].interval.To == iv.From {
		i--
		a.pieces[i].interval.To = iv.To
		a.pieces[i].data = append(a.pieces[i].data, output...)
	} else {
		a.pieces = slices.Insert(a.pieces, i, piece{iv, slices.Clone(output)})
	}
	if next := i + 1; next < len(a.pieces) && a.pieces[next].interval.From == iv.To {
		a.pieces[i].interval.To = a.pieces[next].interval.To
		a.pieces[i].data = append(a.pieces[i].data, a.pieces[next].data...)
		a.pieces = slices.Delete(a.pieces, next, next+1)
	}
	return nil
}

// result is the answer so far, in the form of the reducer's outputs. Its bytes
// never change: what is merged later comes after them.
func (a *accumulator) result(r polymath.Reducer) []byte {
	switch r {
	case polymath.Collect:
		if len(a.pieces) == 1 {
			return slices.Clip(a.pieces[0].data)
		}
		all := make([]byte, 0, a.size)
		for _, p := range a.pieces {
			all = append(all, p.data...)
		}
		return all
	case polymath.Min, polymath.Max:
		if !a.some {
			return nil
		}
	}
	return a.number.Append(nil, 10)
}

func (a *accumulator) code(c *coder) {
	c.bool(&a.some)
	if a.some {
		negative, magnitude := a.number.Sign() < 0, a.number.Bytes()
		c.bool(&negative)
		c.bytes(&magnitude, polymath.MaxNumberBytes)
		if c.reading {
			if a.number.SetBytes(magnitude); negative {
				a.number.Neg(&a.number)
			}
		}
	}
	list(c, &a.pieces, maxImageItems, func(p *piece) {
		c.interval(&p.interval)
		c.bytes(&p.data, polymath.MaxAccumulatorBytes)
		if c.reading {
			p.data = slices.Clone(p.data)
			a.size += len(p.data)
		}
	})
}
