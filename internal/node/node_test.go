package node_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/archive"
	"github.com/polymath-run/polymath/internal/checkpoint"
	"github.com/polymath-run/polymath/internal/disk"
	"github.com/polymath-run/polymath/internal/function"
	"github.com/polymath-run/polymath/internal/function/all"
	"github.com/polymath-run/polymath/internal/journal/local"
	"github.com/polymath-run/polymath/internal/node"
	"github.com/polymath-run/polymath/internal/worker"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// place is a data directory and the node that runs on it.
type place struct {
	t       testing.TB
	dir     string
	journal *local.Journal
	archive *archive.Archive
	node    *node.Node
	routes  map[polymath.Ref]*node.Route // of those joined
}

func open(t testing.TB, dir string) *place {
	t.Helper()
	return openWith(t, dir, func(*node.Options) {})
}

// openWith opens a node with other options.
func openWith(t testing.TB, dir string, change func(*node.Options)) *place {
	t.Helper()
	p := &place{t: t, dir: dir, routes: make(map[polymath.Ref]*node.Route)}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	logs, err := disk.Dir(filepath.Join(dir, "wal"))
	must(err)
	images, err := disk.Dir(filepath.Join(dir, "checkpoint"))
	must(err)
	p.journal, err = local.Open(local.Options{FS: logs, SegmentBytes: 1 << 20})
	must(err)
	store, err := checkpoint.Open(images)
	must(err)
	p.archive, err = archive.Open(filepath.Join(dir, "archive.db"), archive.Options{})
	must(err)
	o := node.Options{
		Name: "n", Journal: p.journal, Checkpoints: store, Archive: p.archive, Log: slog.New(slog.DiscardHandler),
	}
	change(&o)
	p.node, err = node.Open(t.Context(), o)
	must(err)
	t.Cleanup(p.close)
	return p
}

func (p *place) close() {
	if p.node == nil {
		return
	}
	err := errors.Join(p.node.Close(), p.journal.Close(), p.archive.Close())
	p.node = nil
	if err != nil {
		p.t.Error(err)
	}
}

// work runs a worker until the test ends, or stop is called.
func (p *place) work(functions *function.Set, parallel int) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var work sync.WaitGroup
	n := p.node
	work.Go(func() {
		err := worker.Run(ctx, n, worker.Options{Name: "w", Functions: functions, Parallel: parallel, Each: 20 * time.Millisecond})
		if err != nil {
			p.t.Error(err)
		}
	})
	stop = func() {
		cancel()
		work.Wait()
	}
	p.t.Cleanup(stop)
	return stop
}

// plan makes a spec as the edge does.
func plan(t testing.TB, set *function.Set, name, input string) polymath.Spec {
	t.Helper()
	f, err := set.Get(name)
	if err != nil {
		t.Fatal(err)
	}
	canonical, plan, err := f.Plan([]byte(input))
	if err != nil {
		t.Fatal(err)
	}
	return polymath.Spec{Function: name, Input: canonical, Plan: plan}
}

// TestJobToItsAnswer is the whole way of a job, counted once (P3).
func TestJobToItsAnswer(t *testing.T) {
	set := all.Set(true)
	p := open(t, t.TempDir())
	p.work(set, 4)
	id, existing, err := p.node.Submit(t.Context(), "", plan(t, set, "primes", `{"to":"20000000"}`))
	if err != nil || existing {
		t.Fatal(existing, err)
	}
	job, err := p.node.Wait(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	if job.State != polymath.Succeeded || string(job.Result) != "1270607" {
		t.Errorf("%v: %s", job.State, job.Result)
	}
	if again, _, err := p.node.Job(id); err != nil || string(again.Result) != "1270607" {
		t.Errorf("read again: %s, %v", again.Result, err)
	}
}

// TestRestartResumes closes the node in the middle of a job, with and without
// a checkpoint, and holds that the job goes on where it was (W8, P6).
func TestRestartResumes(t *testing.T) {
	set := all.Set(true)
	dir := t.TempDir()
	p := open(t, dir)
	spec := plan(t, set, "sleep", `{"units":"400","duration":"10ms"}`) // more than is done while a checkpoint is written
	id, _, err := p.node.Submit(t.Context(), "", spec)
	if err != nil {
		t.Fatal(err)
	}
	var before uint64
	for round := range 3 {
		stop := p.work(set, 2)
		before = p.untilMore(id, before)
		if round == 1 {
			if err := p.node.Checkpoint(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		stop()
		p.close()
		p = open(t, dir)
		job, found := p.node.Find(func(j *polymath.Job) bool { return j.Function == "sleep" })
		if !found || job.ID != id {
			t.Fatalf("round %d: the job is gone", round)
		}
		if job.Done < before {
			t.Errorf("round %d: %d units are done, %d were before", round, job.Done, before)
		}
	}
	p.work(set, 4)
	if job, err := p.node.Wait(t.Context(), id); err != nil || job.State != polymath.Succeeded || job.Done != 400 {
		t.Errorf("%+v, %v", job, err)
	}
}

// untilMore waits until more units of a job are done than before.
func (p *place) untilMore(id polymath.JobID, before uint64) uint64 {
	p.t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for range tick.C {
		job, _, err := p.node.Job(id)
		if err != nil {
			p.t.Fatal(err)
		}
		if job.Done > before {
			return job.Done
		}
	}
	return 0
}

func TestCancelAndWaitLimits(t *testing.T) {
	set := all.Set(true)
	p := open(t, t.TempDir())
	id, _, err := p.node.Submit(t.Context(), "", plan(t, set, "sleep", `{"units":"3","duration":"1h"}`))
	if err != nil {
		t.Fatal(err)
	}
	short, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.node.Wait(short, id); polymath.CodeOf(err) != polymath.Timeout {
		t.Errorf("a wait that was given up: %v", err)
	}
	p.work(set, 1)
	if err := p.node.Cancel(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	if job, err := p.node.Wait(t.Context(), id); err != nil || job.State != polymath.Cancelled {
		t.Errorf("%v, %v", job.State, err)
	}
	if err := p.node.Cancel(t.Context(), id); polymath.CodeOf(err) != polymath.NotFound {
		t.Errorf("cancelled twice: %v", err)
	}
	if _, err := p.node.Wait(t.Context(), polymath.JobID{Ref: polymath.Ref{Index: polymath.Index{Epoch: 1, Position: 1 << 40}}}); polymath.CodeOf(err) != polymath.NotFound {
		t.Errorf("an unknown job: %v", err)
	}
}

func TestSubmitRefusals(t *testing.T) {
	p := open(t, t.TempDir())
	good := polymath.Spec{Function: "f", Plan: polymath.Plan{Units: 1, Reducer: polymath.Count}}
	for _, c := range []struct {
		name   string
		change func(*polymath.Spec)
		want   polymath.Code
	}{
		{"input too large", func(s *polymath.Spec) { s.Input = make([]byte, polymath.MaxInlineBytes+1) }, polymath.TooLarge},
		{"name too long", func(s *polymath.Spec) { s.Function = string(make([]byte, polymath.MaxNameBytes+1)) }, polymath.InvalidArgument},
		{"cost table too long", func(s *polymath.Spec) { s.Plan.Costs = make([]polymath.CostPoint, polymath.MaxCostPoints+1) }, polymath.InvalidArgument},
		{"no reducer", func(s *polymath.Spec) { s.Plan.Reducer = 0 }, polymath.InvalidArgument},
		{"priority", func(s *polymath.Spec) { s.Options.Priority = 101 }, polymath.InvalidArgument},
	} {
		spec := good
		c.change(&spec)
		if _, _, err := p.node.Submit(t.Context(), "", spec); polymath.CodeOf(err) != c.want {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
}

// TestManyCallers has every caller's job done once, whoever shares an entry.
func TestManyCallers(t *testing.T) {
	set := all.Set(true)
	p := open(t, t.TempDir())
	p.work(set, 4)
	var work sync.WaitGroup
	for i := range 50 {
		work.Go(func() {
			id, _, err := p.node.Submit(t.Context(), "", plan(t, set, "add", fmt.Sprintf(`{"a":%d,"b":1}`, i)))
			if err != nil {
				t.Error(err)
				return
			}
			job, err := p.node.Wait(t.Context(), id)
			if want := fmt.Sprintf("0 %d\n", i+1); err != nil || string(job.Result) != want {
				t.Errorf("%q, %v, want %q", job.Result, err, want)
			}
		})
	}
	work.Wait()
}

// TestFailedJobSaysWhy ends a job on its one guilty unit (W9).
func TestFailedJobSaysWhy(t *testing.T) {
	set := all.Set(true)
	p := open(t, t.TempDir())
	p.work(set, 2)
	spec := plan(t, set, "fail", `{"units":"8","at":["5"]}`)
	spec.Options.Attempts = 1
	id, _, err := p.node.Submit(t.Context(), "", spec)
	if err != nil {
		t.Fatal(err)
	}
	job, err := p.node.Wait(t.Context(), id)
	if err != nil || job.State != polymath.Failed || job.Code != polymath.JobFailed || job.Error == "" || job.Dead != 1 {
		t.Errorf("%+v, %v", job, err)
	}
}

// BenchmarkJobs is durable no-op jobs, 64 callers, each waiting for its own
// acknowledgement.
func BenchmarkJobs(b *testing.B) {
	set := all.Set(true)
	dir, err := os.MkdirTemp(".", "bench-") //nolint:usetesting // the default may be a tmpfs, which has no fsync
	if err != nil {
		b.Fatal(err)
	}
	defer os.RemoveAll(dir)
	p := open(b, dir)
	defer p.close()
	stop := p.work(set, 8)
	defer stop()
	spec := plan(b, set, "add", `{"a":1,"b":2}`)
	b.SetParallelism(32)
	syncs := p.journal.Stats().Syncs
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, _, err := p.node.Submit(context.Background(), "", spec); err != nil {
				b.Error(err)
			}
		}
	})
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for p.node.Stats().Jobs > 0 {
		<-tick.C
	}
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "jobs/s")
	b.ReportMetric(float64(p.journal.Stats().Syncs-syncs)/float64(b.N), "syncs/job")
}
