package prime

import (
	"testing"

	"github.com/polymath-run/polymath/internal/function/functiontest"
)

func TestPrimesConform(t *testing.T) {
	functiontest.Conformance(t, NewPrimes(), functiontest.Samples{
		Inputs: []string{
			`{"from":0,"to":0}`,
			`{"to":2.5e7}`,
			`{"to":"2.5e7","what":"sum"}`,
			`{"from":1e12,"to":1000018000000}`,
			`{"from":"1e15","to":"1000000000070000"}`,
			`{"from":"1e15","to":"1000000000070000","what":"list"}`,
			`{"from":"18446744073709480000","to":"18446744073709551615","what":"sum"}`,
			`{"to":100000,"what":"list"}`,
			`{"to":"2.5e7","what":"twins"}`,
			`{"to":"2.5e7","what":"sextuplets"}`,
			`{"to":"2.5e7","what":"gap"}`,
			`{"from":1e12,"to":1000000002000,"what":"gap"}`,
			`{"from":"18446744073709480000","to":"18446744073709551615","what":"triplets"}`,
			`{"from":"18446744073709480000","to":"18446744073709551615","what":"gap"}`,
		},
		Endless: `{"to":"18446744073709551615"}`,
	})
}

func TestIsPrimeConforms(t *testing.T) {
	functiontest.Conformance(t, IsPrime{}, functiontest.Samples{
		Inputs: []string{`{"n":0}`, `{"numbers":[0,1,2,"3","2^61",1e18,"18446744073709551615"]}`},
	})
}

func FuzzPrimesPlan(f *testing.F) {
	functiontest.Fuzz(f, NewPrimes(), `{"from":5,"to":4}`, `{"to":"2^64"}`, `{"to":1e6,"what":"list"}`, `{"to":-1}`)
}

func FuzzIsPrimePlan(f *testing.F) {
	functiontest.Fuzz(f, IsPrime{}, `{"numbers":[1,2,"3"]}`, `{"n":1,"numbers":[1]}`, `{}`)
}
