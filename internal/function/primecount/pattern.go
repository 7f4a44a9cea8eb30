package primecount

import (
	"encoding/binary"
	"math/bits"
)

// The first of the primes are taken out by a pattern that repeats: of its 17017
// bytes every copy serves 510510 numbers.
const (
	patterned     = 7 // how many primes: 2, 3, 5, 7, 11, 13 and 17
	patternBytes  = 7 * 11 * 13 * 17
	period        = patternBytes * turn
	perPeriod     = 1 * 2 * 4 * 6 * 10 * 12 * 16 // numbers that are left in a period
	smallestSieve = 19                           // the first prime that is sieved
)

// pattern is the numbers that the first primes do not divide.
type pattern struct {
	bits   []byte   // of two periods and a word, so that any period is in one piece
	before []uint32 // how many stand before each word
}

func newPattern() *pattern {
	p := &pattern{bits: make([]byte, 2*patternBytes+8)}
	for i := range p.bits {
		p.bits[i] = 0xff
	}
	for _, prime := range []uint64{7, 11, 13, 17} {
		strike(p.bits, 0, prime)
	}
	var before uint32
	for at := 0; at < patternBytes; at += 8 {
		p.before = append(p.before, before)
		before += uint32(bits.OnesCount64(binary.LittleEndian.Uint64(p.bits[at:])))
	}
	return p
}

// copyTo fills a set that starts with byte base.
func (p *pattern) copyTo(set []byte, base uint64) {
	for at := base % patternBytes; len(set) > 0; {
		n := copy(set, p.bits[at:at+patternBytes])
		set = set[n:]
	}
}

// phi is how many numbers from 1 to n the first primes do not divide:
// phi(n, 7) of the literature.
func (p *pattern) phi(n uint64) uint64 {
	d := n % period
	last := binary.LittleEndian.Uint64(p.bits[d/word*8:]) & upTo[d%word]
	return n/period*perPeriod + uint64(p.before[d/word]) + uint64(bits.OnesCount64(last))
}
