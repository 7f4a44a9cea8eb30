package forward

import (
	"context"
	"time"
)

// reap ends upstream connections that are idle for too long.
func (f *Front) reap() {
	tick := time.NewTicker(max(f.o.Timeouts.Idle/4, time.Millisecond))
	defer tick.Stop()
	for {
		select {
		case now := <-tick.C:
			f.pools.reap(now)
		case <-f.dials.Done():
			return
		}
	}
}

// Retire stops listening, and has each connection end with its next answer, which
// says so. Those that are idle stay until they ask or their time is up: no request
// that is on its way is lost. Take goes on. It does not wait; Empty does.
func (f *Front) Retire() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.retire()
}

// retire is Retire. The caller holds mu.
func (f *Front) retire() {
	if f.retired.Swap(true) {
		return
	}
	close(f.retiring)
	for l := range f.listeners {
		_ = l.Close()
	}
	clear(f.listeners)
}

// Empty waits until a front that was retired has no connection, and none that it
// has just accepted, or until ctx ends. It has one caller.
func (f *Front) Empty(ctx context.Context) {
	for {
		f.mu.Lock()
		empty := f.isEmpty()
		f.mu.Unlock()
		if empty {
			return
		}
		select {
		case <-f.left:
		case <-ctx.Done():
			return
		}
	}
}

// Drain stops listening and ends connections that have no exchange; the others
// end with theirs.
func (f *Front) Drain() {
	f.mu.Lock()
	f.retire()
	f.draining.Store(true) // within mu: nobody is added behind the look at conns
	for c := range f.conns {
		c.drain()
	}
	f.vacate()
	f.mu.Unlock()
}

// Shutdown drains, and waits until every connection has ended; when ctx ends
// first, it closes what is left. Further calls do the same.
func (f *Front) Shutdown(ctx context.Context) error {
	f.Drain()
	done := make(chan struct{})
	go func() {
		f.http2.drain(ctx)
		select {
		case <-f.empty:
		case <-ctx.Done():
		}
		close(done)
	}()
	var err error
	select {
	case <-done:
	case <-ctx.Done():
		err = ctx.Err()
	}
	f.mu.Lock()
	f.ended = true
	for c := range f.conns {
		_ = c.nc.Close()
		c.abandon()
	}
	f.mu.Unlock()
	f.leave()
	f.http2.close()
	f.pools.close()
	f.live.Wait()
	<-done
	return err
}
