package wal

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/polymath-run/polymath/internal/disk/disktest"
)

func TestCommitterConcurrent(t *testing.T) {
	fs := disktest.New(1)
	c := NewCommitter(mustOpen(t, small(fs)))
	const writers, each, followers = 16, 200, 3
	var stored sync.Map
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			last := uint64(0)
			for i := range each {
				text := fmt.Sprintf("%d/%d", w, i)
				index, err := c.Append(t.Context(), uint32(w), []byte(text))
				if err != nil || index <= last {
					t.Errorf("append %s: index %d after %d, %v", text, index, last, err)
					return
				}
				if index > c.Synced() {
					t.Errorf("index %d acknowledged while %d is synced", index, c.Synced())
				}
				last = index
				stored.Store(index, text)
			}
		})
	}
	seen := make([][]Record, followers)
	for f := range followers {
		wg.Go(func() {
			for len(seen[f]) < writers*each {
				records, err := c.Next(t.Context(), uint64(len(seen[f]))+1, 10<<f)
				if err != nil {
					t.Errorf("follow: %v", err)
					return
				}
				seen[f] = append(seen[f], records...)
			}
		})
	}
	wg.Wait()
	for f := range followers {
		for i, r := range seen[f] {
			text, _ := stored.Load(r.Index)
			if r.Index != uint64(i)+1 || text != string(r.Payload) {
				t.Fatalf("follower %d: record %d is %d %q, want %q", f, i+1, r.Index, r.Payload, text)
			}
		}
	}
	stats := c.Stats()
	if stats.Records != writers*each || stats.Syncs > stats.Records || stats.Bytes == 0 {
		t.Fatalf("stats %+v", stats)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Append(t.Context(), 0, nil); !errors.Is(err, ErrNotAppended) || !errors.Is(err, ErrClosed) {
		t.Fatalf("append after close: %v", err)
	}
}
