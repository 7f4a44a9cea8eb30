package prime

import (
	"strings"
	"testing"

	"github.com/polymath-run/polymath/internal/function/functiontest"
)

func TestIsPrimeOfAnySizeConforms(t *testing.T) {
	functiontest.Conformance(t, IsPrime{}, functiontest.Samples{
		Inputs: []string{`{"n":"2^127"}`, `{"numbers":["2^64","18446744073709551629","170141183460469231731687303715884105727"]}`},
	})
}

func TestIsPrimeSaysHowSure(t *testing.T) {
	for in, want := range map[string]string{
		`{"n":"18446744073709551557"}`:                    `true`,
		`{"n":"18446744073709551629"}`:                    `{"probable":true,"error":"4^-20"}`,
		`{"n":"2^128"}`:                                   `false`,
		`{"numbers":["18446744073709551629",7,8,"1e30"]}`: `[{"probable":true,"error":"4^-20"},true,false,false]`,
	} {
		if got := functiontest.Answer(t, IsPrime{}, in); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
}

func TestIsPrimeRefuses(t *testing.T) {
	long := "1" + strings.Repeat("0", MaxDigits)
	for in, names := range map[string]string{
		`{"n":-1}`:              "n",
		`{"numbers":[1,-2]}`:    "numbers[1]",
		`{"n":"` + long + `"}`:  "1000 digits",
		`{"n":1,"numbers":[1]}`: "numbers",
		`{}`:                    "n",
	} {
		functiontest.Refused(t, IsPrime{}, in, names)
	}
}
