package factor

import (
	"context"
	"math/big"
	"time"

	"github.com/polymath-run/polymath/internal/primality"
)

// found is what was found of a number: it is the product of all three.
type found struct {
	primes     []*big.Int // proven
	probable   []*big.Int // prime but for an error of primality.ErrorBound
	composites []*big.Int // not taken apart within the limit
}

// search takes one number apart.
type search struct {
	found
	steps uint64 // how many are left
}

// stepNanos is what a step modulo a number of so many words of 64 bits costs on
// one core of the reference machine (Zen 3).
func stepNanos(words int) uint64 {
	const fixed, perWord, perSquare = 300, 40, 6
	w := uint64(words)
	return fixed + perWord*w + perSquare*w*w
}

// stepsWithin is how many steps modulo n the limit allows.
func stepsWithin(limit time.Duration, n *big.Int) uint64 {
	return uint64(limit) / stepNanos((n.BitLen()+63)/64)
}

// take finds what it can of n > 0.
func take(ctx context.Context, n *big.Int, limit time.Duration) (found, error) {
	s := search{steps: stepsWithin(limit, n)}
	n = s.divide(n)
	open := []*big.Int{n}
	for len(open) > 0 {
		n = open[len(open)-1]
		open = open[:len(open)-1]
		if n.IsUint64() {
			for _, p := range word(n.Uint64()) {
				s.primes = append(s.primes, new(big.Int).SetUint64(p))
			}
			continue
		}
		prime, err := primality.Probable(ctx, n)
		if err != nil {
			return found{}, err
		}
		if prime {
			s.probable = append(s.probable, n)
			continue
		}
		d, err := s.factorOf(ctx, n)
		if err != nil {
			return found{}, err
		}
		if d == nil {
			s.composites = append(s.composites, n)
			continue
		}
		open = append(open, d, new(big.Int).Quo(n, d))
	}
	return s.found, nil
}

// bigTrialLimit is to where factors beyond 64 bits are found by division.
const bigTrialLimit = 1 << 12

// divide takes the small primes out of n and gives the rest.
func (s *search) divide(n *big.Int) *big.Int {
	rest := new(big.Int).Set(n)
	var q, r big.Int
	for p := int64(2); p < bigTrialLimit && !rest.IsUint64(); p += 1 + p&1 {
		prime := big.NewInt(p)
		for {
			if q.QuoRem(rest, prime, &r); r.Sign() != 0 {
				break
			}
			s.primes = append(s.primes, prime)
			rest.Set(&q)
		}
	}
	return rest
}

// factorOf finds a proper factor of an odd composite n, nil if none showed
// within the steps.
func (s *search) factorOf(ctx context.Context, n *big.Int) (*big.Int, error) {
	if root := new(big.Int).Sqrt(n); new(big.Int).Mul(root, root).Cmp(n) == 0 {
		return root, nil // whose factors show all at once, for every c
	}
	for c := int64(1); s.steps > 0; c++ {
		w := walk{search: s, n: n, c: big.NewInt(c)}
		d, err := w.cycle(ctx)
		if d == nil || d.Cmp(n) != 0 {
			return d, err
		}
	}
	return nil, nil
}
