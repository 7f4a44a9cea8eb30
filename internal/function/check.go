package function

import (
	"github.com/polymath-run/polymath"
)

// Checker is a Function of whose outputs Answer, shown one of them alone, does
// not see all that can be wrong: one that speaks of units that were not its
// own, or that would not add up with others.
type Checker interface {
	// CheckOutput refuses an output of some units, if no answer could be made
	// of the outputs of a job with this one among them. It is as quick as
	// the other methods. What breaks the form of the reducer is the ledger's
	// to refuse.
	CheckOutput(input []byte, units polymath.Interval, output []byte) error
}

// CheckOutput refuses what a worker returned for some units of a job with a
// canonical input, if no answer could be made of it: workers may return
// anything.
func CheckOutput(f Function, input []byte, units polymath.Interval, output []byte) error {
	if c, ok := f.(Checker); ok {
		return c.CheckOutput(input, units, output)
	}
	_, err := f.Answer(input, output)
	return err
}
