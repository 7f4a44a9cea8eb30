package prime

import (
	"context"
	"encoding/binary"
	"math/bits"
	"strconv"

	"github.com/polymath-run/polymath/internal/function"
	"github.com/polymath-run/polymath/internal/function/prime/sieve"
	"github.com/polymath-run/polymath/internal/primality"
)

// tuplets are primes as close together as so many can be: their distances from
// the first one. A tuplet is in a range if all of its primes are.
func tuplets(what string) [][]uint64 {
	return map[string][][]uint64{
		twinsOf:       {{0, 2}},
		tripletsOf:    {{0, 2, 6}, {0, 4, 6}},
		quadrupletsOf: {{0, 2, 6, 8}},
		quintupletsOf: {{0, 2, 6, 8, 12}, {0, 4, 6, 10, 12}},
		sextupletsOf:  {{0, 4, 6, 10, 12, 16}},
	}[what]
}

// widest is how far the last prime of a tuplet is from its first.
func widest(tuplets [][]uint64) (most uint64) {
	for _, t := range tuplets {
		most = max(most, t[len(t)-1])
	}
	return most
}

// shape is one way a tuplet lies on the wheel: where it may start in a byte,
// and how many bits on its other primes are. As no tuplet is longer than 16,
// they lie in that byte and the next.
type shape struct {
	starts uint64 // one byte's bits
	ahead  []uint8
}

// shapes lists the ways of some tuplets. Those with 2, 3 or 5 are not on the
// wheel.
func shapes(tuplets [][]uint64) (list []shape) {
	place := make(map[uint64]uint8)
	for i, w := range sieve.Wheel {
		place[uint64(w)] = uint8(i)
		place[uint64(w)+sieve.Turn] = uint8(i + len(sieve.Wheel))
	}
	for _, t := range tuplets {
		for bit, w := range sieve.Wheel {
			s := shape{starts: 1 << bit}
			for _, distance := range t[1:] {
				if p, on := place[uint64(w)+distance]; on {
					s.ahead = append(s.ahead, p-uint8(bit))
				}
			}
			if len(s.ahead) == len(t)-1 {
				list = append(list, s)
			}
		}
	}
	return list
}

// tupletCounter counts tuplets in consecutive segments. The last byte of one
// is looked at with the first of the next.
type tupletCounter struct {
	shapes []shape
	last   byte
	total  uint64
}

// add counts what starts in the byte before the segment and in all but its
// last byte.
func (c *tupletCounter) add(g sieve.Segment) {
	const bytes = 7 // that starts are looked for in, of the eight of a word
	b := g.Bytes
	c.count(uint64(c.last)|uint64(b[0])<<8, 1)
	for ; len(b) > bytes; b = b[bytes:] {
		c.count(binary.LittleEndian.Uint64(b), bytes)
	}
	var rest [8]byte
	copy(rest[:], b)
	c.count(binary.LittleEndian.Uint64(rest[:]), len(b)-1)
	c.last = b[len(b)-1]
}

// finish counts what starts in the last byte of all and is whole.
func (c *tupletCounter) finish() uint64 {
	c.count(uint64(c.last), 1)
	return c.total
}

// count counts the tuplets that start in the first bytes of a word.
func (c *tupletCounter) count(word uint64, bytes int) {
	const everyByte = 0x0101010101010101
	in := everyByte & (uint64(1)<<(8*bytes) - 1)
	for i := range c.shapes {
		s := &c.shapes[i]
		found := word & (s.starts * in)
		for _, n := range s.ahead {
			found &= word >> n
		}
		c.total += uint64(bits.OnesCount64(found))
	}
}

// countTuplets is how many tuplets of the request start in the interval. It
// reads on beyond the interval as far as a tuplet goes.
func (p *Primes) countTuplets(ctx context.Context, r request, task function.Task) ([]byte, error) {
	if task.Interval.Empty() {
		return []byte("0"), ctx.Err()
	}
	list := tuplets(r.what)
	w := r.numbers(task.Interval)
	read := window{w.from, w.to + min(widest(list), r.to-w.to)}
	counter := tupletCounter{shapes: shapes(list)}
	m := meter{task: task, window: w, width: r.width}
	err := visit(ctx, p.sieves, read, m.alive, func(g sieve.Segment) {
		counter.add(g)
		m.see(g)
	})
	if err != nil {
		return nil, err
	}
	total := counter.finish()
	total += startAt(list, w.small(), read.to)
	total -= startAt(list, window{w.to, read.to}.beyond(), read.to)
	return strconv.AppendUint(nil, total, 10), nil
}

// startAt tests how many tuplets start at one of some numbers and end by to.
func startAt(tuplets [][]uint64, starts []uint64, to uint64) (count uint64) {
	for _, start := range starts {
		for _, t := range tuplets {
			whole := true
			for _, distance := range t {
				whole = whole && distance <= to-start && primality.IsPrime(start+distance)
			}
			if whole {
				count++
			}
		}
	}
	return count
}

// beyond lists the numbers of a short window but its first.
func (w window) beyond() (numbers []uint64) {
	for n := w.from; n < w.to; n++ {
		numbers = append(numbers, n+1)
	}
	return numbers
}
