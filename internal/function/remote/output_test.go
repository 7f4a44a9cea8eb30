package remote

import (
	"testing"

	"github.com/polymath-run/polymath"
)

// TestCheckOutput: what makes no answer, or a wrong one, is refused when it is
// reported, not when somebody asks for it. (W9)
func TestCheckOutput(t *testing.T) {
	call, list := Function{Declaration{Name: "f", Kind: Call}}, Function{Declaration{Name: "f", Kind: List}}
	units := polymath.Interval{From: 9, To: 11}
	for _, c := range []struct {
		f      Function
		output string
		fine   bool
	}{
		{call, `{"a": 1}`, true},
		{call, "", false},
		{call, "garbage", false},
		{call, "1 2", false},
		{list, "9 1\n10 [2]\n", true},
		{list, "", false},
		{list, "9 1\n", false},
		{list, "10 2\n9 1\n", false},
		{list, "9 1\n9 1\n", false},
		{list, "9 1\n10 x\n", false},
		{list, "9 1\n10 2", false},
		{list, "9 1\n10 2\n11 3\n", false},
		{list, "9\n10 2\n", false},
		{Function{Declaration{Name: "f", Kind: Range}}, "anything", true},
	} {
		if err := c.f.CheckOutput(nil, units, []byte(c.output)); (err == nil) != c.fine {
			t.Errorf("%s, %q: %v", c.f.Kind, c.output, err)
		}
	}
}
