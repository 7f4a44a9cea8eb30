package wal

import (
	"errors"
	"flag"
	"testing"

	"github.com/polymath-run/polymath/internal/disk/disktest"
)

var (
	crashSeeds = flag.Int("crash.seeds", 4, "histories of TestCrashEverywhere")
	crashSeed  = flag.Uint64("crash.seed", 1, "seed of the first")
)

// crashSteps is the length of a history: enough to begin some ten segments.
const crashSteps = 60

// TestCrashEverywhere crashes each history at every one of its operations,
// crashes the recovery or what follows it again, twice, and checks the law
// after each restart.
func TestCrashEverywhere(t *testing.T) {
	for seed := *crashSeed; seed < *crashSeed+uint64(*crashSeeds); seed++ {
		fs := disktest.New(seed)
		if err := newHistory(seed).run(fs, crashSteps); err != nil {
			t.Fatalf("seed %d without a crash: %v", seed, err)
		}
		for op := range fs.Ops() {
			if err := crashAt(seed, op); err != nil {
				t.Fatalf("seed %d, crash at operation %d: %v", seed, op, err)
			}
		}
		t.Logf("seed %d: %d operations", seed, fs.Ops())
	}
}

// crashAt runs one history with its first crash at an operation.
func crashAt(seed uint64, op int) error {
	h, fs := newHistory(seed), disktest.New(seed)
	fs.CrashAt(op)
	steps := crashSteps
	for range 3 {
		if err := h.run(fs, steps); err != nil && !errors.Is(err, disktest.ErrCrashed) {
			return err
		}
		fs = h.restart(fs)
		fs.CrashAt(h.rng.IntN(1 + h.rng.IntN(60)))
		steps = 30
	}
	fs.CrashAt(-1)
	if err := h.run(fs, steps); err != nil {
		return err
	}
	return h.run(fs.Restart(), 0)
}
