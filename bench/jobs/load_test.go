package main

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestRunCountsEveryJob(t *testing.T) {
	defer goleak.VerifyNone(t)
	f := newFake(t)
	r, err := load{0, 1}.run(t.Context(), f, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if r.jobs < callers || len(r.waits) != r.jobs || r.took <= 0 || r.rate() <= 0 {
		t.Errorf("%d jobs, %d waits in %v", r.jobs, len(r.waits), r.took)
	}
	if !slices.IsSorted(r.waits) {
		t.Error("the waits are not sorted")
	}
	if want := warmJobs + r.jobs; f.calls[1] != want || r.syncs != 0.5 {
		t.Errorf("%d calls, want %d; %v syncs a job, want 0.5", f.calls[1], want, r.syncs)
	}
	if f.running {
		t.Error("the system was not closed")
	}
}

func TestRunInBulk(t *testing.T) {
	f := fakeBulk{newFake(t)}
	f.counted = errNotCounted
	r, err := load{0, bulk}.run(t.Context(), f, t.TempDir())
	if err != nil || r.jobs%bulk != 0 || len(r.waits) != r.jobs/bulk {
		t.Errorf("%d jobs in %d calls, %v", r.jobs, len(r.waits), err)
	}
	if f.calls[bulk] == 0 || len(f.calls) != 1 {
		t.Errorf("calls by size: %v", f.calls)
	}
	if !errors.Is(r.syncsErr, errNotCounted) {
		t.Errorf("syncs were counted: %v", r.syncsErr)
	}
	if _, err := (load{0, bulk}).run(t.Context(), newFake(t), t.TempDir()); err == nil {
		t.Error("a system without bulk was run in bulk")
	}
}

func TestRunFails(t *testing.T) {
	defer goleak.VerifyNone(t)
	for _, c := range []struct {
		name, want string
		change     func(*fake)
	}{
		{"a refusal in the warm-up", "warm-up: submit: full", func(f *fake) { f.refuse = 10 }},
		{"a refusal later", "submit: full", func(f *fake) { f.refuse = warmJobs + 1 }},
		{"syncs that cannot be read", "no such table", func(f *fake) { f.counted = errors.New("no such table") }},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFake(t)
			c.change(f)
			_, err := load{0, 1}.run(t.Context(), f, t.TempDir())
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("run = %v, want %q in it", err, c.want)
			}
			if f.running {
				t.Error("the system was not closed")
			}
		})
	}
}

// TestLostJobIsNoResult: a job that never finishes is an error, and no rate.
func TestLostJobIsNoResult(t *testing.T) {
	f := newFake(t)
	f.lose = 3
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(200*time.Millisecond, cancel) // instead of the drain's limit
	if r, err := (load{0, 1}).run(ctx, f, t.TempDir()); !errors.Is(err, context.Canceled) {
		t.Errorf("run = %v jobs, %v", r.jobs, err)
	}
}

func TestQuantile(t *testing.T) {
	sorted := []time.Duration{1, 2, 3, 4, 5}
	for q, want := range map[float64]time.Duration{0: 1, 0.5: 3, 0.99: 4, 1: 5} {
		if got := quantile(sorted, q); got != want {
			t.Errorf("quantile %v = %v, want %v", q, got, want)
		}
	}
}

func TestPace(t *testing.T) {
	defer goleak.VerifyNone(t)
	l, err := measurePace(t.Context(), newFake(t), t.TempDir())
	if err != nil || len(l.visible) != paced-pacedWarm || len(l.acknowledged) != len(l.visible) {
		t.Fatalf("%d and %d measured, %v", len(l.acknowledged), len(l.visible), err)
	}
	if quantile(l.visible, 1) < quantile(l.acknowledged, 0) {
		t.Error("results were visible before the acknowledgement")
	}
}
