package rpc

import (
	"sync"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/api/polymathv1"
)

// maxUnsentBytes is how much may wait for a client to read before no more of
// its calls are read.
const maxUnsentBytes = 16 << 20

// messageBytes is about how much goes into one message.
const messageBytes = 1 << 20

// outbox gathers what there is to tell a client. It is filled with the node in
// hand, so that filling it never waits.
type outbox struct {
	wake chan struct{} // holds a token when there may be something to send
	room chan struct{} // holds a token when there may be room again

	mu       sync.Mutex
	queue    []item // guarded by mu
	bytes    int    // of queue, about; guarded by mu
	inFlight int    // bytes being sent; guarded by mu
}

// item is one thing to tell: a reply, or a job that a reply is to show, or
// news of a session.
type item struct {
	reply   *polymathv1.Reply
	job     *polymath.Job // of reply: its picture is made when it is sent
	working uint64
	grant   *polymathv1.Grant
	retired *polymathv1.Retired
	closed  []byte
}

func newOutbox() *outbox {
	return &outbox{wake: make(chan struct{}, 1), room: make(chan struct{}, 1)}
}

// size is about how many bytes an item takes on the wire and in memory.
func (i *item) size() int {
	const fixed = 128
	n := fixed
	if i.job != nil {
		n += len(i.job.Result) + len(i.job.Input)
	}
	if i.grant != nil {
		n += len(i.grant.GetInput())
	}
	return n
}

func (o *outbox) put(i item) {
	o.mu.Lock()
	o.queue = append(o.queue, i)
	o.bytes += i.size()
	first := len(o.queue) == 1
	o.mu.Unlock()
	if first {
		signal(o.wake)
	}
}

// take gives the items of the next message, in order.
func (o *outbox) take() []item {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.inFlight = 0
	n := 0
	for n < len(o.queue) && (n == 0 || o.inFlight < messageBytes) {
		o.inFlight += o.queue[n].size()
		n++
	}
	o.bytes -= o.inFlight
	items := o.queue[:n:n]
	if o.queue = o.queue[n:]; len(o.queue) == 0 {
		o.queue = nil
	} else {
		signal(o.wake)
	}
	signal(o.room)
	return items
}

// full reports whether the client has to read before it may ask for more.
func (o *outbox) full() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.bytes+o.inFlight > maxUnsentBytes
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// message makes a message of items.
func (s *Server) message(items []item) *polymathv1.Replies {
	m := &polymathv1.Replies{}
	for i := range items {
		switch it := &items[i]; {
		case it.reply != nil:
			if it.job != nil {
				it.reply.Picture = s.picture(it.job, it.working)
			}
			m.Replies = append(m.Replies, it.reply)
		case it.grant != nil:
			m.Grants = append(m.Grants, it.grant)
		case it.retired != nil:
			m.Retired = append(m.Retired, it.retired)
		default:
			m.Closed = append(m.Closed, it.closed)
		}
	}
	return m
}
