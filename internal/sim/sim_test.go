package sim

import (
	"flag"
	"runtime"
	"slices"
	"testing"
)

// Seeds of a campaign: all of them for every change, a few where time is short
// (also under the race detector, which has nothing to find in one goroutine).
const (
	campaignSeeds = 2_000
	shortSeeds    = 20
)

var firstSeed = flag.Uint64("sim.seed", 0, "first seed of the campaign")

// TestCampaign runs the system through everything that can go wrong, and
// holds that each of those things did go wrong (W8, P6, G7).
func TestCampaign(t *testing.T) {
	seeds := uint64(campaignSeeds)
	if testing.Short() {
		seeds = shortSeeds
	}
	t.Logf("seeds %d to %d", *firstSeed, *firstSeed+seeds-1)
	report := Campaign(t.Context(), *firstSeed, seeds, runtime.GOMAXPROCS(0), nil)
	if report.Broken != nil {
		t.Fatal(report.Broken)
	}
	if least := int(seeds) * MinSteps; report.Counts.Steps < least {
		t.Errorf("%d events, want at least %d", report.Counts.Steps, least)
	}
	if never := report.Counts.Never(); len(never) > 0 {
		t.Errorf("these never happened: %v", never)
	}
	t.Logf("\n%s", report.Counts)
}

// TestReplay holds that a seed is the whole run: its trace comes out the same.
func TestReplay(t *testing.T) {
	for seed := range uint64(3) {
		var first, second []string
		a, _ := Run(seed, Options{Trace: func(line string) { first = append(first, line) }})
		b, _ := Run(seed, Options{Trace: func(line string) { second = append(second, line) }})
		if a != b || !slices.Equal(first, second) || len(first) == 0 {
			t.Fatalf("seed %d ran differently the second time", seed)
		}
	}
}
