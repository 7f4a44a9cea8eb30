package journaltest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/journal"
)

func testSizes(t testing.TB, h Harness) {
	j := h.Open(t)
	limits := j.Limits()
	if limits.Survives == "" || limits.MaxEntry < 1 {
		t.Fatalf("limits %+v", limits)
	}
	largest := bytes.Repeat([]byte{'x'}, limits.MaxEntry)
	for _, entry := range [][]byte{nil, {}, append(largest, 'y')} {
		if err := j.Append(t.Context(), entry); !errors.Is(err, journal.ErrNotAppended) {
			t.Errorf("an entry of %d bytes: %v, want ErrNotAppended", len(entry), err)
		}
	}
	for _, entry := range [][]byte{{0}, largest} {
		want := bytes.Clone(entry)
		if err := j.Append(t.Context(), entry); err != nil {
			t.Fatalf("an entry of %d bytes: %v", len(entry), err)
		}
		clear(entry) // it is the caller's again
		records := Read(t, j, journal.Record{})
		if got := records[len(records)-1].Entry; !bytes.Equal(got, want) {
			t.Errorf("an entry of %d bytes came back with %d, or changed", len(want), len(got))
		}
	}
	if n := len(Read(t, j, journal.Record{})); n != 2 {
		t.Errorf("%d entries, want the 2 that were allowed", n)
	}
	if again := j.Limits(); again != limits {
		t.Errorf("limits changed from %+v to %+v", limits, again)
	}
	mustClose(t, j)
}

func testClosed(t testing.TB, h Harness) {
	j := h.Open(t)
	Append(t, j, "one")
	reached, ended := make(chan struct{}), make(chan error)
	go func() {
		ended <- j.Follow(t.Context(), polymath.Index{}, 0, func([]journal.Record) error {
			close(reached)
			return nil
		})
	}()
	<-reached
	mustClose(t, j)
	mustClose(t, j)
	if err := <-ended; !errors.Is(err, journal.ErrClosed) {
		t.Errorf("follow that waited: %v, want ErrClosed", err)
	}
	if err := j.Append(t.Context(), []byte("two")); !errors.Is(err, journal.ErrClosed) {
		t.Errorf("append: %v, want ErrClosed", err)
	}
	if _, err := j.Tail(t.Context()); !errors.Is(err, journal.ErrClosed) {
		t.Errorf("tail: %v, want ErrClosed", err)
	}
	if err := j.Trim(t.Context(), polymath.Index{Epoch: 1, Position: 1}); !errors.Is(err, journal.ErrClosed) {
		t.Errorf("trim: %v, want ErrClosed", err)
	}
	err := j.Follow(t.Context(), polymath.Index{}, 0, func([]journal.Record) error { return errEnough })
	if !errors.Is(err, journal.ErrClosed) {
		t.Errorf("follow: %v, want ErrClosed", err)
	}
}

// testCloseWhileAppending closes while many append: each of them is told the
// truth.
func testCloseWhileAppending(t testing.TB, h Harness) {
	j := h.Open(t)
	var told *Outcome
	var wg sync.WaitGroup
	wg.Go(func() { told = appendMany(t.Context(), j, 8, 10_000) })
	followTo(t, j, journal.Record{}, 50)
	mustClose(t, j)
	wg.Wait()
	j = h.Open(t)
	told.Check(t, Read(t, j, journal.Record{}))
	mustClose(t, j)
}

// testStalled fills a stalled journal until Append blocks. The end of its
// context ends every wait, and only what is truly not there is said not to be.
func testStalled(t testing.TB, h Harness) {
	j := h.Open(t)
	Append(t, j, "before")
	resume := h.Stall(t)
	ctx, cancel := context.WithCancel(t.Context())
	told := &Outcome{Appended: []string{"before"}}
	var calling, wg sync.WaitGroup
	for i := range h.MaxStalled + 500 {
		entry := fmt.Sprintf("stalled-%d", i)
		calling.Add(1)
		wg.Go(func() {
			calling.Done()
			told.Note(entry, j.Append(ctx, []byte(entry)))
		})
	}
	calling.Wait()
	cancel()
	wg.Wait()
	if n := len(told.Appended) - 1; n > 0 {
		t.Errorf("%d entries acknowledged by a stalled journal", n)
	}
	if n := len(told.Unknown); n > h.MaxStalled {
		t.Errorf("%d entries on their way, at most %d promised", n, h.MaxStalled)
	}
	resume()
	Append(t, j, "after")
	told.Appended = append(told.Appended, "after")
	told.Check(t, Read(t, j, journal.Record{}))
	mustClose(t, j)
}

func testFull(t testing.TB, h Harness) {
	j := h.Open(t)
	free := h.Fill(t)
	told := &Outcome{}
	var err error
	for _, e := range numbered("full", 10_000) {
		err = j.Append(t.Context(), []byte(e))
		if told.Note(e, err); err != nil {
			break
		}
	}
	if !errors.Is(err, journal.ErrFull) || !errors.Is(err, journal.ErrNotAppended) {
		t.Fatalf("without space: %v, want ErrFull and ErrNotAppended", err)
	}
	told.Check(t, Read(t, j, journal.Record{}))
	free()
	Append(t, j, "with space")
	told.Appended = append(told.Appended, "with space")
	told.Check(t, Read(t, j, journal.Record{}))
	mustClose(t, j)
}
