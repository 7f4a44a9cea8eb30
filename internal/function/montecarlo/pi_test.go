package montecarlo

import (
	"testing"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/function/functiontest"
)

func TestConformance(t *testing.T) {
	functiontest.Conformance(t, Pi{}, functiontest.Samples{
		Inputs: []string{
			`{"samples":1}`,
			`{"samples":262144,"seed":0}`,
			`{"samples":262145,"seed":"18446744073709551615"}`,
			`{"samples":"1_000_000","seed":7}`,
		},
		Endless: `{"samples":1e18}`,
	})
}

func FuzzPlan(f *testing.F) {
	functiontest.Fuzz(f, Pi{}, `{"samples":0}`, `{"samples":1e19}`, `{"samples":5,"seed":-1}`)
}

func TestRefusals(t *testing.T) {
	for input, names := range map[string]string{
		`{"samples":0}`:                   `field "samples": 0 is out of range: whole numbers from 1 to 1000000000000000000 are taken`,
		`{"samples":-1}`:                  `field "samples": -1 is out of range: whole numbers from 1 to`,
		`{"samples":"1e18","seed":-1}`:    "seed",
		`{"samples":1000000000000000001}`: "1000000000000000000",
		`{"samples":1,"seed":"2^64"}`:     "seed",
	} {
		functiontest.Refused(t, Pi{}, input, names)
	}
}

// The estimate lies within four standard errors of pi for ten seeds. What is
// drawn is fixed, so this either always holds or never.
func TestEstimateIsPi(t *testing.T) {
	const pi = 3.141592653589793
	const n = 1 << 21
	for seed := range uint64(10) {
		var c tally
		for unit := range uint64(n / block) {
			c.inside += throw(seed, unit, block)
			c.samples += block
		}
		estimate := 4 * float64(c.inside) / float64(c.samples)
		const fourErrors = 4 * 1.6422 / 1448.2 // 4 * sqrt(pi*(4-pi)) / sqrt(n)
		if estimate < pi-fourErrors || estimate > pi+fourErrors {
			t.Errorf("seed %d: %v", seed, estimate)
		}
	}
}

func TestUnitsDrawDifferentPoints(t *testing.T) {
	seen := make(map[uint64]string)
	for seed := range uint64(8) {
		for unit := range uint64(8) {
			seen[throw(seed, unit, block)] = "drawn"
		}
	}
	if len(seen) < 60 {
		t.Errorf("64 blocks gave %d different counts only", len(seen))
	}
}

func TestAnswer(t *testing.T) {
	tests := []struct {
		name string
		tally
		want string
	}{
		{"nothing yet", tally{}, `{"pi":null,"error":null,"samples":0,"inside":0}`},
		{"none inside", tally{4, 0}, `{"pi":"0.000000000000","error":"0.000000000000","samples":4,"inside":0}`},
		{"three of four", tally{4, 3}, `{"pi":"3.000000000000","error":"0.866025403784","samples":4,"inside":3}`},
		{"beyond 2^53", tally{1e18, 785398163397448309}, `{"pi":"3.141592653589","error":"0.000000001642","samples":"1000000000000000000","inside":"785398163397448309"}`},
	}
	for _, tt := range tests {
		var accumulator []byte
		if tt.samples > 0 {
			accumulator = []byte(tt.pack().String())
		}
		got, err := Pi{}.Answer(nil, accumulator)
		if err != nil || string(got) != tt.want {
			t.Errorf("%s: %s, %v, want %s", tt.name, got, err, tt.want)
		}
	}
}

func TestAnswerRefuses(t *testing.T) {
	for _, accumulator := range []string{"x", "-1", "1.5", "340282366920938463463374607431768211456"} {
		if _, err := (Pi{}).Answer(nil, []byte(accumulator)); polymath.CodeOf(err) != polymath.Internal {
			t.Errorf("%s: %v", accumulator, err)
		}
	}
}

func BenchmarkBlock(b *testing.B) {
	for b.Loop() {
		throw(1, 2, block)
	}
}
