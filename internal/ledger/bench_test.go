package ledger

import (
	"encoding/binary"
	"fmt"
	"runtime"
	"testing"

	"github.com/polymath-run/polymath"
)

// BenchmarkSubmitComplete is one job in the steady state: submitted and
// granted by one entry, completed by another, a hundred jobs an entry.
func BenchmarkSubmitComplete(b *testing.B) {
	for _, batch := range []int{1, 100} {
		b.Run(fmt.Sprintf("batch=%d", batch), func(b *testing.B) { submitComplete(b, batch) })
	}
}

func submitComplete(b *testing.B, batch int) {
	r := newRig(b)
	for range 8 {
		r.worker(64)
	}
	s := spec(1)
	s.Input = make([]byte, 100)
	submit, complete := make([]Command, batch), make([]Command, batch)
	output := []byte("1")
	b.ReportAllocs()
	for n := 0; b.Loop(); n += batch {
		for i := range submit {
			submit[i] = &Submit{Tenant: "t", Spec: s}
		}
		for i, g := range r.apply(submit...).Grants {
			complete[i] = &Complete{Token: g.Lease.Token, Output: output, Micros: 10}
		}
		r.apply(complete...)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*batch), "ns/job")
}

// BenchmarkBacklog is one job of a program that submits in bulk, with a key of
// its own: six thousand wait, a hundred are submitted with one entry and a
// hundred completed with the next.
func BenchmarkBacklog(b *testing.B) {
	const waiting, batch = 6400, 100
	r := newRig(b)
	r.worker(512)
	submit, complete := make([]Command, batch), make([]Command, batch)
	output := []byte(`"12345678901234567890123456789012345678901234567890"`)
	s := spec(1)
	s.Input, s.Plan.Reducer = make([]byte, 100), polymath.Collect
	key := uint64(0)
	enter := func() {
		for i := range submit {
			key++
			binary.LittleEndian.PutUint64(s.Options.Key[:], key*0x9e3779b97f4a7c15)
			submit[i] = &Submit{Tenant: "t", Spec: s}
		}
		r.apply(submit...)
	}
	var out []polymath.Token
	for range waiting / batch {
		enter()
		out = append(out, grants(&r.fx)...)
	}
	b.ReportAllocs()
	for n := 0; b.Loop(); n += batch {
		enter()
		for i := range complete {
			complete[i] = &Complete{Token: out[i], Output: output, Micros: 10}
		}
		out = append(out[:0], out[batch:]...)
		out = append(out, grants(r.apply(complete...))...)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*batch), "ns/job")
}

// BenchmarkManyTenants is the same with ten thousand queues that all have
// jobs waiting, and a thousand idle workers that want something else.
func BenchmarkManyTenants(b *testing.B) {
	r := newRig(b)
	for i := range maxQueues {
		for range 3 {
			r.do(&Submit{Tenant: fmt.Sprint(i), Spec: spec(1 << 50)})
		}
	}
	for range 1000 {
		w := r.worker(0)
		r.do(&Demand{Session: w, Functions: []string{"g"}, Slots: 1})
	}
	r.worker(1)
	b.ReportAllocs()
	for b.Loop() {
		g := r.fx.Grants[0].Lease
		r.apply(&Complete{Token: g.Token, Output: []byte("1"), Micros: g.Micros})
	}
}

// heapInUse is how much of it is in use, in bytes.
func heapInUse() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// BenchmarkWaitingJobs is the memory of a million jobs that wait, with inputs
// of 100 bytes (mission row: memory/million-waiting-mb, at most 300), and
// what an image of them and its restoring take.
func BenchmarkWaitingJobs(b *testing.B) {
	const jobs = 1_000_000
	for b.Loop() {
		before := heapInUse()
		r := newRig(b)
		s := spec(1000)
		s.Input = make([]byte, 100)
		for range jobs / 100 {
			cmds := make([]Command, 100)
			for i := range cmds {
				cmds[i] = &Submit{Tenant: "t", Spec: s}
			}
			r.apply(cmds...)
		}
		used := heapInUse() - before
		b.ReportMetric(float64(used)/jobs, "B/job")
		b.ReportMetric(float64(used)/1e6, "MB")
		if _, err := restore(takeAll(r.l)); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkBillionTasks is the memory of a running job of a billion tasks
// (memory/billion-tasks-mb, at most 1): what its outstanding leases cost.
func BenchmarkBillionTasks(b *testing.B) {
	for b.Loop() {
		before := heapInUse()
		r := newRig(b)
		w := r.worker(64)
		r.do(&Demand{Session: w, Functions: []string{"f"}, Slots: 64, Micros: 1})
		r.do(&Submit{Spec: spec(1_000_000_000)})
		for range 10_000 {
			g := r.l.sessions[1].leases[0]
			r.apply(&Complete{Token: polymath.Token{Ref: g.ref}, Output: []byte("1"), Micros: 1})
		}
		b.ReportMetric(float64(heapInUse()-before)/1e6, "MB")
		runtime.KeepAlive(r)
	}
}

// BenchmarkImage is a checkpoint of a hundred thousand waiting jobs, and the
// start from it.
func BenchmarkImage(b *testing.B) {
	r := newRig(b)
	for range 100_000 {
		r.do(&Submit{Tenant: "t", Spec: spec(1000)})
	}
	parts := takeAll(r.l)
	b.Run("take", func(b *testing.B) {
		for b.Loop() {
			takeAll(r.l)
		}
	})
	b.Run("restore", func(b *testing.B) {
		for b.Loop() {
			if _, err := restore(parts); err != nil {
				b.Fatal(err)
			}
		}
	})
}
