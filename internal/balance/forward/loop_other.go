//go:build !linux

package forward

import (
	"errors"
	"net"
	"time"
)

// thread accepts and hands on: there is no loop on this system.
type thread struct {
	loop     *Loop
	listener net.Listener
	told     board
}

// listen takes clients from the socket it is given, or from its own.
func (l *Loop) listen() error {
	sockets := l.own.Sockets
	if sockets == nil {
		own, err := Listen(l.own.Address, false)
		if err != nil {
			return err
		}
		defer own.release() // the thread has it
		sockets = own
	}
	all, err := sockets.Listeners()
	if err != nil {
		return err
	}
	l.address = sockets.address
	l.threads = []*thread{{loop: l, listener: all[0]}}
	return nil
}

// open has nothing to do here.
func (*Sockets) open() {}

// acceptPause is how long nobody is accepted when that has failed, for want of
// descriptors for example.
const acceptPause = 100 * time.Millisecond

// run hands on every client.
func (t *thread) run() {
	var stats LoopStats
	for !t.loop.retired.Load() {
		c, err := t.listener.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil:
			t.loop.options.Log.Warn("no connection can be accepted for a moment", "address", t.loop.address, "error", err)
			time.Sleep(acceptPause)
			continue
		}
		stats.Accepted++
		stats.HandedOver++
		t.told.store(&stats)
		t.loop.own.Fallback(c, nil)
	}
}

// wakeUp ends the loop: there is no other reason to.
func (t *thread) wakeUp() { _ = t.listener.Close() }

// closeOwn closes what listen opened.
func (t *thread) closeOwn() { _ = t.listener.Close() }
