package primecount

import "context"

// sweep is the sieve of Eratosthenes on the quotients of n: it knows how many
// numbers up to each n/k survive, and takes out one prime after the other.
// This is the method known as Lucy_Hedgehog's (Project Euler, problem 10), kept
// to odd numbers, and for k to those that survive themselves.
//
//	small[v/2]   odd numbers 3..v that survive, for v up to the root of n
//	rough[k]     the survivors up to the root, 1 first
//	large[k]     odd numbers 3..n/rough[k] that survive
//
// A prime survives itself. Taking out p takes m = p*q with q >= p a survivor,
// of which there are as many as there are survivors q in [p, n/k/p].
type sweep struct {
	n, root uint64
	small   []uint32
	rough   []uint32
	large   []uint64
	struck  []bool // by number/2: a sieve up to the root
	odd     uint64 // how many odd primes are out
}

func newSweep(n uint64) *sweep {
	root := squareRoot(n)
	size := (root + 1) / 2
	s := &sweep{
		n: n, root: root,
		small: make([]uint32, size), rough: make([]uint32, size), large: make([]uint64, size),
		struck: make([]bool, size),
	}
	for i := range s.small {
		k := uint64(2*i + 1)
		s.small[i], s.rough[i], s.large[i] = uint32(i), uint32(k), (n/k-1)/2
	}
	return s
}

// rougher counts the numbers up to n that the first b primes do not divide,
// for b = 0, 1, ... to the number of primes up to the root of n, which come
// with it: phi(n, b). The last of them is pi(n) - b + 1.
func rougher(ctx context.Context, n uint64) (phi []uint64, err error) {
	if n < 4 {
		return []uint64{n}, nil
	}
	phi = []uint64{n, n - n/2}
	s := newSweep(n)
	for p := uint64(3); p*p <= s.root; p += 2 {
		if s.struck[p/2] {
			continue
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		s.takeOut(p)
		phi = append(phi, s.large[0]+1-s.odd)
	}
	return s.finish(ctx, phi)
}

// takeOut takes out the multiples of a prime p up to the fourth root of n.
func (s *sweep) takeOut(p uint64) {
	s.struck[p/2] = true
	for i := p * p; i <= s.root; i += 2 * p {
		s.struck[i/2] = true
	}
	kept := 0
	for j, r := range s.rough {
		k := uint64(r)
		if s.struck[k/2] {
			continue
		}
		var q uint64 // survivors in [3, n/k/p]
		if d := k * p; d <= s.root {
			q = s.large[uint64(s.small[d/2])-s.odd]
		} else {
			q = uint64(s.small[(quotient(s.n, d)-1)/2])
		}
		s.large[kept], s.rough[kept] = s.large[j]-(q-s.odd), r
		kept++
	}
	s.rough, s.large = s.rough[:kept], s.large[:kept]
	i := (s.root - 1) / 2
	for q := (s.root/p - 1) | 1; q >= p; q -= 2 {
		gone := s.small[q/2] - uint32(s.odd)
		for ; i >= q*p/2; i-- {
			s.small[i] -= gone
		}
	}
	s.odd++
}

// finish takes out the primes from the fourth root to the root. The survivors
// are now 1 and primes, and small counts primes for good.
func (s *sweep) finish(ctx context.Context, phi []uint64) ([]uint64, error) {
	for k := 1; k < len(s.rough); k++ {
		if k%rowsPerLook == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		p := uint64(s.rough[k])
		s.large[0] -= s.large[k] - s.odd
		m := s.n / p
		far := m / p
		for j := k + 1; j < len(s.rough); j++ {
			q := uint64(s.rough[j])
			if q > far {
				break
			}
			s.large[j] -= uint64(s.small[(quotient(m, q)-1)/2]) - s.odd
		}
		s.odd++
		phi = append(phi, s.large[0]+1-s.odd)
	}
	return phi, nil
}

// rowsPerLook is how many primes finish takes out between looks at ctx.
const rowsPerLook = 64

// quotient is n / d. The quotient of floats that are exact rounds to no other
// whole number, for 1/(n*d) is more than the rounding, and takes half the time.
func quotient(n, d uint64) uint64 {
	const exact = 1 << 53
	if n < exact {
		return uint64(int64(float64(int64(n)) / float64(int64(d))))
	}
	return n / d
}
