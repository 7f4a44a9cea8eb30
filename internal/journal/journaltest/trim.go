package journaltest

import (
	"errors"
	"slices"
	"testing"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/journal"
)

func testTrim(t testing.TB, h Harness) {
	j := h.Open(t)
	Append(t, j, numbered("trim", h.TrimEntries)...)
	all := Read(t, j, journal.Record{})
	last := all[len(all)-1]
	if err := j.Trim(t.Context(), polymath.Index{}); err != nil {
		t.Fatalf("trim of nothing: %v", err)
	}
	if n := len(Read(t, j, journal.Record{})); n != len(all) {
		t.Errorf("%d of %d entries after a trim of nothing", n, len(all))
	}
	for range 2 { // the second one finds nothing to do
		if err := j.Trim(t.Context(), last.Index); err != nil {
			t.Fatalf("trim: %v", err)
		}
	}
	check := func(when string) {
		t.Helper()
		err := j.Follow(t.Context(), polymath.Index{}, 0, func([]journal.Record) error { return errEnough })
		if !errors.Is(err, journal.ErrTrimmed) {
			t.Errorf("%s, from the beginning: %v, want ErrTrimmed", when, err)
		}
		if tail, err := j.Tail(t.Context()); err != nil || tail.Compare(last.Index) < 0 {
			t.Errorf("%s, tail %v, %v, want at least %v", when, tail, err, last.Index)
		}
	}
	check("after the trim")
	Append(t, j, "next")
	if got := Texts(Read(t, j, last)); !slices.Equal(got, []string{"next"}) {
		t.Errorf("after the trimmed entries: %q", got)
	}
	mustClose(t, j)
	j = h.Open(t)
	if err := j.Trim(t.Context(), last.Index); err != nil { // trimming need not survive
		t.Fatalf("trim: %v", err)
	}
	check("reopened")
	if got := Texts(Read(t, j, last)); !slices.Equal(got, []string{"next"}) {
		t.Errorf("reopened, after the trimmed entries: %q", got)
	}
	ahead := last.Index
	ahead.Position += 1 << 20
	if err := j.Trim(t.Context(), ahead); err != nil {
		t.Errorf("trim of what is not there yet: %v", err)
	}
	Append(t, j, "later")
	if tail, err := j.Tail(t.Context()); err != nil || tail.Position != last.Index.Position+2 {
		t.Errorf("tail after that: %v, %v", tail, err)
	}
	mustClose(t, j)
}

// testTrimBehindFollower trims what a follower has read while it goes on: it
// gets every entry all the same.
func testTrimBehindFollower(t testing.TB, h Harness) {
	j := h.Open(t)
	entries := numbered("follow", 2*h.TrimEntries)
	done := make(chan error)
	go func() {
		for _, e := range entries {
			if err := j.Append(t.Context(), []byte(e)); err != nil {
				done <- err
				return
			}
		}
		done <- nil
	}()
	var all []journal.Record
	trims := 0
	err := j.Follow(t.Context(), polymath.Index{}, 0, func(batch []journal.Record) error {
		all = Keep(all, batch)
		if len(all)/100 > trims {
			trims++
			if err := j.Trim(t.Context(), batch[0].Index); err != nil {
				return err
			}
		}
		if len(all) >= len(entries) {
			return errEnough
		}
		return nil
	})
	if !errors.Is(err, errEnough) {
		t.Errorf("follow: %v", err)
	}
	if err := <-done; err != nil {
		t.Fatalf("append: %v", err)
	}
	CheckChain(t, journal.Record{}, all)
	if !slices.Equal(Texts(all), entries) {
		t.Error("the follower got other entries than were appended")
	}
	mustClose(t, j)
}
