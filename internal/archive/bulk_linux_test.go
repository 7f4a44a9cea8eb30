package archive

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/ledger"
)

// bulkEach is how many jobs come with one entry, and how many go.
const bulkEach = 100

// BenchmarkBulk is the archive alone when jobs come in bulk: what it takes of
// the processor and of the disk for a job.
func BenchmarkBulk(b *testing.B) {
	path := filepath.Join(b.TempDir(), "archive.db")
	a := mustOpen(b, path, Options{})
	load := newBulk()
	b.ReportAllocs()
	b.ResetTimer()
	cpu, bytes := spent(b)
	for n := 0; n < b.N; n += bulkEach {
		fx := load.next()
		if err := a.Put(fx.Index, fx); err != nil {
			b.Fatal(err)
		}
	}
	mustFlush(b, a)
	b.StopTimer()
	report(b, cpu, bytes)
	if info, err := os.Stat(path); err == nil {
		b.ReportMetric(float64(info.Size())/float64(b.N), "file-B/op")
	}
}

// report says what was taken since the process had spent so much.
func report(b *testing.B, cpu, bytes int64) {
	cpuAfter, bytesAfter := spent(b)
	b.ReportMetric(float64(cpuAfter-cpu)/float64(b.N), "cpu-ns/op")
	b.ReportMetric(float64(bytesAfter-bytes)/float64(b.N), "written-B/op")
}

// spent is the processor time of the process, in nanoseconds, and the bytes
// that it wrote, 0 where nobody counts them.
func spent(b *testing.B) (cpu, bytes int64) {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	if counts, err := os.ReadFile("/proc/self/io"); err == nil {
		_, after, _ := strings.Cut(string(counts), "wchar: ")
		_, _ = fmt.Sscan(after, &bytes)
	}
	return u.Utime.Nano() + u.Stime.Nano(), bytes
}

// bulk makes entries as they are when callers submit a hundred jobs at once and
// workers report as many: those that end came with two entries a little before,
// and are nearly in order.
type bulk struct {
	fx       ledger.Effects
	rng      *rand.Rand
	position uint64
}

func newBulk() *bulk {
	l := &bulk{rng: rand.New(rand.NewPCG(1, 1)), position: 10}
	for range bulkEach {
		l.fx.Finished = append(l.fx.Finished, polymath.Job{
			Function: "nothing", Input: []byte(`{"t":"` + strings.Repeat("x", 92) + `"}`), Units: 1, Done: 1, State: polymath.Succeeded, Reducer: polymath.Collect,
			Result: []byte(`"` + strings.Repeat("y", 48) + `"`), Options: polymath.Options{Queue: "default", Attempts: 4},
		})
	}
	return l
}

func (l *bulk) next() *ledger.Effects {
	l.position++
	fx := &l.fx
	now := 1_700_000_000_000 + int64(l.position)
	fx.Index, fx.At, fx.Events = indexAt(l.position), now, fx.Events[:0]
	for i := range uint32(bulkEach) {
		id := polymath.JobID{Shard: testShard, Ref: polymath.Ref{Index: fx.Index, Ordinal: i}}
		fx.Events = append(fx.Events, ledger.Event{Kind: ledger.JobQueued, Job: id, Name: "nothing"})
	}
	for i := range uint32(bulkEach) {
		back := uint64(5)
		ordinal := i + bulkEach*2/5
		if ordinal >= bulkEach {
			back, ordinal = 4, ordinal-bulkEach
		}
		j := &fx.Finished[i]
		j.ID = polymath.JobID{Shard: testShard, Ref: polymath.Ref{Index: indexAt(l.position - back), Ordinal: ordinal}}
		j.Submitted, j.Started, j.Finished = now-int64(back), now-2, now
		for k := range 10 {
			j.Input[6+k] = byte('a' + l.rng.Uint32()%26)
		}
	}
	for range 10 {
		i := l.rng.IntN(bulkEach - 2)
		fx.Finished[i].ID, fx.Finished[i+2].ID = fx.Finished[i+2].ID, fx.Finished[i].ID
	}
	for i := range fx.Finished {
		fx.Events = append(fx.Events,
			ledger.Event{Kind: ledger.JobStarted, Job: polymath.JobID{Shard: testShard, Ref: polymath.Ref{Index: fx.Index, Ordinal: uint32(i)}}, Name: "nothing"},
			ledger.Event{Kind: ledger.JobSucceeded, Job: fx.Finished[i].ID, Name: "nothing"})
	}
	return fx
}

// BenchmarkBulkLoad is what making the load of BenchmarkBulk costs.
func BenchmarkBulkLoad(b *testing.B) {
	load := newBulk()
	for n := 0; n < b.N; n += bulkEach {
		load.next()
	}
}

// BenchmarkSingle commits one job at a time beside a hundred thousand others.
func BenchmarkSingle(b *testing.B) {
	a := mustOpen(b, filepath.Join(b.TempDir(), "archive.db"), Options{})
	load := newBulk()
	for range 2000 {
		fx := load.next()
		if err := a.Put(fx.Index, fx); err != nil {
			b.Fatal(err)
		}
	}
	mustFlush(b, a)
	b.ResetTimer()
	cpu, bytes := spent(b)
	for range b.N {
		fx := load.next()
		one := *fx
		one.Finished, one.Events = fx.Finished[:1], fx.Events[:3]
		if err := a.Put(fx.Index, &one); err != nil {
			b.Fatal(err)
		}
		mustFlush(b, a)
	}
	b.StopTimer()
	report(b, cpu, bytes)
}
