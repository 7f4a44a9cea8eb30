package pick

// The hash of keys and names is a part of the contract: every balancer, of any
// version and on any machine, has to find the same place for a key. So it is
// spelled out here and tested against fixed values; maphash is seeded per
// process.

const (
	fnvOffset = 14695981039346656037 // FNV-1a, 64 bits
	fnvPrime  = 1099511628211

	// golden is 2^64 divided by the golden ratio: multiples of it are spread.
	golden = 0x9e3779b97f4a7c15
)

// Hash gives 64 bits for a text: FNV-1a, with its weak high bits mixed.
// It is no defence against who picks keys to collide.
func Hash(text string) uint64 {
	d := newDigest()
	for i := range len(text) {
		d.add(text[i])
	}
	return d.sum()
}

// digest is a Hash that takes its text byte by byte.
type digest uint64

func newDigest() digest       { return fnvOffset }
func (d *digest) add(b byte)  { *d = (*d ^ digest(b)) * fnvPrime }
func (d *digest) sum() uint64 { return mix(uint64(*d)) }

// mix is the finalizer of SplitMix64 (Stafford's thirteenth): a bijection in
// which every bit of the input moves half of those of the output.
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// nth is the n-th of a sequence of hashes that belong to one seed.
func nth(seed, n uint64) uint64 { return mix(seed + (n+1)*golden) }
