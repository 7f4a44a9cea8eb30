package journaltest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/journal"
)

func testOrder(t testing.TB, h Harness) {
	j := h.Open(t)
	if tail, err := j.Tail(t.Context()); err != nil || !tail.IsZero() {
		t.Errorf("tail of an empty journal: %v, %v", tail, err)
	}
	entries := numbered("order", 200)
	for i, e := range entries {
		Append(t, j, e)
		tail, err := j.Tail(t.Context())
		if want := (polymath.Index{Epoch: tail.Epoch, Position: uint64(i) + 1}); err != nil || tail != want {
			t.Fatalf("tail after %d entries: %v, %v", i+1, tail, err)
		}
	}
	records := Read(t, j, journal.Record{})
	if !slices.Equal(Texts(records), entries) {
		t.Errorf("read %.20q", Texts(records))
	}
	for i, r := range records {
		if rest := Texts(Read(t, j, r)); !slices.Equal(rest, entries[i+1:]) {
			t.Fatalf("after %v: %.20q", r.Index, rest)
		}
	}
	mustClose(t, j)
}

// testFollowers starts followers at many places at many times, while many
// append: all of them see the same entries, each once.
func testFollowers(t testing.TB, h Harness) {
	const writers, each = 8, 100
	j := h.Open(t)
	var told *Outcome
	var wg sync.WaitGroup
	wg.Go(func() { told = appendMany(t.Context(), j, writers, each) })

	var all []journal.Record // what the first follower got
	var others sync.Mutex
	started := map[uint64][]journal.Record{} // what followers got, by the position before
	start := func(from journal.Record) {
		records := followTo(t, j, from, writers*each)
		others.Lock()
		defer others.Unlock()
		started[from.Index.Position] = records
	}
	wg.Go(func() { start(journal.Record{}) })
	err := j.Follow(t.Context(), polymath.Index{}, 0, func(batch []journal.Record) error {
		for _, r := range batch {
			all = Keep(all, []journal.Record{r})
			if from := all[len(all)-1]; len(all)%40 == 0 {
				wg.Go(func() { start(from) })
			}
		}
		if len(all) >= writers*each {
			return errEnough
		}
		return nil
	})
	wg.Wait()
	if !errors.Is(err, errEnough) {
		t.Fatalf("follow: %v", err)
	}
	CheckChain(t, journal.Record{}, all)
	told.Check(t, all)
	if len(told.Appended) != writers*each {
		t.Errorf("%d entries acknowledged, want %d", len(told.Appended), writers*each)
	}
	checkWriters(t, all)
	for position, got := range started {
		if !slices.Equal(Texts(got), Texts(all[position:])) {
			t.Errorf("the follower from %d got something else", position)
		}
	}
	mustClose(t, j)
}

// followTo follows until an entry has a position.
func followTo(t testing.TB, j journal.Journal, from journal.Record, position uint64) []journal.Record {
	records := []journal.Record{}
	if from.Index.Position == position {
		return records
	}
	err := j.Follow(t.Context(), from.Index, from.Sum, func(batch []journal.Record) error {
		records = Keep(records, batch)
		if records[len(records)-1].Index.Position >= position {
			return errEnough
		}
		return nil
	})
	if !errors.Is(err, errEnough) {
		t.Errorf("follow after %v: %v", from.Index, err)
	}
	return records
}

// checkWriters proves that each writer's entries are in the order in which it
// appended them: it waited for one before the next.
func checkWriters(t testing.TB, records []journal.Record) {
	t.Helper()
	last := map[string]int{}
	for _, text := range Texts(records) {
		var writer, number int
		if _, err := fmt.Sscanf(text, "writer-%d/%d", &writer, &number); err != nil {
			t.Fatalf("entry %.20q: %v", text, err)
		}
		name := fmt.Sprint(writer)
		if number != last[name] {
			t.Fatalf("writer %d: entry %d where %d was next", writer, number, last[name])
		}
		last[name]++
	}
}

// testYield is what a follower may rely on beside the entries.
func testYield(t testing.TB, h Harness) {
	j := h.Open(t)
	Append(t, j, "one", "two")
	boom := errors.New("yield failed")
	calls := 0
	err := j.Follow(t.Context(), polymath.Index{}, 0, func(batch []journal.Record) error {
		calls++
		if len(batch) == 0 {
			t.Error("yield got nothing")
		}
		return boom
	})
	if !errors.Is(err, boom) || calls != 1 {
		t.Errorf("a yield that fails: %v after %d calls", err, calls)
	}
	ctx, cancel := context.WithCancel(t.Context())
	seen := 0
	err = j.Follow(ctx, polymath.Index{}, 0, func(batch []journal.Record) error {
		if seen += len(batch); seen == 2 {
			cancel()
		}
		return nil
	})
	if !errors.Is(err, context.Canceled) || seen != 2 {
		t.Errorf("a context that ends: %v after %d entries", err, seen)
	}
	if err := j.Append(ctx, []byte("late")); err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("append with a context that has ended: %v", err)
	}
	mustClose(t, j)
}

// testPlace follows from places that the journal never had.
func testPlace(t testing.TB, h Harness) {
	j := h.Open(t)
	none := func([]journal.Record) error { return errEnough }
	if err := j.Follow(t.Context(), polymath.Index{Epoch: 1, Position: 1}, 1, none); !errors.Is(err, journal.ErrDiverged) {
		t.Errorf("in an empty journal: %v, want ErrDiverged", err)
	}
	Append(t, j, "one", "two", "three")
	r := Read(t, j, journal.Record{})[1]
	later, newer := r.Index, r.Index
	later.Position += 10
	newer.Epoch++
	for name, c := range map[string]journal.Record{
		"another checksum": {Index: r.Index, Sum: r.Sum + 1},
		"beyond the tail":  {Index: later, Sum: r.Sum},
		"another epoch":    {Index: newer, Sum: r.Sum},
		"before the first": {Sum: 1},
	} {
		if err := j.Follow(t.Context(), c.Index, c.Sum, none); !errors.Is(err, journal.ErrDiverged) {
			t.Errorf("%s: %v, want ErrDiverged", name, err)
		}
	}
	if err := j.Follow(t.Context(), r.Index, r.Sum, none); !errors.Is(err, errEnough) {
		t.Errorf("from where it was: %v", err)
	}
	mustClose(t, j)
}
