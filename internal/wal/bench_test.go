package wal

import (
	"sync"
	"sync/atomic"
	"testing"

	"github.com/polymath-run/polymath/internal/disk"
)

// BenchmarkCommitter64 is 64 callers on a real disk, each waiting for its
// durable 100 bytes.
func BenchmarkCommitter64(b *testing.B) {
	fs, err := disk.Dir(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	l, err := Open(Options{FS: fs})
	if err != nil {
		b.Fatal(err)
	}
	c := NewCommitter(l)
	var left atomic.Int64
	left.Store(int64(b.N))
	b.ResetTimer()
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() {
			payload := make([]byte, 100)
			for left.Add(-1) >= 0 {
				index, err := c.Append(b.Context(), 0, payload)
				if err != nil {
					b.Error(err)
					return
				}
				if index%50_000 == 0 {
					if err := c.Trim(index); err != nil {
						b.Error(err)
					}
				}
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	stats := c.Stats()
	b.ReportMetric(float64(stats.Records)/b.Elapsed().Seconds(), "records/s")
	b.ReportMetric(float64(stats.Records)/float64(stats.Syncs), "records/sync")
	if err := c.Close(); err != nil {
		b.Fatal(err)
	}
}
