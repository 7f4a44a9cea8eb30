package prime

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"strconv"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/function"
	"github.com/polymath-run/polymath/internal/function/prime/sieve"
)

// A unit that has primes collects, as unsigned varints, its first prime, the
// distances from prime to prime, and a 0. A distance is one byte as a rule,
// and a unit does not need the one before it, so that the list is right, if
// not whole, without a dead unit.

// list is the collected primes of the interval.
func (p *Primes) list(ctx context.Context, r request, task function.Task) ([]byte, error) {
	var out []byte
	for unit := task.Interval.From; unit < task.Interval.To; unit++ {
		w := r.numbers(polymath.Interval{From: unit, To: unit + 1})
		var previous uint64
		take := func(prime uint64) {
			out = binary.AppendUvarint(out, prime-previous)
			previous = prime
		}
		for _, prime := range w.small() {
			take(prime)
		}
		alive := func() { task.Progress(unit - task.Interval.From) }
		err := visit(ctx, p.sieves, w, alive, func(g sieve.Segment) { g.Each(take) })
		if err != nil {
			return nil, err
		}
		if previous != 0 {
			out = append(out, 0)
		}
		task.Progress(unit + 1 - task.Interval.From)
	}
	if len(out) > polymath.MaxInlineBytes {
		return nil, polymath.Errorf(polymath.TooLarge, "the list takes %d bytes, more than %d: narrow the range",
			len(out), polymath.MaxInlineBytes)
	}
	return out, ctx.Err()
}

// answerList writes collected primes as a JSON array; those beyond 2^53 are
// strings.
func answerList(collected []byte) (json.RawMessage, error) {
	const exact = 1 << 53
	out := []byte{'['}
	var prime uint64
	for len(collected) > 0 {
		distance, n := binary.Uvarint(collected)
		if n <= 0 {
			return nil, polymath.Errorf(polymath.Internal, "the collected primes end within a number")
		}
		collected = collected[n:]
		if distance == 0 {
			prime = 0
			continue
		}
		prime += distance
		if len(out) > 1 {
			out = append(out, ',')
		}
		if prime > exact {
			out = append(strconv.AppendUint(append(out, '"'), prime, 10), '"')
		} else {
			out = strconv.AppendUint(out, prime, 10)
		}
	}
	return append(out, ']'), nil
}
