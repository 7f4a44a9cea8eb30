package prime

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"math"
	"math/big"
	"math/bits"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/function"
	"github.com/polymath-run/polymath/internal/function/prime/sieve"
	"github.com/polymath-run/polymath/internal/number"
	"github.com/polymath-run/polymath/internal/primality"
)

// A gap is the distance of a prime from the next one; it belongs to the unit
// its first prime is in, which reads on to the second. The output is
//
//	gap * 2^64 + 2^64-1 - first prime
//
// so that the greatest output is the greatest gap and, of equal ones, the
// first.

// gapFinder finds the largest gap between primes it is shown in order.
type gapFinder struct {
	last  uint64 // the prime before, 0 if there is none
	gap   uint64 // the largest so far
	after uint64 // the prime it comes after
}

// see takes the next prime.
func (f *gapFinder) see(prime uint64) {
	if f.last != 0 && prime-f.last > f.gap {
		f.gap, f.after = prime-f.last, f.last
	}
	f.last = prime
}

// add sees the primes of a segment word by word. Once a gap longer than a word
// was found, the first and the last prime of a word are enough.
func (f *gapFinder) add(g sieve.Segment) {
	const word = 8 // bytes
	for b, base := g.Bytes, g.Base; len(b) > 0; base += word {
		var bytes [word]byte
		b = b[copy(bytes[:], b):]
		w := binary.LittleEndian.Uint64(bytes[:])
		if f.gap >= word*sieve.Turn && w != 0 {
			f.see(numberAt(base, bits.TrailingZeros64(w)))
			f.last = numberAt(base, 63-bits.LeadingZeros64(w))
			continue
		}
		for ; w != 0; w &= w - 1 {
			f.see(numberAt(base, bits.TrailingZeros64(w)))
		}
	}
}

// numberAt is the number of a bit, counted from the byte base.
func numberAt(base uint64, bit int) uint64 {
	return (base+uint64(bit/8))*sieve.Turn + uint64(sieve.Wheel[bit%8])
}

// output is what the finder found, nothing if that is no gap.
func (f *gapFinder) output() []byte {
	if f.gap == 0 {
		return nil
	}
	n := new(big.Int).SetUint64(f.gap)
	n.Lsh(n, 64)
	return n.Or(n, new(big.Int).SetUint64(math.MaxUint64-f.after)).Append(nil, 10)
}

// largestGap is the largest gap that begins in the interval and ends in the
// range.
func (p *Primes) largestGap(ctx context.Context, r request, task function.Task) ([]byte, error) {
	if task.Interval.Empty() {
		return nil, ctx.Err()
	}
	w := r.numbers(task.Interval)
	var f gapFinder
	err := p.visit(ctx, r, task, f.add, f.see)
	if err != nil {
		return nil, err
	}
	for n := w.to; f.last != 0 && n < r.to; {
		if n++; primality.IsPrime(n) {
			f.see(n)
			break
		}
	}
	return f.output(), nil
}

// answerGap writes the largest gap; null where there are not two primes.
func answerGap(accumulator []byte) (json.RawMessage, error) {
	if len(accumulator) == 0 {
		return json.RawMessage("null"), nil
	}
	n, ok := new(big.Int).SetString(string(accumulator), 10)
	if !ok || n.BitLen() <= 64 || n.BitLen() > 128 {
		return nil, polymath.Errorf(polymath.Internal, "the accumulator is no gap")
	}
	gap := new(big.Int).Rsh(n, 64).Uint64()
	after := math.MaxUint64 - n.And(n, new(big.Int).SetUint64(math.MaxUint64)).Uint64()
	return json.Marshal(struct {
		Gap  uint64         `json:"gap"`
		From number.Integer `json:"from"`
		To   number.Integer `json:"to"`
	}{gap, number.FromUint64(after), number.FromUint64(after + gap)})
}
