package wal

import (
	"encoding/binary"
	"errors"
	"sync"
	"testing"

	"github.com/polymath-run/polymath/internal/disk/disktest"
)

// TestStamp: each payload is stamped once, with the index it gets, and what a
// full disk refuses leaves its indexes to what comes next.
func TestStamp(t *testing.T) {
	fs := disktest.New(1)
	l := mustOpen(t, small(fs))
	c := NewStampedCommitter(l, Stamp{Bytes: 8, Fill: func(batch []Record) {
		for _, r := range batch {
			binary.LittleEndian.PutUint64(r.Payload, r.Index)
		}
	}})
	if c.MaxPayload() != l.MaxPayload()-8 {
		t.Fatalf("payloads of %d bytes and stamps of 8, where %d fit", c.MaxPayload(), l.MaxPayload())
	}
	fs.Fill(3 * MinSegmentBytes)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 100 {
				if _, err := c.Append(t.Context(), 0, []byte("payload")); errors.Is(err, ErrFull) {
					fs.Fill(100 * MinSegmentBytes)
				} else if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if c.Synced() < 790 {
		t.Fatalf("only %d of 800 records are stored", c.Synced())
	}
	for from := uint64(1); from <= c.Synced(); from++ {
		records, err := c.Next(t.Context(), from, 1)
		if err != nil {
			t.Fatal(err)
		}
		got := records[0].Payload
		if binary.LittleEndian.Uint64(got) != from || string(got[8:]) != "payload" {
			t.Fatalf("index %d holds %q", from, got)
		}
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestFailedIsAnnounced: whoever must stop the process can wait for it, and
// Close is not a failure.
func TestFailedIsAnnounced(t *testing.T) {
	fs := disktest.New(1)
	c := NewCommitter(mustOpen(t, small(fs)))
	if err := c.Err(); err != nil {
		t.Fatal(err)
	}
	fs.FailSync(1)
	if _, err := c.Append(t.Context(), 0, nil); !errors.Is(err, ErrFailed) {
		t.Fatal(err)
	}
	<-c.Failed()
	if err := c.Err(); !errors.Is(err, ErrFailed) {
		t.Fatal(err)
	}

	c = NewCommitter(mustOpen(t, small(disktest.New(1))))
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if err := c.Err(); !errors.Is(err, ErrClosed) {
		t.Fatal(err)
	}
	select {
	case <-c.Failed():
		t.Fatal("closing counts as a failure")
	default:
	}
}
