package sieve

import (
	"errors"
	"testing"
)

func TestChooseCacheSizes(t *testing.T) {
	for _, tt := range []struct {
		name   string
		known  map[string]uint64
		l1, l2 int
	}{
		{"nothing", nil, usualL1, usualL2},
		{"one kind of cores", map[string]uint64{"hw.l1dcachesize": 48 << 10, "hw.l2cachesize": 256 << 10}, 48 << 10, 256 << 10},
		{"two kinds", map[string]uint64{
			"hw.perflevel0.l1dcachesize": 128 << 10, "hw.perflevel0.l2cachesize": 12 << 20,
			"hw.l1dcachesize": 64 << 10, "hw.l2cachesize": 4 << 20,
		}, 128 << 10, 12 << 20},
		{"nonsense", map[string]uint64{"hw.l1dcachesize": 0, "hw.l2cachesize": 1 << 60}, usualL1, usualL2},
	} {
		l1, l2 := chooseCacheSizes(func(name string, _ ...int) (uint64, error) {
			if n, ok := tt.known[name]; ok {
				return n, nil
			}
			return 0, errors.New("unknown")
		})
		if l1 != tt.l1 || l2 != tt.l2 {
			t.Errorf("%s: %d and %d, want %d and %d", tt.name, l1, l2, tt.l1, tt.l2)
		}
	}
}
