package journaltest

import (
	"errors"
	"slices"
	"sync"
	"testing"

	"github.com/polymath-run/polymath/internal/journal"
)

func testReopen(t testing.TB, h Harness) {
	var want []string
	for range 5 {
		j := h.Open(t)
		before := Read(t, j, journal.Record{})
		if !slices.Equal(Texts(before), want) {
			t.Fatalf("opened with %d entries, want %d", len(before), len(want))
		}
		entries := numbered("reopen", 30)
		Append(t, j, entries...)
		want = append(want, entries...)
		mustClose(t, j)
	}
}

// testCrash crashes while many append, again and again: whatever was
// acknowledged is there, whatever a follower saw too, in the order of each writer.
func testCrash(t testing.TB, h Harness) {
	var known journal.Record // the newest entry of former rounds
	for round := range 10 {
		j := h.Open(t)
		var told *Outcome
		var wg sync.WaitGroup
		wg.Go(func() { told = appendMany(t.Context(), j, 8, 10_000) })
		seen := followTo(t, j, known, known.Index.Position+uint64(20*round))
		h.Crash(t)
		wg.Wait()
		j = h.Open(t)
		records := Read(t, j, known)
		told.Check(t, records)
		checkWriters(t, records)
		if len(records) < len(seen) || !slices.Equal(Texts(records[:len(seen)]), Texts(seen)) {
			t.Errorf("a follower saw %d entries that are not there any more", len(seen))
		}
		if n := len(records); n > 0 {
			known = records[n-1]
		}
		mustClose(t, j)
	}
}

// testFail is an append of which nobody knows how it ended.
func testFail(t testing.TB, h Harness, stored bool) {
	j := h.Open(t)
	Append(t, j, "before")
	h.Fail(t, stored)
	err := j.Append(t.Context(), []byte("unknown"))
	if err == nil || errors.Is(err, journal.ErrNotAppended) {
		t.Fatalf("append: %v, want an error that leaves it open", err)
	}
	_ = j.Close() // of a journal that may have failed
	j = h.Open(t)
	Append(t, j, "after")
	texts := Texts(Read(t, j, journal.Record{}))
	if there := slices.Contains(texts, "unknown"); there != stored {
		t.Errorf("stored is %t, and the journal holds %q", stored, texts)
	}
	if texts[0] != "before" || !slices.Contains(texts, "after") {
		t.Errorf("the journal holds %q", texts)
	}
	mustClose(t, j)
}

// testLostTail takes away the end of the journal: nobody goes on from there
// unaware, and what comes in its place has later indexes.
func testLostTail(t testing.TB, h Harness) {
	j := h.Open(t)
	Append(t, j, "kept-1", "kept-2")
	lose := h.Mark(t)
	Append(t, j, "lost-3", "lost-4")
	before := Read(t, j, journal.Record{})
	kept, lost := before[:2], before[2:]
	mustClose(t, j)
	lose()

	j = h.Open(t)
	diverged := func(when string) {
		t.Helper()
		for _, r := range lost {
			err := j.Follow(t.Context(), r.Index, r.Sum, func([]journal.Record) error { return errEnough })
			if !errors.Is(err, journal.ErrDiverged) {
				t.Errorf("%s, after the lost %v: %v, want ErrDiverged", when, r.Index, err)
			}
		}
	}
	diverged("at once")
	Append(t, j, "lost-3", "new-4", "new-5") // the same entry at the same place is another one
	diverged("with new entries")
	got := Read(t, j, kept[1])
	if !slices.Equal(Texts(got), []string{"lost-3", "new-4", "new-5"}) {
		t.Fatalf("after what was kept: %q", Texts(got))
	}
	if newest := lost[len(lost)-1]; got[0].Index.Compare(newest.Index) <= 0 {
		t.Errorf("the new entry has index %v, the lost ones reached %v", got[0].Index, newest.Index)
	}
	mustClose(t, j)
}
