package rpc

import (
	"testing"
	"testing/synctest"
	"time"
)

// BoundSilence makes the time a stream may say nothing short enough for a test,
// for streams that open from now on.
func (s *Server) BoundSilence(d time.Duration) { s.silence = d }

// BoundBody makes the time that the message of a single call may take short
// enough for a test.
func (s *Server) BoundBody(d time.Duration) { s.bodyLimit = d }

// TestLazyNews: that a report was taken waits for other news to go with, but
// not for long; what somebody waits for goes at once, and takes it along.
func TestLazyNews(t *testing.T) {
	woken := func(o *outbox) bool {
		synctest.Wait()
		select {
		case <-o.wake:
			return true
		default:
			return false
		}
	}
	synctest.Test(t, func(t *testing.T) {
		o := newOutbox(maxUnsentBytes)
		o.put(item{lazy: true})
		o.put(item{lazy: true})
		if woken(o) {
			t.Error("lazy news are sent at once")
		}
		o.put(item{})
		if !woken(o) {
			t.Error("news that somebody waits for are not sent at once")
		}
		if n := len(o.take()); n != 3 {
			t.Errorf("%d of 3 go together", n)
		}
		<-time.After(2 * lazyPause) // of the timer that was set for the first
		woken(o)
		o.put(item{lazy: true})
		<-time.After(lazyPause - 1)
		if woken(o) {
			t.Error("lazy news are sent early")
		}
		<-time.After(1)
		if !woken(o) || len(o.take()) != 1 {
			t.Error("lazy news lie for longer than they may")
		}
	})
}
