package montecarlo

import (
	"encoding/json"
	"math/big"

	"github.com/polymath-run/polymath/internal/number"
)

// places is how many digits behind the point are shown: more than the error
// of the longest job leaves certain.
const places = 12

// answer is the estimate 4 * inside / samples and its standard error
// 4 * sqrt(p * (1-p) / samples), p being inside / samples, computed from whole
// numbers and cut to places. Both are null before the first sample.
func (t tally) answer() (json.RawMessage, error) {
	a := struct {
		Pi      *string        `json:"pi"`
		Error   *string        `json:"error"`
		Samples number.Integer `json:"samples"`
		Inside  number.Integer `json:"inside"`
	}{Samples: number.FromUint64(t.samples), Inside: number.FromUint64(t.inside)}
	if t.samples > 0 {
		pi, deviation := t.estimate()
		a.Pi, a.Error = &pi, &deviation
	}
	return json.Marshal(a)
}

func (t tally) estimate() (pi, deviation string) {
	inside := new(big.Int).SetUint64(t.inside)
	samples := new(big.Int).SetUint64(t.samples)
	scale := new(big.Int).Exp(big.NewInt(10), big.NewInt(places), nil)

	four := new(big.Int).Lsh(inside, 2)
	pi = decimal(four.Mul(four, scale).Quo(four, samples))

	// 16 * inside * (samples-inside) * scale^2 / samples^3, under the root.
	square := new(big.Int).Sub(samples, inside)
	square.Mul(square, inside).Lsh(square, 4)
	square.Mul(square, scale).Mul(square, scale)
	for range 3 {
		square.Quo(square, samples)
	}
	return pi, decimal(square.Sqrt(square))
}

// decimal writes n / 10^places.
func decimal(n *big.Int) string {
	scale := new(big.Int).Exp(big.NewInt(10), big.NewInt(places), nil)
	return new(big.Rat).SetFrac(n, scale).FloatString(places)
}
