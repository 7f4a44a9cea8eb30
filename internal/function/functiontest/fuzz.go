package functiontest

import (
	"bytes"
	"testing"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/function"
)

// Fuzz gives Plan arbitrary inputs of a size a caller lets through: it refuses
// or makes a valid plan whose canonical input plans as itself.
func Fuzz(f *testing.F, fn function.Function, seeds ...string) {
	f.Add([]byte(fn.Describe().Example.Input))
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > polymath.MaxInlineBytes {
			return
		}
		canonical, plan, err := fn.Plan(data)
		if err != nil {
			if !refusal(err) || len(err.Error()) > maxErrorText {
				t.Fatalf("code %v, %d bytes: %v", polymath.CodeOf(err), len(err.Error()), err)
			}
			return
		}
		if err := ValidPlan(canonical, plan); err != nil {
			t.Fatal(err)
		}
		again, samePlan, err := fn.Plan(canonical)
		if err != nil || !bytes.Equal(canonical, again) || !equalPlans(plan, samePlan) {
			t.Fatalf("canonical %s became %s: %v", canonical, again, err)
		}
		if _, err := fn.Answer(canonical, nil); err != nil {
			t.Fatalf("the answer before the first output: %v", err)
		}
	})
}
