package archive

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/event"
	"github.com/polymath-run/polymath/internal/ledger"
)

func TestMain(m *testing.M) {
	if scene := os.Getenv(sceneVariable); scene != "" {
		os.Exit(play(scene))
	}
	goleak.VerifyTestMain(m)
}

// TestModel puts, flushes, closes and replays at random and compares what
// readers see with the rules, however the entries fell into batches. That is
// the law that two replicas show the same.
func TestModel(t *testing.T) {
	for seed := uint64(1); seed <= 12; seed++ {
		rng := rand.New(rand.NewPCG(seed, 1))
		path := filepath.Join(t.TempDir(), "archive.db")
		a := mustOpen(t, path, narrow())
		last := uint64(0)
		for range 60 {
			next := last + rng.Uint64N(6)
			putAll(t, a, seed, last+1, next)
			last = next
			if rng.IntN(3) == 0 { // replayed
				putAll(t, a, seed, last-min(last, 5)+1, last)
			}
			if rng.IntN(2) == 0 {
				continue
			}
			mustFlush(t, a)
			if rng.IntN(4) == 0 {
				if err := a.Close(); err != nil {
					t.Fatal(err)
				}
				a = mustOpen(t, path, narrow())
			}
			if got := a.Applied(); got.Position != last {
				t.Fatalf("seed %d: applied %v, want %d", seed, got, last)
			}
			if err := verify(a, seed, last, 1+rng.IntN(50)); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestPendingIsVisible reads before anything is committed.
func TestPendingIsVisible(t *testing.T) {
	o := narrow()
	o.MaxJobs, o.MaxEvents, o.KeepJobs, o.KeepEvents = 1<<40, 1<<40, 1<<50, 1<<50
	path := filled(t, 3, 100, o)
	a := mustOpen(t, path, o)
	for position := uint64(101); position <= 200; position++ {
		putAll(t, a, 3, position, position)
		if position%20 == 0 {
			if err := verify(a, 3, position, 30); err != nil {
				t.Fatal(err)
			}
		}
	}
	if got := a.LastEvent(); got.Index.Position < 195 || got.Shard != testShard {
		t.Errorf("the newest event is %v", got)
	}
}

func TestFilterAndScan(t *testing.T) {
	o := narrow()
	o.MaxJobs = 1 << 40
	o.KeepJobs = 1 << 50
	a := mustOpen(t, filled(t, 4, 200, o), o)
	all, _ := model(4, 200, o)
	for _, f := range []Filter{{Function: "primes"}, {Tenant: "t"}, {Tenant: "u"}, {State: polymath.Failed}, {Queue: "none"}, {Queue: "default", State: polymath.Succeeded}} {
		var want, got []polymath.Job
		for _, j := range all.Jobs {
			if f.matches(&j) {
				want = append(want, j)
			}
		}
		for after, more := (polymath.JobID{}), true; more; {
			page, err := a.Jobs(after, 7, f)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, page.Jobs...)
			after, more = page.Next, !page.Next.IsZero()
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%+v: %d jobs, want %d", f, len(got), len(want))
		}
	}
}

// TestLargeJobsInShortPages: a page of large answers is short, and all pages
// together have them all.
func TestLargeJobsInShortPages(t *testing.T) {
	a := mustOpen(t, filepath.Join(t.TempDir(), "archive.db"), Options{Shard: testShard})
	const count = 2*maxScanBytes/polymath.MaxAccumulatorBytes + 1
	result := make([]byte, polymath.MaxAccumulatorBytes)
	for position := uint64(1); position <= count; position++ {
		at := polymath.Index{Epoch: 1, Position: position}
		id := polymath.JobID{Shard: testShard, Ref: polymath.Ref{Index: at}}
		fx := ledger.Effects{Index: at, Finished: []polymath.Job{{ID: id, State: polymath.Succeeded, Result: result}}}
		if err := a.Put(at, &fx); err != nil {
			t.Fatal(err)
		}
	}
	got, pages := 0, 0
	for after, more := (polymath.JobID{}), true; more; more = !after.IsZero() {
		page, err := a.Jobs(after, maxPage, Filter{})
		if err != nil {
			t.Fatal(err)
		}
		after = page.Next
		got += len(page.Jobs)
		pages++
	}
	if got != count || pages < 3 {
		t.Errorf("%d jobs of %d in %d pages", got, count, pages)
	}
}

func TestUnknownJob(t *testing.T) {
	a := mustOpen(t, filled(t, 1, 20, narrow()), narrow())
	for _, id := range []polymath.JobID{{}, {Shard: testShard, Ref: polymath.Ref{Index: indexAt(21)}}, {Shard: 9, Ref: polymath.Ref{Index: indexAt(1)}}} {
		if _, err := a.Job(id); polymath.CodeOf(err) != polymath.NotFound {
			t.Errorf("job %v: %v", id, err)
		}
	}
}

// TestEventKinds keeps the numbers of the two lists the same.
func TestEventKinds(t *testing.T) {
	same := map[ledger.EventKind]event.Kind{
		ledger.JobQueued: event.JobQueued, ledger.JobStarted: event.JobStarted, ledger.JobSucceeded: event.JobSucceeded,
		ledger.JobFailed: event.JobFailed, ledger.JobCancelled: event.JobCancelled, ledger.UnitDead: event.JobDead,
		ledger.WorkerJoined: event.WorkerJoined, ledger.WorkerLeft: event.WorkerLeft,
	}
	for l, e := range same {
		if event.Kind(l) != e {
			t.Errorf("ledger kind %d is event kind %d", l, e)
		}
	}
	if len(same) != len(event.Kinds()) {
		t.Errorf("%d kinds compared, there are %d", len(same), len(event.Kinds()))
	}
}

// TestHub is the two of them together: a listener reads on from the archive,
// over what was pruned, to what happens now.
func TestHub(t *testing.T) {
	a := mustOpen(t, filled(t, 5, 200, narrow()), narrow())
	h := event.NewHub(a, a.LastEvent())
	want, _ := model(5, 200, narrow())
	b, err := h.Next(t.Context(), event.ID{Shard: testShard})
	if err != nil || !b.Gap || !reflect.DeepEqual(b.Events, want.Events) {
		t.Fatalf("gap %v, %d events, want %d; %v", b.Gap, len(b.Events), len(want.Events), err)
	}
}

func TestEmptyEntriesCount(t *testing.T) {
	a := mustOpen(t, filepath.Join(t.TempDir(), "archive.db"), narrow())
	for position := uint64(1); position < 10; position++ {
		if err := a.Put(indexAt(position), &ledger.Effects{}); err != nil {
			t.Fatal(err)
		}
		mustFlush(t, a)
		if err := a.Covers(indexAt(position)); err != nil {
			t.Fatal(err)
		}
	}
	err := a.Covers(indexAt(10))
	var behind *BehindError
	if !errors.As(err, &behind) || !strings.Contains(err.Error(), "1.9") || !strings.Contains(err.Error(), "1.10") {
		t.Fatalf("behind: %v", err)
	}
}

// TestCommitsByItself waits for the delay, not for a call.
func TestCommitsByItself(t *testing.T) {
	a := mustOpen(t, filepath.Join(t.TempDir(), "archive.db"), narrow())
	a.mu.Lock()
	changed := a.changed
	a.mu.Unlock()
	putAll(t, a, 1, 1, 20)
	for a.Applied().Position < 20 {
		<-changed
		a.mu.Lock()
		changed = a.changed
		a.mu.Unlock()
	}
}

// TestBackPressure puts much more than memory may hold: it takes as long as
// the disk does, and no batch grows beyond its bound by more than one entry.
func TestBackPressure(t *testing.T) {
	a := mustOpen(t, filepath.Join(t.TempDir(), "archive.db"), Options{Shard: testShard})
	result := bytes.Repeat([]byte{7}, 64<<10)
	const entries, each = 200, 16
	for position := uint64(1); position <= entries; position++ {
		fx := &ledger.Effects{}
		for i := range each {
			id := polymath.JobID{Shard: testShard, Ref: polymath.Ref{Index: indexAt(position), Ordinal: uint32(i)}}
			fx.Finished = append(fx.Finished, polymath.Job{ID: id, Result: result, State: polymath.Succeeded})
		}
		if err := a.Put(indexAt(position), fx); err != nil {
			t.Fatal(err)
		}
		a.mu.Lock()
		size := a.filling.bytes
		a.mu.Unlock()
		if most := maxBatchBytes + each*(len(result)+1000); size > most {
			t.Fatalf("%d bytes wait, more than %d", size, most)
		}
	}
	mustFlush(t, a)
	if a.durable.jobs != entries*each {
		t.Fatalf("%d jobs, want %d", a.durable.jobs, entries*each)
	}
}

func TestClosed(t *testing.T) {
	a := mustOpen(t, filled(t, 1, 20, narrow()), narrow())
	if err := errors.Join(a.Close(), a.Close()); err != nil {
		t.Fatal(err)
	}
	_, jobErr := a.Job(polymath.JobID{Shard: testShard})
	_, _, eventErr := a.Events(event.ID{}, 1)
	for name, err := range map[string]error{"Put": a.Put(indexAt(21), effectsAt(1, 21)), "Job": jobErr, "Events": eventErr} {
		if !errors.Is(err, ErrClosed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := a.Flush(t.Context()); err != nil {
		t.Errorf("flush of what is durable: %v", err)
	}
}

func TestRefusals(t *testing.T) {
	path := filled(t, 1, 20, narrow())
	a := mustOpen(t, path, narrow())
	if _, err := Open(path, narrow()); err == nil || !strings.Contains(err.Error(), "in use by another process") {
		t.Errorf("opened twice: %v", err)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	other := narrow()
	other.Shard++
	if _, err := Open(path, other); err == nil || !strings.Contains(err.Error(), "of shard 7, not 8") {
		t.Errorf("another shard: %v", err)
	}
	if _, err := Open(filepath.Join(path, "archive.db"), narrow()); err == nil {
		t.Error("a file was taken for a directory")
	}
}

// TestUnfinishedCreation leaves what a crash within the creation leaves.
func TestUnfinishedCreation(t *testing.T) {
	path := filepath.Join(t.TempDir(), "archive.db")
	if err := os.WriteFile(path+".new", []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	a := mustOpen(t, path, narrow())
	if _, err := os.Stat(path + ".new"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the file is still there: %v", err)
	}
	if !a.Applied().IsZero() {
		t.Errorf("an empty archive contains %v", a.Applied())
	}
}

// TestManyPrunedByTime has more to remove at once than one commit does: it is
// hidden at once, and gone from the disk commit by commit.
func TestManyPrunedByTime(t *testing.T) {
	a := mustOpen(t, filepath.Join(t.TempDir(), "archive.db"), Options{Shard: testShard, KeepJobs: time.Hour, KeepEvents: time.Hour})
	const jobs = pruneJobs*2 + 100
	for position := uint64(1); position <= jobs; position++ {
		id := polymath.JobID{Shard: testShard, Ref: polymath.Ref{Index: indexAt(position)}}
		fx := &ledger.Effects{At: 1000, Finished: []polymath.Job{{ID: id}}, Events: []ledger.Event{{Kind: ledger.JobQueued, Job: id}}}
		if err := a.Put(indexAt(position), fx); err != nil {
			t.Fatal(err)
		}
	}
	mustFlush(t, a)
	left := []uint64{pruneJobs + 100, 100, 0}
	for i, want := range left {
		if err := a.Put(indexAt(jobs+1+uint64(i)), &ledger.Effects{At: 2000, Prune: 2000}); err != nil {
			t.Fatal(err)
		}
		mustFlush(t, a)
		if a.durable.jobs != want || a.durable.events != want {
			t.Errorf("after %d commits %d jobs and %d events are on disk, want %d", i+1, a.durable.jobs, a.durable.events, want)
		}
		page, err := a.Jobs(polymath.JobID{}, maxPage, Filter{})
		events, gap, err2 := a.Events(event.ID{}, maxPage)
		if err = errors.Join(err, err2); err != nil || len(page.Jobs) > 0 || len(events) > 0 || !gap {
			t.Errorf("after %d commits readers see %d jobs, %d events, gap %v, %v", i+1, len(page.Jobs), len(events), gap, err)
		}
	}
}

func TestInDays(t *testing.T) {
	for d, want := range map[time.Duration]string{DefaultKeepJobs: "7 days", 48 * time.Hour: "2 days", 24 * time.Hour: "24h0m0s", 49 * time.Hour: "49h0m0s", time.Second: "1s"} {
		if got := inDays(d); got != want {
			t.Errorf("%v: %s, want %s", d, got, want)
		}
	}
}
