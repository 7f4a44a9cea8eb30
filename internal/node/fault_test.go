package node_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/archive"
	"github.com/polymath-run/polymath/internal/checkpoint"
	"github.com/polymath-run/polymath/internal/disk"
	"github.com/polymath-run/polymath/internal/function/all"
	"github.com/polymath-run/polymath/internal/journal"
	"github.com/polymath-run/polymath/internal/journal/sim"
	"github.com/polymath-run/polymath/internal/node"
)

// openOn runs a node on any journal.
func openOn(t *testing.T, j journal.Journal) *place {
	t.Helper()
	p := &place{t: t, dir: t.TempDir()}
	images, err := disk.Dir(filepath.Join(p.dir, "checkpoint"))
	if err != nil {
		t.Fatal(err)
	}
	store, err := checkpoint.Open(images)
	if err != nil {
		t.Fatal(err)
	}
	if p.archive, err = archive.Open(filepath.Join(p.dir, "archive.db"), archive.Options{}); err != nil {
		t.Fatal(err)
	}
	p.node, err = node.Open(t.Context(), node.Options{
		Name: "n", Journal: j, Checkpoints: store, Archive: p.archive, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = p.node.Close() // a node that lost its journal says so
		_ = p.archive.Close()
	})
	return p
}

// TestUnknownOutcomes runs jobs over a journal that loses, doubles, delays and
// denies appends: every submission makes one job, and every answer is right.
func TestUnknownOutcomes(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	engine := sim.New(sim.Options{Seed: seed, Odds: sim.Odds{Refused: 0.05, Lost: 0.05, Unreported: 0.05, Delayed: 0.05, Duplicated: 0.05}})
	j := engine.Open()
	p := openOn(t, j)
	t.Cleanup(func() { _ = j.Close() })
	set := all.Set(true)
	p.work(set, 4)
	ids := make([]polymath.JobID, 40)
	var work sync.WaitGroup
	for i := range ids {
		work.Go(func() {
			spec := plan(t, set, "add", fmt.Sprintf(`{"a":%d,"b":1}`, i))
			spec.Options.Key = [16]byte(sha256.New().Sum(fmt.Appendf(nil, "%016d", i))[:16])
			id, err := submit(t.Context(), p.node, spec)
			if err != nil {
				t.Error(err)
				return
			}
			ids[i] = id
			job, err := p.node.Wait(t.Context(), id)
			if want := fmt.Sprintf("0 %d\n", i+1); err != nil || string(job.Result) != want {
				t.Errorf("%q, %v, want %q", job.Result, err, want)
			}
		})
	}
	work.Wait()
	seen := make(map[polymath.JobID]bool)
	for _, id := range ids {
		if seen[id] {
			t.Errorf("two submissions got job %v", id)
		}
		seen[id] = true
	}
}

// submit repeats a submission that surely did not happen, as a client does.
func submit(ctx context.Context, n *node.Node, spec polymath.Spec) (polymath.JobID, error) {
	for {
		id, _, err := n.Submit(ctx, "", spec)
		if polymath.CodeOf(err) != polymath.Unavailable {
			return id, err
		}
	}
}

// TestFullJournalRefuses says at once that nothing was changed, and works
// again when there is space.
func TestFullJournalRefuses(t *testing.T) {
	engine := sim.New(sim.Options{})
	j := engine.Open()
	p := openOn(t, j)
	t.Cleanup(func() { _ = j.Close() })
	set := all.Set(true)
	engine.SetFull(true)
	spec := plan(t, set, "add", `{"a":1,"b":2}`)
	if _, _, err := p.node.Submit(t.Context(), "", spec); polymath.CodeOf(err) != polymath.Unavailable {
		t.Fatalf("submitted to a full journal: %v", err)
	}
	engine.SetFull(false)
	// An append that began before there was space may still refuse it.
	if _, err := submit(t.Context(), p.node, spec); err != nil {
		t.Fatalf("with space again: %v", err)
	}
	if n := p.node.Stats().Jobs; n != 1 {
		t.Errorf("%d jobs, want 1", n)
	}
}

// TestLostTailStopsTheNode: a node whose journal lost what it has applied must
// not go on.
func TestLostTailStopsTheNode(t *testing.T) {
	engine := sim.New(sim.Options{})
	j := engine.Open()
	p := openOn(t, j)
	t.Cleanup(func() { _ = j.Close() })
	set := all.Set(true)
	if _, _, err := p.node.Submit(t.Context(), "", plan(t, set, "add", `{"a":1,"b":2}`)); err != nil {
		t.Fatal(err)
	}
	engine.LoseTail(engine.Len()) // the last one alone may not be applied yet
	select {
	case <-p.node.Failed():
	case <-t.Context().Done():
	}
	if err := p.node.Err(); polymath.CodeOf(err) != polymath.Damaged {
		t.Errorf("%v", err)
	}
}

// TestRefusedWorkerComesBack refuses whatever a worker says first: its opening
// and its demand. Work begins all the same.
func TestRefusedWorkerComesBack(t *testing.T) {
	for refusals := range 6 {
		engine := sim.New(sim.Options{})
		j := engine.Open()
		p := openOn(t, j)
		t.Cleanup(func() { _ = j.Close() })
		set := all.Set(true)
		id, _, err := p.node.Submit(t.Context(), "", plan(t, set, "add", `{"a":1,"b":2}`))
		if err != nil {
			t.Fatal(err)
		}
		for range refusals {
			engine.Plan(sim.Refused)
		}
		stop := p.work(set, 1)
		if job, err := p.node.Wait(t.Context(), id); err != nil || job.State != polymath.Succeeded {
			t.Errorf("%d refusals: %v, %v", refusals, job.State, err)
		}
		stop()
	}
}
