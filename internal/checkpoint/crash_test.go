package checkpoint

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/polymath-run/polymath/internal/disk/disktest"
)

var (
	crashSeeds = flag.Int("crash.seeds", 12, "histories of TestCrashEverywhere")
	crashSeed  = flag.Uint64("crash.seed", 1, "seed of the first")
)

// history writes checkpoints and remembers what it was promised.
type history struct {
	rng     *rand.Rand
	acked   uint64 // position of the last Commit that returned nil
	begun   uint64 // position of the last Begin
	trimmed uint64 // the highest TrimIndex: the journal before it is gone
}

// run opens the store, checks the law and writes some checkpoints.
func (h *history) run(fs *disktest.Crash, steps int) error {
	s, err := Open(fs)
	if err != nil {
		return err
	}
	if err := h.check(fs, s); err != nil {
		return err
	}
	h.trimmed = max(h.trimmed, s.TrimIndex().Position)
	for range steps {
		h.begun += 1 + h.rng.Uint64N(9)
		if h.rng.IntN(5) == 0 {
			w, err := s.Begin(at(h.begun))
			if err != nil {
				return err
			}
			w.Abort()
			continue
		}
		if err := write(s, h.begun); err != nil {
			return err
		}
		h.acked = h.begun
		h.trimmed = max(h.trimmed, s.TrimIndex().Position)
	}
	return nil
}

// check is the law: without damage nothing is called damaged; the newest
// acknowledged checkpoint, or a newer one, is loaded; and when that is
// damaged, the one before still begins within the journal.
func (h *history) check(fs *disktest.Crash, s *Store) error {
	loaded, err := load(s)
	got := loaded.Meta.Index.Position
	if errors.Is(err, disktest.ErrCrashed) {
		return err
	}
	if err != nil || len(loaded.Warnings) > 0 || got < h.acked || got > h.begun || loaded.Found != (got > 0) {
		return fmt.Errorf("law: loaded %+v, %v; acknowledged %d, begun %d", loaded, err, h.acked, h.begun)
	}
	if !loaded.Found {
		return nil
	}
	again := fs.Clone(1)
	if err := again.Flip(loaded.File, sectorSize, 1); err != nil {
		return err
	}
	s, err = Open(again)
	if err != nil {
		return err
	}
	loaded, err = load(s)
	var damage *DamageError
	switch {
	case errors.As(err, &damage):
		got = 0
	case err != nil || len(loaded.Warnings) != 1:
		return fmt.Errorf("law: the newest is damaged: loaded %+v, %v", loaded, err)
	default:
		got = loaded.Meta.Index.Position
	}
	if got < h.trimmed {
		return fmt.Errorf("law: the journal is trimmed to %d, and with the newest damaged the start is at %d", h.trimmed, got)
	}
	return nil
}

// crashAt runs one history with its first crash at an operation.
func crashAt(seed uint64, op int) error {
	h, fs := &history{rng: rand.New(rand.NewPCG(seed, 1))}, disktest.New(seed)
	fs.CrashAt(op)
	for range 3 {
		if err := h.run(fs, 5); err != nil && !errors.Is(err, disktest.ErrCrashed) {
			return err
		}
		if h.rng.IntN(2) == 0 {
			fs = fs.Kill()
		} else {
			fs = fs.Restart()
		}
		fs.CrashAt(h.rng.IntN(40))
	}
	fs.CrashAt(-1)
	if err := h.run(fs, 3); err != nil {
		return err
	}
	return h.run(fs.Restart(), 0)
}

// TestCrashEverywhere crashes each history at every one of its operations, and
// what follows twice more.
func TestCrashEverywhere(t *testing.T) {
	for seed := *crashSeed; seed < *crashSeed+uint64(*crashSeeds); seed++ {
		fs := disktest.New(seed)
		h := &history{rng: rand.New(rand.NewPCG(seed, 1))}
		if err := h.run(fs, 5); err != nil {
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
