package archive

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/ledger"
)

// benchEach is how many jobs finish with one entry: what a busy shard commits
// with one sync of its journal.
const benchEach = 70

// BenchmarkPut is the archive under a busy shard: jobs of 100 B of input and
// 50 B of result, three events each, beside a writer that syncs 16 KiB at a
// time without a pause, as the journal does. It needs some 400 B of disk a job
// up to a million, and prunes beyond.
func BenchmarkPut(b *testing.B) {
	dir := b.TempDir()
	path := filepath.Join(dir, "archive.db")
	a := mustOpen(b, path, Options{})
	syncs := besideWriter(b, filepath.Join(dir, "journal"))
	var fx ledger.Effects
	b.ResetTimer()
	for n := 0; n < b.N; n += benchEach {
		benchEntry(&fx, uint64(n/benchEach+1))
		if err := a.Put(fx.Index, &fx); err != nil {
			b.Fatal(err)
		}
	}
	begun := time.Now()
	mustFlush(b, a)
	b.ReportMetric(float64(time.Since(begun).Milliseconds()), "flush-ms")
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "jobs/s")
	b.ReportMetric(float64(syncs())/b.Elapsed().Seconds(), "syncs/s")
	if err := a.Close(); err != nil {
		b.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(info.Size())/(1<<20), "file-MB")
	begun = time.Now()
	mustOpen(b, path, Options{})
	b.ReportMetric(float64(time.Since(begun).Milliseconds()), "open-ms")
}

// besideWriter writes and syncs in a pre-written file until the returned
// function is called, which tells how often it did.
func besideWriter(b *testing.B, path string) (stop func() int) {
	file, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	const block, blocks = 16 << 10, 1024
	buf := make([]byte, block)
	for i := range blocks {
		if _, err := file.WriteAt(buf, int64(i)*block); err != nil {
			b.Fatal(err)
		}
	}
	var work sync.WaitGroup
	over, count := make(chan struct{}), 0
	work.Go(func() {
		defer file.Close()
		for {
			select {
			case <-over:
				return
			default:
			}
			if _, err := file.WriteAt(buf, int64(count%blocks)*block); err != nil {
				b.Error(err)
				return
			}
			if err := file.Sync(); err != nil {
				b.Error(err)
				return
			}
			count++
		}
	})
	return func() int {
		close(over)
		work.Wait()
		return count
	}
}

// benchEntry makes the effects of an entry with which benchEach jobs finish.
func benchEntry(fx *ledger.Effects, position uint64) {
	*fx = ledger.Effects{Index: indexAt(position), At: int64(position), Finished: fx.Finished[:0], Events: fx.Events[:0]}
	input := make([]byte, 100)
	for i := range uint32(benchEach) {
		submitted := position - min(position-1, uint64(i%20))
		id := polymath.JobID{Ref: polymath.Ref{Index: indexAt(submitted), Ordinal: uint32(position)*benchEach + i}}
		fx.Finished = append(fx.Finished, polymath.Job{
			ID: id, Function: "isprime", Input: input, Units: 1, Done: 1, State: polymath.Succeeded, Reducer: polymath.Count,
			Result: fmt.Appendf(nil, "%050d", i), Submitted: 1_700_000_000_000, Started: 1_700_000_000_000, Finished: 1_700_000_000_000,
			Options: polymath.Options{Queue: "default", Attempts: 4},
		})
		for _, k := range []ledger.EventKind{ledger.JobQueued, ledger.JobStarted, ledger.JobSucceeded} {
			fx.Events = append(fx.Events, ledger.Event{Kind: k, Job: id, Name: "isprime"})
		}
	}
}
