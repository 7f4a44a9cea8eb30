// Package lines is the collected form of answers that belong to one unit
// each: a line "unit value" per unit. A line says itself whose it is, so the
// answers stay in place when a job goes on without a dead unit.
package lines

import (
	"bytes"
	"strconv"

	"github.com/polymath-run/polymath"
)

// Append adds the line of a unit. The value has no newline in it.
func Append(to []byte, unit uint64, value string) []byte {
	to = strconv.AppendUint(to, unit, 10)
	to = append(to, ' ')
	to = append(to, value...)
	return append(to, '\n')
}

// Size is how many bytes the line of a unit takes, for a value of so many.
func Size(unit uint64, value int) int {
	return len(strconv.FormatUint(unit, 10)) + 1 + value + 1
}

// Check refuses an output that is not one line for each of the units, in their
// order, with a value that valid takes.
func Check(data []byte, units polymath.Interval, valid func(value []byte) error) error {
	for unit := units.From; unit < units.To; unit++ {
		line, rest, ended := bytes.Cut(data, []byte{'\n'})
		label, value, labelled := bytes.Cut(line, []byte{' '})
		if !ended || !labelled || string(label) != strconv.FormatUint(unit, 10) {
			return polymath.Errorf(polymath.InvalidArgument, "%.80q is no line with the answer of element %d", line, unit)
		}
		if err := valid(value); err != nil {
			return polymath.Errorf(polymath.InvalidArgument, "element %d: %w", unit, err)
		}
		data = rest
	}
	if len(data) > 0 {
		return polymath.Errorf(polymath.InvalidArgument, "more than the answers of elements %d to %d: %.80q", units.From, units.To-1, data)
	}
	return nil
}

// Read gives the value of each of the units of a job; "" for one that has no
// line. What Append never wrote is an Internal error.
func Read(data []byte, units uint64) ([]string, error) {
	values := make([]string, units)
	for len(data) > 0 {
		line, rest, ended := bytes.Cut(data, []byte{'\n'})
		label, value, labelled := bytes.Cut(line, []byte{' '})
		unit, err := strconv.ParseUint(string(label), 10, 64)
		if !ended || !labelled || err != nil || unit >= units {
			return nil, polymath.Errorf(polymath.Internal, "line %.40q is no answer of one of %d units", line, units)
		}
		values[unit] = string(value)
		data = rest
	}
	return values, nil
}
