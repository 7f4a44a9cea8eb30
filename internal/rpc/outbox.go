package rpc

import (
	"sync"
	"time"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/api/polymathv1"
)

// maxUnsentBytes is how much may wait for a client to read before no more of
// its calls are read.
const maxUnsentBytes = 16 << 20

// lazyPause is how long news that nobody waits for may lie, for other news to
// go with: a message costs more than what is in it.
const lazyPause = 5 * time.Millisecond

// keptItems is how many items' room is kept at most, for the next ones.
const keptItems = 1024

// messageBytes is about how much goes into one message.
const messageBytes = 1 << 20

// outbox gathers what there is to tell a client. It is filled with the node in
// hand, so that filling it never waits.
type outbox struct {
	wake chan struct{} // holds a token when there may be something to send
	room chan struct{} // holds a token when there may be room again

	limit int // maxUnsentBytes, but for tests

	later *time.Timer // signals wake, for items that are lazy

	mu       sync.Mutex
	queue    []item // guarded by mu
	spare    []item // room of a queue that was taken, to be used again; guarded by mu
	urgent   bool   // something of queue is not lazy; guarded by mu
	bytes    int    // of queue, about; guarded by mu
	inFlight int    // bytes being sent; guarded by mu
}

// item is one thing to tell: a reply, or a job that a reply is to show, or
// news of a session; or nothing, which says that we are here.
type item struct {
	reply   *polymathv1.Reply
	job     *polymath.Job // of reply: its picture is made when it is sent
	late    bool          // job has no more than its ID: it is read then, too
	working uint64
	grant   *polymathv1.Grant
	retired *polymathv1.Retired
	closed  []byte
	lazy    bool // nobody waits for it
}

func newOutbox(limit int) *outbox {
	o := &outbox{limit: limit, wake: make(chan struct{}, 1), room: make(chan struct{}, 1)}
	o.later = time.AfterFunc(lazyPause, func() { signal(o.wake) })
	o.later.Stop()
	return o
}

// size is about how many bytes an item takes on the wire and in memory.
func (i *item) size() int {
	const fixed = 128
	n := fixed + len(i.reply.GetError().GetMessage())
	if i.job != nil {
		n += len(i.job.Result) + len(i.job.Input)
	}
	if i.grant != nil {
		n += len(i.grant.GetInput())
	}
	return n
}

// put adds an item. Beyond the limit no calls are read, but those that were may
// still be answered with large jobs: they wait where they lie.
func (o *outbox) put(i item) {
	o.mu.Lock()
	if i.job != nil && o.bytes > o.limit {
		i.job, i.late = &polymath.Job{ID: i.job.ID}, true
	}
	o.queue = append(o.queue, i)
	o.bytes += i.size()
	first, urgent := len(o.queue) == 1, !i.lazy && !o.urgent
	o.urgent = o.urgent || urgent
	o.mu.Unlock()
	switch {
	case urgent:
		signal(o.wake)
	case first:
		o.later.Reset(lazyPause)
	}
}

// take gives the items of the next message, in order.
func (o *outbox) take() []item {
	o.mu.Lock()
	defer o.mu.Unlock()
	n := 0
	for late := false; n < len(o.queue) && (n == 0 || !late && o.inFlight < messageBytes); n++ {
		o.inFlight += o.queue[n].size()
		late = o.queue[n].late // nobody knows how large it is
	}
	o.bytes -= o.inFlight
	items := o.queue[:n:n]
	if n == len(o.queue) {
		items = o.queue
		o.queue, o.spare, o.urgent = o.spare, nil, false
	} else {
		o.queue = o.queue[n:]
		signal(o.wake)
	}
	return items
}

// sent notes that the items of the last take are with the client. They are of
// no further use.
func (o *outbox) sent(items []item) {
	clear(items)
	o.mu.Lock()
	o.inFlight = 0
	if cap(items) <= keptItems {
		o.spare = items[:0]
	}
	o.mu.Unlock()
	signal(o.room)
}

// full reports whether the client has to read before it may ask for more.
func (o *outbox) full() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.bytes+o.inFlight > o.limit
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// message makes a message of items, and gives those back for which it has no
// room: answers may be larger than what they were made of.
func (s *Server) message(items []item) (m *polymathv1.Replies, rest []item) {
	m = &polymathv1.Replies{}
	size := 0
	for i := range items {
		if size > messageBytes {
			return m, items[i:]
		}
		it := &items[i]
		if it.job != nil {
			s.show(it)
			size += len(it.reply.GetPicture().GetAnswer())
		}
		size += it.size()
		switch {
		case it.reply != nil:
			m.Replies = append(m.Replies, it.reply)
		case it.grant != nil:
			m.Grants = append(m.Grants, it.grant)
		case it.retired != nil:
			m.Retired = append(m.Retired, it.retired)
		case it.closed != nil:
			m.Closed = append(m.Closed, it.closed)
		}
	}
	return m, nil
}

// show makes the picture of a reply's job.
func (s *Server) show(i *item) {
	if i.late {
		job, working, err := s.service.Node().Job(i.job.ID)
		if err != nil {
			i.reply.Error = s.refusal(err)
			return
		}
		i.job, i.working = &job, working
	}
	i.reply.Picture = s.picture(i.job, i.working)
}
