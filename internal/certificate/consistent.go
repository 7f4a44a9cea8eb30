package certificate

import (
	"math/big"

	"github.com/polymath-run/polymath/internal/number"
)

// consistent checks that the parts cover the range once, that they add up to
// the count, and that the formula says the same.
func (c *Certificate) consistent() error {
	from, to, count := c.From.Big(), c.To.Big(), c.Count.Big()
	if from.Sign() < 0 || from.Cmp(to) > 0 || count.Sign() < 0 {
		return bad("a count of %d from %d to %d", count, from, to)
	}
	sieved, err := c.sieved()
	if err != nil {
		return err
	}
	if sieved.Cmp(count) != 0 {
		return bad("its parts add up to %d primes, it says %d", sieved, count)
	}
	found, err := c.found()
	if err != nil {
		return err
	}
	if found.Cmp(count) != 0 {
		return bad("its formula gives %d primes, its sieve %d", found, count)
	}
	return nil
}

// sieved is the sum of the parts.
func (c *Certificate) sieved() (*big.Int, error) {
	if n := len(c.Sieve.Parts); n == 0 || n > MaxParts {
		return nil, bad("it has %d parts: 1 to %d are possible", n, MaxParts)
	}
	sum := new(big.Int)
	next := c.From.Big()
	for i, p := range c.Sieve.Parts {
		if p.From.Big().Cmp(next) != 0 || p.From.Big().Cmp(p.To.Big()) > 0 {
			return nil, bad("part %d goes from %s to %s, where %d should follow", i, p.From.Clip(), p.To.Clip(), next)
		}
		if p.Count.Sign() < 0 || p.Units.Sign() <= 0 || p.Checksum.Sign() < 0 {
			return nil, bad("part %d has a count, units or a checksum below zero", i)
		}
		sum.Add(sum, p.Count.Big())
		next = new(big.Int).Add(p.To.Big(), big.NewInt(1))
	}
	if last := next.Sub(next, big.NewInt(1)); last.Cmp(c.To.Big()) != 0 {
		return nil, bad("its parts end at %d, its range at %s", last, c.To.Clip())
	}
	return sum, nil
}

// found is the difference of the points.
func (c *Certificate) found() (*big.Int, error) {
	expected := []*big.Int{c.To.Big()}
	if c.From.Sign() > 0 {
		expected = append(expected, new(big.Int).Sub(c.From.Big(), big.NewInt(1)))
	}
	if len(c.Formula.Points) != len(expected) {
		return nil, bad("its formula has %d points where %d belong", len(c.Formula.Points), len(expected))
	}
	for i, p := range c.Formula.Points {
		if p.X.Big().Cmp(expected[i]) != 0 {
			return nil, bad("its formula counts to %s where %d belongs", p.X.Clip(), expected[i])
		}
	}
	found := c.Formula.Points[0].Primes.Big()
	if len(expected) > 1 {
		found = new(big.Int).Sub(found, c.Formula.Points[1].Primes.Big())
	}
	return found, nil
}

// Integer makes a number of the certificate.
func Integer(n uint64) number.Integer { return number.FromUint64(n) }
