package wal

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
)

// Limits of a Committer.
const (
	// maxQueued is how many appends wait at most; the next ones block. Far
	// more than share one sync in practice (70 of 64 clients' calls).
	maxQueued = 4096
	// maxQueuedBytes is how many bytes wait at most, beside one payload.
	maxQueuedBytes = 4 << 20
)

// Stats counts what a Committer has done since it was made.
type Stats struct {
	Records uint64 // made durable
	Bytes   uint64 // of their payloads
	Syncs   uint64 // batches made durable, each by one Sync of the log
}

// Stamp is for a user whose payloads begin with something that depends on where
// they come to lie, which nobody knows before the batch is written.
type Stamp struct {
	// Bytes is what is kept free in front of every payload given to Append.
	Bytes int
	// Fill writes these bytes: it may change the first Bytes of each payload
	// of the batch, whose indexes are set. Calls come one after the other. A
	// batch that is refused because the disk is full leaves its indexes to
	// the next one.
	Fill func(batch []Record)
}

// Committer shares one Log among many goroutines. While one batch is being
// synced the next one gathers: under load a sync is shared by all who wait, and
// without load nobody waits for company.
//
// All methods may be called by several goroutines at once.
type Committer struct {
	wake chan struct{} // one token: the queue may have something
	stop chan struct{} // closed by Close, after which nothing is queued
	done chan struct{} // closed when the committing goroutine has ended
	once sync.Once     // closes stop
	dead chan struct{} // closed when the log fails

	requests sync.Pool  // of *request, for use again
	taken    []*request // what run commits, or the room of it; owned by run
	batched  []Record   // room of commit for a batch; owned by run

	mu      sync.Mutex // guards what follows
	queue   []*request
	queued  int           // bytes in queue
	room    chan struct{} // closed when the queue is taken; nil: nobody waits
	news    chan struct{} // closed when the tail grows; nil: nobody waits
	first   uint64        // lowest index in the log
	tail    tail
	stats   Stats
	refusal error // why appends are refused, if they are

	owner sync.Mutex // held by the goroutine that uses log; before mu
	log   *Log
	stamp Stamp
	limit int // MaxPayload of the log, less the stamp
	batch int // MaxBatch of the log
}

// NewCommitter starts a committer, which owns the log from now on.
func NewCommitter(l *Log) *Committer {
	return NewStampedCommitter(l, Stamp{Fill: func([]Record) {}})
}

// NewStampedCommitter starts a committer that stamps what it appends. Next
// returns payloads with their stamps.
func NewStampedCommitter(l *Log, s Stamp) *Committer {
	c := &Committer{
		wake:  make(chan struct{}, 1),
		stop:  make(chan struct{}),
		done:  make(chan struct{}),
		dead:  make(chan struct{}),
		first: l.First(),
		tail:  tail{next: l.Synced() + 1},
		log:   l,
		stamp: s,
		limit: l.MaxPayload() - s.Bytes,
		batch: l.MaxBatch(),
	}
	c.requests.New = newRequest
	go c.run()
	return c
}

// MaxPayload is the largest payload that Append takes, in bytes.
func (c *Committer) MaxPayload() int { return c.limit }

// Append returns the index of a payload once it is durable. An error that wraps
// ErrNotAppended proves that it is not in the log: too large, the disk full,
// the log closed or failed before, or ctx ended while it waited. After any
// other error, that of ctx included, it may be there. The payload is copied.
func (c *Committer) Append(ctx context.Context, group uint32, payload []byte) (uint64, error) {
	if len(payload) > c.limit {
		return 0, fmt.Errorf("%w: %w: payload of %d bytes, at most %d", ErrNotAppended, ErrTooLarge, len(payload), c.limit)
	}
	stamped := make([]byte, c.stamp.Bytes, c.stamp.Bytes+len(payload))
	r := c.requests.Get().(*request)
	r.record = Record{Group: group, Payload: append(stamped, payload...)}
	if err := c.enqueue(ctx, r); err != nil {
		return 0, fmt.Errorf("%w: %w", ErrNotAppended, err)
	}
	select {
	case c.wake <- struct{}{}:
	default:
	}
	select {
	case <-r.done:
	case <-ctx.Done():
		if c.withdraw(r) {
			return 0, fmt.Errorf("%w: %w", ErrNotAppended, ctx.Err())
		}
		return 0, fmt.Errorf("wal: append, outcome unknown: %w", ctx.Err())
	}
	index, err := r.record.Index, r.err
	r.record, r.err = Record{}, nil
	c.requests.Put(r) // nobody else knows it any more
	return index, err
}

// enqueue waits for room in the queue.
func (c *Committer) enqueue(ctx context.Context, r *request) error {
	for {
		c.mu.Lock()
		if c.refusal != nil {
			defer c.mu.Unlock()
			return c.refusal
		}
		if len(c.queue) < maxQueued && c.queued < maxQueuedBytes {
			c.queue = append(c.queue, r)
			c.queued += len(r.record.Payload)
			c.mu.Unlock()
			return nil
		}
		room := waiter(&c.room)
		c.mu.Unlock()
		select {
		case <-room:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// withdraw takes a request back, if it still waits.
func (c *Committer) withdraw(r *request) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, q := range c.queue {
		if q == r {
			c.queue = append(c.queue[:i], c.queue[i+1:]...)
			c.queued -= len(r.record.Payload)
			announce(&c.room)
			return true
		}
	}
	return false
}

// waiter returns the channel that announce closes.
func waiter(c *chan struct{}) <-chan struct{} {
	if *c == nil {
		*c = make(chan struct{})
	}
	return *c
}

func announce(c *chan struct{}) {
	if *c != nil {
		close(*c)
		*c = nil
	}
}

// run commits until Close, and then what was queued before it.
func (c *Committer) run() {
	defer close(c.done)
	for stopped := false; !stopped; {
		select {
		case <-c.wake:
		case <-c.stop:
			stopped = true
		}
		runtime.Gosched() // those just woken append again now, not one batch later
		c.take()
		for rest := c.taken; len(rest) > 0; {
			n := fitting(rest, c.batch)
			c.commit(rest[:n])
			rest = rest[n:]
		}
		clear(c.taken) // they are their callers' again
	}
}

// take makes the queue what is taken, and the room of what was taken before the
// queue.
func (c *Committer) take() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.taken, c.queue, c.queued = c.queue, c.taken[:0], 0
	announce(&c.room)
}

// commit makes requests durable as one batch and wakes those who wait.
func (c *Committer) commit(requests []*request) {
	records := c.batched[:0]
	for _, r := range requests {
		records = append(records, r.record)
	}
	err := c.store(records)
	if err == nil {
		c.publish(records)
	} else if !errors.Is(err, ErrNotAppended) {
		c.refuse(err)
	}
	for i, r := range requests {
		if r.err = err; err == nil {
			r.record.Index = records[i].Index
		}
		r.done <- struct{}{}
	}
	clear(records) // the tail keeps payloads as long as anybody needs them
	c.batched = records
}

// store gives records their indexes and stamps, appends and syncs. It proves
// with ErrNotAppended that nothing was written.
func (c *Committer) store(records []Record) error {
	c.owner.Lock()
	defer c.owner.Unlock()
	if err := c.log.err; err != nil {
		return fmt.Errorf("%w: %w", ErrNotAppended, err)
	}
	for i := range records {
		records[i].Index = c.log.Next() + uint64(i)
	}
	c.stamp.Fill(records)
	_, err := c.log.Append(records)
	switch {
	case err == nil:
		return c.log.Sync()
	case errors.Is(err, ErrFull):
		return fmt.Errorf("%w: %w", ErrNotAppended, err)
	default:
		return err
	}
}

// publish hands durable records to the followers.
func (c *Committer) publish(records []Record) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stats.Syncs++
	c.stats.Records += uint64(len(records))
	for _, r := range records {
		c.stats.Bytes += uint64(len(r.Payload))
	}
	c.tail.push(records)
	announce(&c.news)
}

// refuse makes the committer refuse everything from now on.
func (c *Committer) refuse(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.refusal == nil {
		c.refusal = err
		if !errors.Is(err, ErrClosed) {
			close(c.dead)
		}
	}
	announce(&c.room)
	announce(&c.news)
}

// Failed is closed when the log has failed: Err says why, and the process must
// stop. It is not closed by Close.
func (c *Committer) Failed() <-chan struct{} { return c.dead }

// Err says why appends are refused, ErrClosed after Close; nil when they are not.
func (c *Committer) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.refusal
}

// Synced returns the highest durable index.
func (c *Committer) Synced() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.tail.next - 1
}

// First returns the lowest index that Next can return.
func (c *Committer) First() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.first
}

// Stats returns the counts so far.
func (c *Committer) Stats() Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stats
}

// Next is how to follow the log: it waits until the record at an index is
// durable, then returns it and those after it, at least one and no more after
// their payloads reach limit bytes together. A follower who keeps up is served
// from memory. The payloads are shared: do not change them. ErrTrimmed below
// First; the error of ctx, ErrClosed or ErrFailed when waiting is over.
func (c *Committer) Next(ctx context.Context, from uint64, limit int) ([]Record, error) {
	for {
		c.mu.Lock()
		if from < c.first {
			defer c.mu.Unlock()
			return nil, fmt.Errorf("%w: index %d, the log begins at %d", ErrTrimmed, from, c.first)
		}
		if from < c.tail.next {
			records := c.tail.read(from, limit)
			c.mu.Unlock()
			if records != nil {
				return records, nil
			}
			return c.read(from, limit)
		}
		if c.refusal != nil {
			defer c.mu.Unlock()
			return nil, c.refusal
		}
		news := waiter(&c.news)
		c.mu.Unlock()
		select {
		case <-news:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// read reads the disk, between two batches.
func (c *Committer) read(from uint64, limit int) ([]Record, error) {
	c.owner.Lock()
	defer c.owner.Unlock()
	return c.log.Read(from, limit)
}

// Trim gives up all records up to an index, by whole segments; see Log.Trim.
// Their files are free when it returns.
func (c *Committer) Trim(upTo uint64) error {
	c.owner.Lock()
	defer c.owner.Unlock()
	err := c.log.Trim(upTo)
	if err == nil {
		err = c.log.Sync()
	}
	if err != nil {
		c.refuse(err)
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.first = c.log.First()
	return nil
}

// Close commits what waits, refuses the rest and closes the log. It may be
// called more than once.
func (c *Committer) Close() error {
	c.refuse(ErrClosed)
	c.once.Do(func() { close(c.stop) })
	<-c.done
	c.owner.Lock()
	defer c.owner.Unlock()
	return c.log.Close()
}
