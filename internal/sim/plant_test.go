package sim

import (
	"testing"
)

// plantSeeds is within how many seeds a planted defect must be seen.
const plantSeeds = 500

// TestPlantedFaultsAreSeen proves that the oracle can fail: each defect that
// is switched on breaks a law within 500 seeds.
func TestPlantedFaultsAreSeen(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED with -short: planted faults take a minute to be found")
	}
	for _, p := range Plants() {
		t.Run(p.String(), func(t *testing.T) {
			t.Parallel()
			for seed := range uint64(plantSeeds) {
				if _, v := Run(seed, Options{Plant: p}); v != nil {
					t.Logf("seed %d: %s", seed, v.Law)
					return
				}
			}
			t.Fatalf("not seen in %d seeds", plantSeeds)
		})
	}
}
