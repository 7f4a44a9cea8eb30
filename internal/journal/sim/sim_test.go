package sim

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/journal"
	"github.com/polymath-run/polymath/internal/journal/journaltest"
)

// worst has every fault.
func worst(seed uint64, maxLoss int) Options {
	return Options{Seed: seed, MaxLoss: maxLoss, Odds: Odds{
		Refused: 0.1, Lost: 0.1, Unreported: 0.1, Delayed: 0.1, Duplicated: 0.1, Crash: 0.02, IdleTrim: 0.5,
	}}
}

// drive appends n entries, opens again after each crash, and returns what it was
// told with a transcript of all that happened.
func drive(t *testing.T, e *Engine, n int) (told *journaltest.Outcome, transcript string) {
	t.Helper()
	told = &journaltest.Outcome{}
	var lines strings.Builder
	j := e.Open()
	for i := range n {
		entry := fmt.Sprintf("entry-%d", i)
		err := j.Append(t.Context(), []byte(entry))
		told.Note(entry, err)
		if errors.Is(err, ErrCrashed) {
			if _, err := j.Tail(t.Context()); !errors.Is(err, ErrCrashed) {
				t.Fatalf("tail after a crash: %v", err)
			}
			j = e.Open()
		}
		tail, err := j.Tail(t.Context())
		fmt.Fprintln(&lines, entry, err, tail)
	}
	e.Settle()
	for _, r := range journaltest.Read(t, j, journal.Record{}) {
		fmt.Fprintf(&lines, "%v %x %s\n", r.Index, r.Sum, r.Entry)
	}
	return told, lines.String()
}

// Under every fault at once the journal keeps the contract; each fault happens;
// the same seed gives the same.
func TestFaults(t *testing.T) {
	var counts [faultEnd]int
	for seed := range uint64(50) {
		e := New(worst(seed, 0))
		told, transcript := drive(t, e, 200)
		told.Check(t, journaltest.Read(t, e.Open(), journal.Record{}))
		if _, again := drive(t, New(worst(seed, 0)), 200); again != transcript {
			t.Fatalf("seed %d: two runs differ", seed)
		}
		for f := range faultEnd {
			counts[f] += e.Count(f)
		}
	}
	for f, n := range counts {
		if n == 0 {
			t.Errorf("%v never happened", Fault(f))
		}
	}
	_, one := drive(t, New(worst(1, 0)), 200)
	if _, two := drive(t, New(worst(2, 0)), 200); one == two {
		t.Error("another seed gave the same run")
	}
}

// Each fault, planned, does what it says.
func TestPlan(t *testing.T) {
	for _, c := range []struct {
		fault        Fault
		refused      bool
		now, settled int // how many times the entry is there
	}{
		{fault: Refused, refused: true},
		{fault: Lost},
		{fault: Unreported, now: 1, settled: 1},
		{fault: Delayed, settled: 1},
		{fault: Duplicated, now: 1, settled: 2},
	} {
		t.Run(c.fault.String(), func(t *testing.T) {
			e := New(Options{Seed: 1})
			j := e.Open()
			e.Plan(c.fault)
			err := j.Append(t.Context(), []byte("x"))
			if err == nil || errors.Is(err, journal.ErrNotAppended) != c.refused || errors.Is(err, ErrUnknown) == c.refused {
				t.Errorf("append: %v", err)
			}
			if n := e.Len(); n != c.now {
				t.Errorf("there %d times at once, want %d", n, c.now)
			}
			e.Settle()
			if n := e.Len(); n != c.settled {
				t.Errorf("there %d times in the end, want %d", n, c.settled)
			}
			journaltest.Append(t, j, "next")
		})
	}
}

// What is on its way appears while others call, and not after a crash.
func TestDelayed(t *testing.T) {
	for _, crash := range []bool{false, true} {
		e := New(Options{Seed: 1})
		j := e.Open()
		e.Plan(Delayed)
		if err := j.Append(t.Context(), []byte("late")); !errors.Is(err, ErrUnknown) {
			t.Fatal(err)
		}
		if crash {
			e.Crash()
			j = e.Open()
		}
		for range maxDelay {
			if _, err := j.Tail(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if there := e.Len() == 1; there == crash {
			t.Errorf("crash is %t, and the entry is there: %t", crash, there)
		}
	}
}

// An engine that loses its tail loses no more than it says, and whoever has seen
// what was lost is told.
func TestLoss(t *testing.T) {
	const maxLoss = 5
	lost := 0
	for seed := range uint64(100) {
		e := New(Options{Seed: seed, MaxLoss: maxLoss})
		j := e.Open()
		for i := range 20 {
			journaltest.Append(t, j, fmt.Sprint(i))
		}
		before := journaltest.Read(t, j, journal.Record{})
		e.Crash()
		j = e.Open()
		journaltest.Append(t, j, "after")
		after := journaltest.Read(t, j, journal.Record{})
		kept := len(after) - 1
		if kept < len(before)-maxLoss || !slices.Equal(journaltest.Texts(after[:kept]), journaltest.Texts(before[:kept])) {
			t.Fatalf("seed %d: %d of %d entries are left", seed, kept, len(before))
		}
		if after[kept].Index.Epoch != 2 {
			t.Errorf("seed %d: index %v after the crash", seed, after[kept].Index)
		}
		newest := before[len(before)-1]
		err := j.Follow(t.Context(), newest.Index, newest.Sum, func([]journal.Record) error { return errSeen })
		if gone := kept < len(before); gone != errors.Is(err, journal.ErrDiverged) {
			t.Errorf("seed %d: %d left, follow after the newest: %v", seed, kept, err)
		}
		lost += len(before) - kept
	}
	if lost == 0 {
		t.Error("nothing was ever lost")
	}
}

var errSeen = errors.New("seen")

// A follower who waits when the tail is lost is told at once.
func TestLoseTailUnderFollower(t *testing.T) {
	e := New(Options{Seed: 1})
	j := e.Open()
	journaltest.Append(t, j, "kept", "lost")
	err := j.Follow(t.Context(), polymath.Index{}, 0, func(batch []journal.Record) error {
		e.LoseTail(1)
		return nil
	})
	if !errors.Is(err, journal.ErrDiverged) {
		t.Errorf("follow: %v, want ErrDiverged", err)
	}
}

// Whoever keeps what yield got finds other bytes there.
func TestBatchIsOverwritten(t *testing.T) {
	j := New(Options{Seed: 1}).Open()
	journaltest.Append(t, j, "keep me not")
	var kept []byte
	err := j.Follow(t.Context(), polymath.Index{}, 0, func(batch []journal.Record) error {
		if kept != nil {
			return errSeen
		}
		kept = batch[0].Entry
		return j.Append(t.Context(), []byte("next"))
	})
	if !errors.Is(err, errSeen) || string(kept) == "keep me not" {
		t.Errorf("%v, kept %q", err, kept)
	}
}

// Of appends whose callers give up on a held engine some appear all the same,
// and the callers know which may not.
func TestHold(t *testing.T) {
	e := New(Options{Seed: 1})
	j := e.Open()
	e.Hold()
	ctx, cancel := context.WithCancel(t.Context())
	told := &journaltest.Outcome{}
	var calling, wg sync.WaitGroup
	for i := range 100 {
		entry := fmt.Sprint(i)
		calling.Add(1)
		wg.Go(func() {
			calling.Done()
			told.Note(entry, j.Append(ctx, []byte(entry)))
		})
	}
	calling.Wait()
	cancel()
	wg.Wait()
	e.Release()
	e.Settle()
	told.Check(t, journaltest.Read(t, j, journal.Record{}))
	if e.waiting != 0 {
		t.Errorf("%d appends are still taken for waiting", e.waiting)
	}
}

// Many goroutines, every fault: what was acknowledged is there once.
func TestConcurrentFaults(t *testing.T) {
	e := New(worst(1, 0))
	told := &journaltest.Outcome{}
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			j := e.Open()
			for i := range 100 {
				entry := fmt.Sprintf("%d/%d", w, i)
				err := j.Append(t.Context(), []byte(entry))
				if told.Note(entry, err); errors.Is(err, ErrCrashed) {
					j = e.Open()
				}
			}
		})
	}
	wg.Wait()
	e.Settle()
	told.Check(t, journaltest.Read(t, e.Open(), journal.Record{}))
}
