//go:build !linux

package forward

import (
	"errors"
	"net"
	"net/netip"
	"time"
)

// thread accepts and hands on: there is no loop on this system.
type thread struct {
	loop     *Loop
	listener net.Listener
	told     board
}

// listen opens the one socket that is needed.
func (l *Loop) listen() error {
	n, err := net.Listen("tcp", l.own.Address.String())
	if err != nil {
		return err
	}
	l.address = netip.AddrPortFrom(l.own.Address.Addr(), n.Addr().(*net.TCPAddr).AddrPort().Port())
	l.threads = []*thread{{loop: l, listener: n}}
	return nil
}

// acceptPause is how long nobody is accepted when that has failed, for want of
// descriptors for example.
const acceptPause = 100 * time.Millisecond

// run hands on every client.
func (t *thread) run() {
	var stats LoopStats
	for !t.loop.drain.Load() {
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
