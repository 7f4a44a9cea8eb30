package remote

import (
	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/function/lines"
)

// CheckOutput implements function.Checker: a call returns one JSON value, a
// list a line with one for each unit, in order. What a range returns is the
// reducer's to read.
func (f Function) CheckOutput(_ []byte, units polymath.Interval, output []byte) error {
	switch f.Kind {
	case Call:
		return checkJSON(output)
	case List:
		return lines.Check(output, units, checkJSON)
	default:
		return nil
	}
}

func checkJSON(value []byte) error {
	if !validJSON(value) {
		return bad("%.80q is no JSON", value)
	}
	return nil
}
