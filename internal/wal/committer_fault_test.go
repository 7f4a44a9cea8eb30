package wal

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/polymath-run/polymath/internal/disk"
	"github.com/polymath-run/polymath/internal/disk/disktest"
)

// TestCommitterCrash lets the power fail under many callers: what one of them
// was told of is there afterwards. It stands first, for
// the tests below would wait for ever for a sync that is missing.
func TestCommitterCrash(t *testing.T) {
	for op := range 120 {
		fs := disktest.New(uint64(op))
		c := NewCommitter(mustOpen(t, small(fs)))
		fs.CrashAt(fs.Ops() + op)
		var acked sync.Map
		var wg sync.WaitGroup
		for w := range 4 {
			wg.Go(func() {
				for i := range 10_000 { // the crash comes long before
					text := fmt.Sprintf("%d/%d", w, i)
					index, err := c.Append(context.Background(), uint32(w), []byte(text))
					if err != nil {
						return
					}
					acked.Store(index, text)
				}
			})
		}
		wg.Wait()
		if err := c.Close(); err == nil {
			t.Fatalf("operation %d: closes well on a crashed disk", op)
		}
		l := mustOpen(t, small(fs.Restart()))
		acked.Range(func(index, text any) bool {
			records, err := l.Read(index.(uint64), 1)
			if err != nil || len(records) == 0 || string(records[0].Payload) != text {
				t.Fatalf("operation %d: index %v, acknowledged as %v: %v, %v", op, index, text, records, err)
			}
			return true
		})
	}
}

// gate is a disk whose syncs wait at a gate once it is shut.
type gate struct {
	disk.FS
	mu      sync.Mutex
	open    chan struct{} // nil: open; else closed to open it
	arrived chan struct{} // one token for each sync that waits
}

func (g *gate) shut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.open = make(chan struct{})
}

func (g *gate) lift() {
	g.mu.Lock()
	defer g.mu.Unlock()
	close(g.open)
	g.open = nil
}

func (g *gate) Open(name string, create bool) (disk.File, error) {
	f, err := g.FS.Open(name, create)
	return gatedFile{f, g}, err
}

type gatedFile struct {
	disk.File
	gate *gate
}

func (f gatedFile) Sync() error {
	f.gate.mu.Lock()
	open := f.gate.open
	f.gate.mu.Unlock()
	if open != nil {
		f.gate.arrived <- struct{}{}
		<-open
	}
	return f.File.Sync()
}

// gated returns a committer that stands in a sync: record 1 is on its way.
func gated(t *testing.T) (c *Committer, g *gate, inFlight func() error) {
	t.Helper()
	g = &gate{FS: disktest.New(1), arrived: make(chan struct{}, 1)}
	c = NewCommitter(mustOpen(t, small(g)))
	g.shut()
	result := make(chan error, 1)
	go func() {
		_, err := c.Append(context.Background(), 0, []byte("in flight"))
		result <- err
	}()
	<-g.arrived
	return c, g, func() error { return <-result }
}

func TestContextEndsWhileQueued(t *testing.T) {
	c, g, inFlight := gated(t)
	ctx, cancel := context.WithCancel(t.Context())
	const waiting = 10
	results := make(chan error, waiting)
	for range waiting {
		go func() {
			_, err := c.Append(ctx, 0, []byte("queued"))
			results <- err
		}()
	}
	cancel()
	for range waiting {
		if err := <-results; !errors.Is(err, ErrNotAppended) || !errors.Is(err, context.Canceled) {
			t.Fatalf("append that never left the queue: %v", err)
		}
	}
	g.lift()
	if err := inFlight(); err != nil {
		t.Fatal(err)
	}
	if c.Synced() != 1 {
		t.Fatalf("%d records are stored, want 1", c.Synced())
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestContextEndsInFlight(t *testing.T) {
	g := &gate{FS: disktest.New(1), arrived: make(chan struct{}, 1)}
	c := NewCommitter(mustOpen(t, small(g)))
	g.shut()
	ctx, cancel := context.WithCancel(t.Context())
	result := make(chan error)
	go func() {
		_, err := c.Append(ctx, 0, nil)
		result <- err
	}()
	<-g.arrived
	cancel()
	if err := <-result; errors.Is(err, ErrNotAppended) || !errors.Is(err, context.Canceled) {
		t.Fatalf("append whose outcome is unknown: %v", err)
	}
	g.lift()
	if records, err := c.Next(t.Context(), 1, 1); err != nil || len(records) != 1 {
		t.Fatalf("it was stored all the same, but: %v, %v", records, err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestBackPressure: the queue is bounded, and who finds it full waits until
// there is room or its context ends.
func TestBackPressure(t *testing.T) {
	c, g, inFlight := gated(t)
	var wg sync.WaitGroup
	for range maxQueued + 100 {
		wg.Go(func() {
			if _, err := c.Append(context.Background(), 0, nil); err != nil {
				t.Error(err)
			}
		})
	}
	full := func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		if len(c.queue) > maxQueued {
			t.Errorf("%d in the queue, at most %d", len(c.queue), maxQueued)
		}
		return len(c.queue) == maxQueued && c.room != nil
	}
	for !full() {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := c.Append(ctx, 0, nil); err != nil && !errors.Is(err, ErrNotAppended) {
			t.Error(err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Append(ctx, 0, nil); !errors.Is(err, ErrNotAppended) {
		t.Errorf("append to a full queue whose context has ended: %v", err)
	}
	g.lift()
	wg.Wait()
	if err := errors.Join(inFlight(), c.Close()); err != nil {
		t.Fatal(err)
	}
}

func TestCommitterFullDisk(t *testing.T) {
	fs := disktest.New(1)
	c := NewCommitter(mustOpen(t, small(fs)))
	fs.Fill(2 * MinSegmentBytes)
	payload := make([]byte, 1000)
	var err error
	for err == nil {
		_, err = c.Append(t.Context(), 0, payload)
	}
	if !errors.Is(err, ErrNotAppended) || !errors.Is(err, ErrFull) {
		t.Fatalf("append to a full disk: %v", err)
	}
	stored := c.Synced()
	fs.Fill(3 * MinSegmentBytes)
	if index, err := c.Append(t.Context(), 0, payload); err != nil || index != stored+1 {
		t.Fatalf("append when there is room again: %d, %v", index, err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestCommitterTrim(t *testing.T) {
	fs := disktest.New(1)
	c := NewCommitter(mustOpen(t, small(fs)))
	for range 40 {
		if _, err := c.Append(t.Context(), 0, make([]byte, 1000)); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Trim(c.Synced()); err != nil {
		t.Fatal(err)
	}
	if got, want := fs.Used(), int64(1+DefaultSpareSegments)*MinSegmentBytes; got != want {
		t.Fatalf("%d bytes are in use when Trim returns, want %d", got, want)
	}
	if _, err := c.Next(t.Context(), c.First()-1, 1); !errors.Is(err, ErrTrimmed) {
		t.Fatalf("next below first: %v", err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestCommitterFails: the append whose sync failed has no known outcome, those
// behind it are surely not stored, and followers are told.
func TestCommitterFails(t *testing.T) {
	g := &gate{FS: disktest.New(1), arrived: make(chan struct{}, 1)}
	c := NewCommitter(mustOpen(t, small(g)))
	g.FS.(*disktest.Crash).FailSync(1)
	g.shut()
	results := make(chan error, 2)
	add := func() {
		_, err := c.Append(context.Background(), 0, nil)
		results <- err
	}
	follower := make(chan error)
	go func() {
		_, err := c.Next(context.Background(), 1, 1)
		follower <- err
	}()
	go add()
	<-g.arrived
	go add()
	for queued := false; !queued; {
		c.mu.Lock()
		queued = len(c.queue) == 1
		c.mu.Unlock()
	}
	g.lift()
	first, second := <-results, <-results
	if errors.Is(first, ErrNotAppended) {
		first, second = second, first
	}
	if !errors.Is(first, ErrFailed) || errors.Is(first, ErrNotAppended) {
		t.Fatalf("append whose sync failed: %v", first)
	}
	if !errors.Is(second, ErrFailed) || !errors.Is(second, ErrNotAppended) {
		t.Fatalf("append behind it: %v", second)
	}
	if err := <-follower; !errors.Is(err, ErrFailed) {
		t.Fatalf("follower: %v", err)
	}
	if err := c.Close(); !errors.Is(err, ErrFailed) {
		t.Fatalf("close: %v", err)
	}
}

func TestNextEnds(t *testing.T) {
	c := NewCommitter(mustOpen(t, small(disktest.New(1))))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Next(ctx, 1, 1); !errors.Is(err, context.Canceled) {
		t.Fatalf("context ended: %v", err)
	}
	follower := make(chan error)
	go func() {
		_, err := c.Next(context.Background(), 1, 1)
		follower <- err
	}()
	if err := errors.Join(c.Close(), c.Close()); err != nil {
		t.Fatal(err)
	}
	if err := <-follower; !errors.Is(err, ErrClosed) {
		t.Fatalf("closed: %v", err)
	}
}

// TestTail drops old records by size, and reads stay what they were.
func TestTail(t *testing.T) {
	ring := tail{next: 1}
	half := make([]byte, tailBytes/2)
	ring.push([]Record{{Index: 1, Payload: half}, {Index: 2}, {Index: 3}})
	early := ring.read(2, tailBytes)
	if len(early) != 2 || len(ring.read(3, 1)) != 1 || len(ring.read(1, 1)) != 1 {
		t.Fatalf("reads %d, %d, %d records", len(early), len(ring.read(3, 1)), len(ring.read(1, 1)))
	}
	ring.push([]Record{{Index: 4, Payload: half}})
	if ring.read(1, 1) != nil || ring.read(2, 1)[0].Index != 2 {
		t.Fatal("the oldest record alone must be dropped")
	}
	ring.push([]Record{{Index: 5, Payload: make([]byte, 3*tailBytes)}})
	if ring.read(4, 1) != nil || ring.read(5, 1)[0].Index != 5 {
		t.Fatal("the newest record must stay, however large")
	}
	if indexes := []uint64{early[0].Index, early[1].Index}; !slices.Equal(indexes, []uint64{2, 3}) {
		t.Fatalf("a read changed under its reader: %v", indexes)
	}
}

// TestTailReads every record of a tail of many chunks, from every place, with
// payloads from none to more than a chunk, and what is not there is the oldest.
func TestTailReads(t *testing.T) {
	ring := tail{next: 1}
	for len(ring.chunks) < 20 || ring.read(1, 1) != nil {
		batch := make([]Record, 1+ring.next%300)
		for i := range batch {
			index := ring.next + uint64(i)
			batch[i].Index, batch[i].Payload = index, make([]byte, index*index%700)
			if index%2000 == 0 {
				batch[i].Payload = make([]byte, chunkBytes+1)
			}
		}
		ring.push(batch)
	}
	oldest, sum := uint64(0), 0
	for from := uint64(1); from < ring.next; from++ {
		records := ring.read(from, 1000)
		if records == nil && oldest == 0 {
			continue
		}
		if oldest == 0 {
			oldest = from
		}
		size := 0
		for i, r := range records {
			if r.Index != from+uint64(i) || size >= 1000 {
				t.Fatalf("record %d from %d is %d, after %d bytes", i, from, r.Index, size)
			}
			size += len(r.Payload)
		}
		if len(records) == 0 || cap(records) != len(records) {
			t.Fatalf("from %d: %d records in room for %d", from, len(records), cap(records))
		}
		sum += len(records[0].Payload) + recordBytes
	}
	if sum != ring.bytes || sum > tailBytes || sum < tailBytes-2*chunkBytes {
		t.Fatalf("%d bytes from record %d on, counted as %d", sum, oldest, ring.bytes)
	}
}
