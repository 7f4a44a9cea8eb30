package remote

import (
	"bytes"
	"encoding/json"
	"strconv"

	"github.com/polymath-run/polymath"
)

// CheckOutput refuses what a worker returned for the units of an interval if
// no answer can be made of it, or a wrong one: for a call one JSON value, for a
// list a line with one for each unit, in order. What a range returns is the
// reducer's to read.
func (f Function) CheckOutput(units polymath.Interval, output []byte) error {
	switch f.Kind {
	case Call:
		if !json.Valid(output) {
			return bad("function %s returned what is no JSON: %.80q", f.Name, output)
		}
	case List:
		return f.checkLines(units, output)
	}
	return nil
}

func (f Function) checkLines(units polymath.Interval, output []byte) error {
	unit := units.From
	for ; unit < units.To; unit++ {
		line, rest, ended := bytes.Cut(output, []byte{'\n'})
		label, value, labelled := bytes.Cut(line, []byte{' '})
		if !ended || !labelled || string(label) != strconv.FormatUint(unit, 10) || !json.Valid(value) {
			return bad("function %s returned %.80q, which is no line with the answer of element %d", f.Name, line, unit)
		}
		output = rest
	}
	if len(output) > 0 {
		return bad("function %s returned more than the answers of elements %d to %d: %.80q", f.Name, units.From, units.To-1, output)
	}
	return nil
}
