package sieve

// Sizes of caches, in bytes, where they cannot be found out: what nearly all
// processors of the last ten years have at least.
const (
	usualL1 = 32 << 10
	usualL2 = 512 << 10
)

// Bounds of what is taken for the size of a cache, in bytes.
const (
	leastCache = 8 << 10
	mostCache  = 64 << 20
)

// chooseCacheSizes reads the sizes by the names that Darwin gives them. It is
// built everywhere, so that it is tested everywhere.
func chooseCacheSizes(read func(name string, args ...int) (uint64, error)) (l1, l2 int) {
	first := func(otherwise int, names ...string) int {
		for _, name := range names {
			if n, err := read(name); err == nil && n >= leastCache && n <= mostCache {
				return int(n)
			}
		}
		return otherwise
	}
	return first(usualL1, "hw.perflevel0.l1dcachesize", "hw.l1dcachesize"), first(usualL2, "hw.perflevel0.l2cachesize", "hw.l2cachesize")
}
