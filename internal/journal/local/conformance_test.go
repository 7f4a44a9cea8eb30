package local

import (
	"testing"

	"github.com/polymath-run/polymath/internal/disk"
	"github.com/polymath-run/polymath/internal/disk/disktest"
	"github.com/polymath-run/polymath/internal/journal"
	"github.com/polymath-run/polymath/internal/journal/journaltest"
)

// TestConformance runs on a real disk, with real syncs. A crash there is the
// death of the process: nothing is written any more, what was written stays.
func TestConformance(t *testing.T) {
	journaltest.Run(t, func(t testing.TB) journaltest.Harness {
		dir, err := disk.Dir(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		r := &rig{dir: dir, segment: 64 << 10, restart: func() disk.FS { return dir }}
		return r.harness()
	})
}

// TestConformancePowerLoss runs on a disk that keeps of what was not synced only
// what chance leaves.
func TestConformancePowerLoss(t *testing.T) {
	seed := uint64(0)
	journaltest.Run(t, func(t testing.TB) journaltest.Harness {
		seed++
		lossy := disktest.New(seed)
		r := &rig{dir: lossy, segment: 16 << 10, restart: func() disk.FS {
			lossy = lossy.Restart()
			return lossy
		}}
		return r.harness()
	})
}

// rig is one journal in the hands of the suite.
type rig struct {
	dir     disk.FS
	segment int64          // bytes
	restart func() disk.FS // the directory as it is after a crash
	disk    *tamper        // of the open journal
	journal *Journal
	epoch   uint32
}

func (r *rig) harness() journaltest.Harness {
	return journaltest.Harness{
		Open:  r.open,
		Crash: r.crash,
		Fail: func(_ testing.TB, stored bool) {
			r.disk.set(func() { r.disk.failWrite, r.disk.failSync = !stored, stored })
		},
		Mark: func(t testing.TB) func() {
			restore := save(t, r.dir)
			return func() {
				restore()
				r.epoch = 2 // as whoever puts an older copy in place must do
			}
		},
		Stall: func(testing.TB) func() {
			moving := make(chan struct{})
			r.disk.set(func() { r.disk.moving = moving })
			return func() {
				r.disk.set(func() { r.disk.moving = nil })
				close(moving)
			}
		},
		MaxStalled: 2 * 4096, // one batch being synced, the next one waiting
		Fill: func(testing.TB) func() {
			r.disk.set(func() { r.disk.full = true })
			return func() { r.disk.set(func() { r.disk.full = false }) }
		},
		TrimEntries: int(2 * r.segment / 150), // one takes 160 bytes of a segment
	}
}

func (r *rig) open(t testing.TB) journal.Journal {
	r.disk = &tamper{FS: r.dir}
	r.journal = mustOpen(t, Options{FS: r.disk, SegmentBytes: r.segment, Epoch: r.epoch})
	return r.journal
}

func (r *rig) crash(testing.TB) {
	r.disk.set(func() { r.disk.dead = true })
	dead := r.journal
	r.dir = r.restart()
	_ = dead.Close() // in the dead process, so to speak: it reaches no disk
}
