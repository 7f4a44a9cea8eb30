package rpc

import (
	"sync"
	"time"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/api/polymathv1"
	"github.com/polymath-run/polymath/internal/node"
	"github.com/polymath-run/polymath/internal/wire"
)

// maxUnsentBytes is how much may wait for a client to read before no more of
// its calls are read.
const maxUnsentBytes = 16 << 20

// lazyPause is how long news that nobody waits for may lie, for other news to
// go with: a message costs more than what is in it.
const lazyPause = 5 * time.Millisecond

// keptItems is how many items' room is kept at most for the next ones, unless
// lately more were needed.
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
	queue    []item      // guarded by mu
	spare    []item      // room of a queue that was taken, to be used again; guarded by mu
	urgent   bool        // something of queue is not lazy; guarded by mu
	bytes    int         // of queue, about; guarded by mu
	inFlight int         // bytes being sent; guarded by mu
	lately   wire.Lately // items that were sent; guarded by mu
}

// item is one thing to tell: the reply to a call, or news of a session; or
// nothing, which says that we are here. It becomes part of a message when it is
// sent.
type item struct {
	answer   bool // to call; the call's kind says which of the following
	existing bool // the job id was there before
	late     bool // job has no more than its ID: it is read when it is sent
	lazy     bool // nobody waits for it

	call    uint64
	err     *polymathv1.Error
	id      polymath.JobID // of the job that was submitted
	job     *polymath.Job  // to be shown
	working uint64
	session polymath.Ref   // that was joined, or that has the news
	news    node.SeatEvent // nil: none
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
	n := fixed + len(i.err.GetMessage())
	if i.job != nil {
		n += len(i.job.Result) + len(i.job.Input)
	}
	if g, ok := i.news.(node.Granted); ok {
		n += len(g.Lease.Input)
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
	if n == len(o.queue) {
		items := o.queue
		o.queue, o.spare, o.urgent = o.spare, nil, false
		return items
	}
	items := append(o.spare, o.queue[:n]...)
	o.spare = nil
	if rest := len(o.queue) - n; rest <= n { // to where there is room behind it
		copy(o.queue, o.queue[n:])
		clear(o.queue[rest:])
		o.queue = o.queue[:rest]
	} else { // more would be moved than is sent
		clear(o.queue[:n])
		o.queue = o.queue[n:]
	}
	signal(o.wake)
	return items
}

// sent notes that the items of the last take are with the client. They are of
// no further use.
func (o *outbox) sent(items []item) {
	clear(items)
	o.mu.Lock()
	o.inFlight = 0
	if o.lately.Keep(cap(items), len(items), keptItems) {
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
// room: answers may be larger than what they were made of. It is the slab's.
func (s *Server) message(items []item, slab *wire.Slab) (m *polymathv1.Replies, rest []item) {
	slab.Begin(count(items))
	var retired []*polymathv1.Retired
	var closed [][]byte
	size := 0
	for i := range items {
		if size > messageBytes {
			rest = items[i:]
			break
		}
		it := &items[i]
		if it.answer {
			r := s.reply(it, slab)
			size += len(r.GetPicture().GetAnswer())
		}
		size += it.size()
		switch news := it.news.(type) {
		case node.Granted:
			slab.Grant(it.session, &news.Lease)
		case node.Retired:
			retired = append(retired, &polymathv1.Retired{Session: wire.Session(it.session), Token: wire.Token(news.Token)})
		case node.Closed:
			closed = append(closed, wire.Session(it.session))
		}
	}
	m = slab.Message()
	m.Retired, m.Closed = retired, closed
	return m, rest
}

// count counts the replies and the grants among items.
func count(items []item) (replies, grants int) {
	for i := range items {
		if items[i].answer {
			replies++
		} else if _, ok := items[i].news.(node.Granted); ok {
			grants++
		}
	}
	return replies, grants
}

// reply makes the reply of an item.
func (s *Server) reply(i *item, slab *wire.Slab) *polymathv1.Reply {
	r := slab.Reply(i.call)
	r.Error, r.Existing = i.err, i.existing
	if !i.id.IsZero() {
		r.Job = slab.Job(i.id)
	}
	if !i.session.IsZero() {
		r.Session = wire.Session(i.session)
	}
	if i.job != nil {
		s.show(i, r)
	}
	return r
}

// show makes the picture of an item's job.
func (s *Server) show(i *item, r *polymathv1.Reply) {
	if i.late {
		job, working, err := s.service.Node().Job(i.job.ID)
		if err != nil {
			r.Error = s.refusal(err)
			return
		}
		i.job, i.working = &job, working
	}
	r.Picture = s.picture(i.job, i.working)
}
