package verified

import (
	"math/big"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/certificate"
	"github.com/polymath-run/polymath/internal/number"
)

// The methods as a certificate names them. A version changes with the units,
// of which the checksums are made.
const (
	sieveMethod    = "segmented sieve of Eratosthenes"
	sieveVersion   = 1
	formulaMethod  = "Deleglise-Rivat"
	formulaVersion = 1
)

// certificate certifies a tally; nil if units are missing. Methods that
// disagree are an Internal error.
func (w *work) certificate(t *tally) (*certificate.Certificate, error) {
	var sieved uint64
	c := &certificate.Certificate{
		Function: "primes", From: certificate.Integer(w.from), To: certificate.Integer(w.to),
		Sieve:   certificate.Sieve{Method: sieveMethod, Version: sieveVersion},
		Formula: certificate.Formula{Method: formulaMethod, Version: formulaVersion},
	}
	count := new(big.Int)
	for i, p := range w.parts {
		sieved += p.plan.Units
		count.Add(count, t.count(i))
		c.Sieve.Parts = append(c.Sieve.Parts, certificate.Part{
			From: certificate.Integer(p.from), To: certificate.Integer(p.to), Units: certificate.Integer(p.plan.Units),
			Count: number.FromBig(t.count(i)), Checksum: number.FromBig(t.checksum(i)),
		})
	}
	if t.units().Cmp(new(big.Int).SetUint64(sieved)) != 0 {
		return nil, nil
	}
	c.Count = number.FromBig(count)
	for i, p := range w.points {
		answer, err := p.Answer(p.input, []byte(t.point(i).String()))
		if err != nil {
			return nil, err
		}
		if string(answer) == "null" {
			return nil, nil
		}
		var primes number.Integer
		if err := primes.UnmarshalJSON(answer); err != nil {
			return nil, polymath.Errorf(polymath.Internal, "the formula answers %.40s: %w", answer, err)
		}
		c.Formula.Points = append(c.Formula.Points, certificate.Point{X: certificate.Integer(p.to), Primes: primes})
	}
	if err := c.Seal(); err != nil {
		return nil, polymath.Errorf(polymath.Internal, "the two methods disagree, so there is no answer; please report this: %v", err)
	}
	return c, nil
}
