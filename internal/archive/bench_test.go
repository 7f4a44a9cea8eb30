package archive

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/ledger"
)

// BenchmarkPut is the archive under a busy shard: entries of 70 jobs with 100 B
// of input and 50 B of result, three events each, beside a writer that syncs
// for every entry, as the journal does.
func BenchmarkPut(b *testing.B) {
	dir := b.TempDir()
	a, err := Open(filepath.Join(dir, "archive.db"), Options{})
	if err != nil {
		b.Fatal(err)
	}
	wal, err := os.Create(filepath.Join(dir, "wal"))
	if err != nil {
		b.Fatal(err)
	}
	wal.Write(make([]byte, 64<<20))
	wal.Sync()
	stop := make(chan struct{})
	ended := make(chan int)
	go func() {
		buf := make([]byte, 16<<10)
		n := 0
		for {
			select {
			case <-stop:
				ended <- n
				return
			default:
				wal.WriteAt(buf, int64(n%4000)*int64(len(buf)))
				wal.Sync()
				n++
			}
		}
	}()
	rng := rand.New(rand.NewPCG(1, 2))
	const each = 70
	var fx ledger.Effects
	start := time.Now()
	b.ResetTimer()
	for i := range b.N {
		if i%each != 0 {
			continue
		}
		at := polymath.Index{Epoch: 1, Position: uint64(i/each) + 1}
		fx = entryOf(at, each, rng)
		if err := a.Put(at, &fx); err != nil {
			b.Fatal(err)
		}
	}
	t := time.Now()
	if err := a.Flush(b.Context()); err != nil {
		b.Fatal(err)
	}
	flush := time.Since(t)
	total := time.Since(start)
	b.StopTimer()
	close(stop)
	n := <-ended
	b.ReportMetric(float64(b.N)/total.Seconds(), "jobs/s")
	b.ReportMetric(flush.Seconds()*1000, "flush-ms")
	b.ReportMetric(float64(n)/total.Seconds(), "syncs/s")
	a.Close()
	info, _ := os.Stat(filepath.Join(dir, "archive.db"))
	b.ReportMetric(float64(info.Size())/float64(b.N), "B/job")
	t = time.Now()
	a, err = Open(filepath.Join(dir, "archive.db"), Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(time.Since(t).Seconds()*1000, "open-ms")
	a.Close()
}

func entryOf(at polymath.Index, n int, rng *rand.Rand) ledger.Effects {
	fx := ledger.Effects{Index: at, At: int64(at.Position)}
	for i := range n {
		id := polymath.JobID{Ref: polymath.Ref{Index: polymath.Index{Epoch: at.Epoch, Position: at.Position - min(at.Position-1, uint64(rng.IntN(20)))}, Ordinal: uint32(i) + uint32(at.Position)*1000}}
		input := make([]byte, 100)
		fx.Finished = append(fx.Finished, polymath.Job{ID: id, Function: "isprime", Input: input, Units: 1, Done: 1, State: polymath.Succeeded, Reducer: polymath.Count, Result: []byte(fmt.Sprintf("%050d", i)), Submitted: 1700000000000, Started: 1700000000000, Finished: 1700000000000,
			Options: polymath.Options{Queue: "default", Attempts: 4}})
		for _, k := range []ledger.EventKind{ledger.JobQueued, ledger.JobStarted, ledger.JobSucceeded} {
			fx.Events = append(fx.Events, ledger.Event{Kind: k, Job: id, Name: "isprime"})
		}
	}
	return fx
}
