package forward

import (
	"syscall"
	"testing"
	"time"
)

// counting is a Director that counts the ends of exchanges.
type counting struct{ ends int }

func (*counting) Begin(*Exchange) *Refusal          { return nil }
func (*counting) Pick(*Exchange) *Upstream          { return nil }
func (*counting) Done(*Exchange, *Upstream, Result) {}
func (*counting) Retry(*Exchange, Result) bool      { return false }
func (*counting) Hedge(*Exchange) time.Duration     { return 0 }
func (d *counting) End(*Exchange)                   { d.ends++ }

// early is a thread with one client, whose other end is given too.
func early(t *testing.T, d Director) (*thread, *client, int) {
	t.Helper()
	pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	epoll, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, fd := range []int{pair[0], pair[1], epoll} {
			closeSocket(int32(fd))
		}
	})
	th := &thread{loop: &Loop{}, director: d, options: &Options{Timeouts: Timeouts{Write: time.Minute, KeepAlive: time.Minute}}, epoll: int32(epoll), wake: -1}
	c := &client{sock: sock{fd: int32(pair[0])}, thread: th}
	c.sock.client = c
	if !th.add(&c.sock) {
		t.Fatal("the socket cannot be watched")
	}
	return th, c, pair[1]
}

// answerEarly has a small answer gathered, with which the exchange ends.
func answerEarly(t *testing.T, th *thread, c *client, text string) {
	t.Helper()
	c.phase, c.size, c.spoken, c.done = asking, 1, true, true
	if !th.write(&c.sock, []byte(text)) {
		t.Fatal("the client is gone")
	}
	th.settle(c)
}

// drain reads what is there.
func drain(fd int) (n int, last byte) {
	b := make([]byte, 64<<10)
	for {
		k, e := syscall.Read(fd, b)
		if e != nil || k <= 0 {
			return n, last
		}
		n, last = n+k, b[k-1]
	}
}

// TestAnswerEndsEarly: an exchange whose answer was gathered is over at once; its
// client is read from again only behind its answer, and only when that is sent.
func TestAnswerEndsEarly(t *testing.T) {
	d := &counting{}
	th, c, other := early(t, d)
	answerEarly(t, th, c, "one")
	if d.ends != 1 || c.phase != idle || c.unsent() != 3 {
		t.Fatalf("%d ends, in phase %d with %d bytes to send", d.ends, c.phase, c.unsent())
	}
	if n, _ := drain(other); n != 0 {
		t.Fatalf("%d bytes came before the end of the round", n)
	}
	th.turnTo(&c.sock)
	if n, _ := drain(other); n != 3 || !th.wants(&c.sock) {
		t.Fatalf("%d bytes came before the next request was looked for, want 3", n)
	}
	th.sendGathered()
	if n, _ := drain(other); n != 0 {
		t.Fatalf("%d bytes came twice", n)
	}
}

// TestAnswerEndsEarlyAndDoesNotFit: nor is it forgotten, nor the exchange over
// twice, where the client's buffer turns out to be full.
func TestAnswerEndsEarlyAndDoesNotFit(t *testing.T) {
	d := &counting{}
	th, c, other := early(t, d)
	filled := 0
	for chunk := make([]byte, 4<<10); ; {
		n, e := send(c.fd, chunk)
		if e != fine {
			break
		}
		filled += n
	}
	answerEarly(t, th, c, "two")
	th.sendGathered()
	if d.ends != 1 || c.closed || c.unsent() != 3 || th.wants(&c.sock) || !c.waiting {
		t.Fatalf("%d ends, closed %t, %d bytes to send, waiting %t", d.ends, c.closed, c.unsent(), c.waiting)
	}
	if n, _ := drain(other); n != filled {
		t.Fatalf("%d bytes came, want %d", n, filled)
	}
	th.writable(&c.sock)
	if n, last := drain(other); n != 3 || last != 'o' {
		t.Fatalf("%d bytes came, want 3", n)
	}
	if d.ends != 1 || c.phase != idle || !c.queued || c.blocked {
		t.Fatalf("%d ends, in phase %d, to be looked at %t, blocked %t", d.ends, c.phase, c.queued, c.blocked)
	}
}
