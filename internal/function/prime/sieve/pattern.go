package sieve

import "encoding/binary"

// block is how many bytes are filled from the patterns at a time.
const block = 1024

// groups are the primes no segment is crossed off by: the multiples of a group
// repeat after as many bytes as the product of its primes, so that they are a
// pattern to copy. Products of some 6 to 10 KB keep all patterns in the
// second-level cache; it is constant.
var groups = [...][3]int{
	{7, 23, 37}, {11, 19, 31}, {13, 17, 29}, {41, 163}, {43, 157}, {47, 151}, {53, 149}, {59, 139},
	{61, 137}, {67, 131}, {71, 127}, {73, 113}, {79, 109}, {83, 107}, {89, 103}, {97, 101},
}

// lastPatterned is the largest prime of the groups: they have all of the wheel
// to it.
const lastPatterned = 163

// pattern is the multiples of one group.
type pattern struct {
	period int
	bytes  []byte // one period and another block, so that a block can begin anywhere
}

func makePatterns() *[len(groups)]pattern {
	var patterns [len(groups)]pattern
	for g, primes := range groups {
		period := 1
		for _, p := range primes {
			period *= max(p, 1)
		}
		bytes := make([]byte, period+block)
		for i := range bytes {
			bytes[i] = 0xff
		}
		for _, p := range primes {
			for _, m := range Wheel {
				if p > 0 {
					carry, mask := p*int(m)/Turn, ^uint8(1<<classOf[p*int(m)%Turn])
					for i := carry; i < len(bytes); i += p {
						bytes[i] &= mask
					}
				}
			}
		}
		patterns[g] = pattern{period: period, bytes: bytes}
	}
	return &patterns
}

// filler fills consecutive blocks from the patterns.
type filler struct {
	patterns *[len(groups)]pattern
	at       [len(groups)]int // where the next block begins in each pattern
	now      [len(groups)]*[block]byte
}

// seek makes the byte base the next block's first.
func (f *filler) seek(base uint64) {
	for g := range f.at {
		f.at[g] = int(base % uint64(f.patterns[g].period))
	}
}

// fill writes the next block: what is in src and no multiple of a group.
func (f *filler) fill(k *kernel, dst, src *[block]byte) {
	for g := range f.patterns {
		p := &f.patterns[g]
		f.now[g] = (*[block]byte)(p.bytes[f.at[g]:])
		f.at[g] += block
		if f.at[g] >= p.period {
			f.at[g] -= p.period
		}
	}
	k.fill(dst, src, f.now[:])
}

func fillPortable(dst, src *[block]byte, patterns []*[block]byte) {
	for len(patterns) >= 4 {
		a, b, c, d := patterns[0], patterns[1], patterns[2], patterns[3]
		for i := 0; i < block; i += 8 {
			w := binary.LittleEndian.Uint64(src[i:i+8]) & binary.LittleEndian.Uint64(a[i:i+8])
			w &= binary.LittleEndian.Uint64(b[i:i+8]) & binary.LittleEndian.Uint64(c[i:i+8])
			binary.LittleEndian.PutUint64(dst[i:i+8], w&binary.LittleEndian.Uint64(d[i:i+8]))
		}
		src, patterns = dst, patterns[4:]
	}
	for _, a := range patterns {
		for i := range dst {
			dst[i] = src[i] & a[i]
		}
		src = dst
	}
}
