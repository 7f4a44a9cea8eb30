package app

import "testing"

func TestCollectorPercent(t *testing.T) {
	for live, want := range map[uint64]int{0: 400, 1 << 20: 400, 32 << 20: 400, 64 << 20: 300, 128 << 20: 200, 1 << 30: 112, 1 << 40: 100} {
		if got := collectorPercent(live); got != want {
			t.Errorf("%d bytes live: %d %%, want %d", live, got, want)
		}
	}
}
