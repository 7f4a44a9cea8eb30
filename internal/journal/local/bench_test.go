package local

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/disk"
	"github.com/polymath-run/polymath/internal/journal"
)

// BenchmarkAppend64 is 64 callers on a real disk, each waiting until its 100
// bytes are durable, with a follower who gets them all. A job costs two appends
// of many commands, so entries/s here are far above jobs/s.
func BenchmarkAppend64(b *testing.B) {
	fs, err := disk.Dir(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	j := mustOpen(b, Options{FS: fs})
	var left atomic.Int64
	left.Store(int64(b.N))
	entry := make([]byte, 100)
	b.ResetTimer()
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() {
			for left.Add(-1) >= 0 {
				if err := j.Append(b.Context(), entry); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	follow(b, j, b.N)
	wg.Wait()
	b.StopTimer()
	s := j.Stats()
	b.ReportMetric(float64(s.Entries)/b.Elapsed().Seconds(), "entries/s")
	b.ReportMetric(float64(s.Syncs)/float64(s.Entries), "syncs/op")
	mustClose(b, j)
}

// follow gets so many entries and trims on the way.
func follow(b *testing.B, j *Journal, entries int) {
	const checkpoint = 50_000 // entries between two trims
	end := errors.New("at the end")
	got := 0
	err := j.Follow(b.Context(), polymath.Index{}, 0, func(batch []journal.Record) error {
		before := got
		if got += len(batch); got >= entries {
			return end
		}
		if before/checkpoint < got/checkpoint {
			return j.Trim(b.Context(), batch[0].Index)
		}
		return nil
	})
	if !errors.Is(err, end) {
		b.Errorf("follow: %v", err)
	}
}
