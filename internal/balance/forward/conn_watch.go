package forward

import (
	"errors"
	"io"
	"sync/atomic"
	"time"
)

// watch looks, while an answer takes long, whether the client is still there.
// It reads ahead what the client sends next.
type watch struct {
	started bool
	done    chan struct{}
	stop    atomic.Bool
}

// startWatch begins to look.
func (c *conn) startWatch() {
	if c.watch.started {
		return
	}
	c.watch.started = true
	c.watch.done = make(chan struct{})
	c.watch.stop.Store(false)
	_ = c.nc.SetReadDeadline(time.Time{})
	go func() {
		defer close(c.watch.done)
		c.look()
	}()
}

// stopWatch ends the looking, and waits for that.
func (c *conn) stopWatch() {
	if c.watch.done == nil {
		return
	}
	c.watch.stop.Store(true)
	_ = c.nc.SetReadDeadline(time.Unix(1, 0))
	<-c.watch.done
	c.watch.done = nil
}

// look reads until the client leaves, says too much, or nobody asks any more.
// A client that only ends its side still waits for its answer.
func (c *conn) look() {
	var small [512]byte
	for len(c.after) < MaxEarly {
		n, err := c.nc.Read(small[:])
		c.after = append(c.after, small[:n]...)
		if err == nil {
			continue
		}
		if c.watch.stop.Load() || isTimeout(err) || errors.Is(err, io.EOF) && !c.stream {
			return
		}
		c.leave()
		return
	}
}

// leave ends what runs for a client that is gone.
func (c *conn) leave() {
	c.gone.Store(true)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cancelAll()
}
