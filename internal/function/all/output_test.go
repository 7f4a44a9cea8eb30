package all_test

import (
	"encoding/json"
	"testing"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/function"
	"github.com/polymath-run/polymath/internal/function/all"
	"github.com/polymath-run/polymath/internal/function/functiontest"
)

// FuzzOutput lets a worker return anything for all units of each function's
// example: it is refused, or there is an answer.
func FuzzOutput(f *testing.F) {
	set := all.Set(true)
	for i, seed := range []string{"0 3\n", "0 -1/3\n", "78498", "0 y\n", "0 2^3 ?7 !11\n", "\x02\x01\x02\x00", "1e9", "18446744073709551616"} {
		f.Add(uint8(i), []byte(seed))
	}
	f.Fuzz(func(t *testing.T, which uint8, output []byte) {
		if len(output) > polymath.MaxInlineBytes {
			return
		}
		fn, err := set.Get(set.Names()[int(which)%len(set.Names())])
		if err != nil {
			t.Fatal(err)
		}
		canonical, plan, err := fn.Plan([]byte(fn.Describe().Example.Input))
		if err != nil {
			t.Fatal(err)
		}
		if function.CheckOutput(fn, canonical, polymath.Interval{To: plan.Units}, output) != nil {
			return
		}
		merged, err := functiontest.Merge(plan.Reducer, [][]byte{output})
		if err != nil {
			return
		}
		if answer, err := fn.Answer(canonical, merged); err != nil || !json.Valid(answer) {
			t.Errorf("%s: %q was let pass and has no answer: %q, %v", fn.Describe().Name, output, answer, err)
		}
	})
}
