package forward

import (
	"net/netip"
	"runtime"
	"slices"
	"syscall"
	"time"

	"github.com/polymath-run/polymath/internal/balance/descriptor"
	"github.com/polymath-run/polymath/internal/balance/http1"
)

const (
	// scratchBytes is how much is read at once. A shorter read has drained the
	// socket, which saves asking again.
	scratchBytes = 64 << 10

	// headroom is kept free before what is read, so that a head that has grown
	// can be written there, right before its body, and both sent at once.
	headroom = 4 << 10

	// eventsPerClock is after how many events the clock is read again: some ten
	// microseconds, which is what times of begin and of answers are exact to.
	eventsPerClock = 4

	// boardEvery is how often a thread that is never idle shows its counts.
	boardEvery = 10 * time.Millisecond

	// eventsAtOnce is how many events are fetched with one call.
	eventsAtOnce = 256

	// acceptsAtOnce is how many clients are accepted between looks at others.
	acceptsAtOnce = 64

	// acceptPause is how long nobody is accepted when descriptors have run out.
	acceptPause = 100 * time.Millisecond
)

// thread is one loop, on a thread of the system of its own. Everything it has is
// its own; others only write to its wake descriptor and read its board.
type thread struct {
	loop     *Loop
	director Director
	options  *Options
	trust    func(netip.Addr) bool

	epoll, wake int32
	listeners   []int32 // its own descriptors of sockets others may have too
	listening   bool    // the listeners are watched
	draining    bool    // connections end with their next answers, which say so
	ending      bool    // and those that are idle have ended

	now    time.Duration
	wheel  wheel
	accept timer // when accepting goes on after a pause; due without an owner
	few    descriptor.Bound
	short  bool // of descriptors: nobody is accepted until there are some
	bare   bool // the last connection to an upstream did not come about for want of one

	table []*sock // by descriptor
	round int32   // numbers sockets, so that an event of one that was closed finds nobody

	pools      map[*Upstream]*upstreamPool
	clients    int
	upstreams  int
	limit      int // of clients
	idleLimit  int // of idle connections to one upstream
	unfinished []*sock
	gathered   []*sock // with something to send at the end of the round

	in       []byte // headroom, then what was read
	out      []byte // what is written
	joined   []byte // values of fields, joined
	extra    []byte // of a request's fields, those of ours that change
	request  http1.Request
	parsed   *client // whose head request has
	response http1.Response
	buffers  spares

	stats LoopStats
	told  board

	toldNext time.Duration // when told is written next, without a pause before
}

// newThread opens what the thread of an index needs.
func newThread(l *Loop, from *Sockets, index int) (*thread, error) {
	epoll, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return nil, err
	}
	t := &thread{
		loop: l, director: l.options.Director, options: &l.options, trust: NewTrust(l.options.Proxies).Believes,
		epoll: int32(epoll), wake: -1,
		pools: make(map[*Upstream]*upstreamPool),
		in:    make([]byte, headroom+scratchBytes), out: make([]byte, 0, headroom+scratchBytes),
		few:       descriptor.NewBound(),
		limit:     max(1, l.options.MaxConnections/l.own.Threads),
		idleLimit: max(1, l.options.MaxIdle/l.own.Threads),
	}
	if t.wake, err = counter(); err != nil {
		t.closeOwn()
		return nil, err
	}
	if t.listeners, err = from.share(index, l.own.Threads); err != nil {
		t.closeOwn()
		return nil, err
	}
	if err := register(t.epoll, t.wake, eventIn, 0); err != nil {
		t.closeOwn()
		return nil, err
	}
	t.listen()
	return t, nil
}

// closeOwn closes what newThread opened.
func (t *thread) closeOwn() {
	for _, fd := range append(t.listeners, t.wake, t.epoll) {
		if fd >= 0 {
			closeSocket(fd)
		}
	}
	t.listeners, t.wake, t.epoll = nil, -1, -1
}

// listen has clients accepted from now on.
func (t *thread) listen() {
	if t.listening || t.draining {
		return
	}
	t.listening = true
	for _, fd := range t.listeners {
		t.listening = register(t.epoll, fd, eventIn, 0) == nil && t.listening
	}
}

// pause lets clients wait in the backlog.
func (t *thread) pause() {
	if t.listening {
		t.listening = false
		t.stats.Paused++
		t.unlisten()
	}
}

// unlisten has no more clients accepted. Closing a socket that others have too
// would leave it in the epoll.
func (t *thread) unlisten() {
	for _, fd := range t.listeners {
		unregister(t.epoll, fd)
	}
}

// run is the loop.
func (t *thread) run() {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	t.now = t.options.Now()
	t.wheel.tick = int64(t.now / wheelTick)
	var events [eventsAtOnce]syscall.EpollEvent
	for !t.over() {
		n := ready(t.epoll, events[:])
		if n == 0 && len(t.unfinished) == 0 {
			t.told.store(&t.stats)
			n = await(t.epoll, events[:], t.wheel.next(t.now))
		}
		t.now = t.options.Now()
		t.handleAll(events[:n])
		t.wheel.advance(t.now, t.expire)
		t.finishUnfinished()
		t.sendGathered()
		if t.now >= t.toldNext {
			t.toldNext = t.now + boardEvery
			t.told.store(&t.stats)
		}
	}
	t.closeAll()
	t.told.store(&t.stats)
}

// handleAll sees to the events of a round.
func (t *thread) handleAll(events []syscall.EpollEvent) {
	fresh := eventsPerClock // events until the clock is read again
	for i := range events {
		if fresh == 0 {
			t.now, fresh = t.options.Now(), eventsPerClock
		}
		fresh--
		if s := t.look(&events[i]); s != nil && t.wants(s) {
			n, why := receive(s.fd, t.in[headroom:])
			if t.got(s, n, why) {
				t.readOn(s)
			}
		}
		if len(t.unfinished) > 0 {
			t.finishUnfinished()
		}
		if len(t.gathered) >= gatherMost {
			t.sendGathered()
			fresh = 0
		}
	}
}

// closeAll closes what is left: the clients first, whose exchanges end so.
func (t *thread) closeAll() {
	for _, s := range t.table {
		if s != nil && s.client != nil {
			t.closeClient(s.client)
		}
	}
	for _, s := range t.table {
		if s != nil {
			t.closeLink(s.link)
		}
	}
}

// over looks at what was asked of the loop, and reports whether it ends.
func (t *thread) over() bool {
	if t.loop.retired.Load() && !t.draining {
		t.draining = true
		t.listening = false
		t.unlisten()
		for _, fd := range t.listeners {
			closeSocket(fd)
		}
		t.listeners = nil
	}
	if t.loop.drain.Load() && !t.ending {
		t.ending = true
		for _, s := range t.table {
			if s != nil && s.client != nil && s.client.phase == idle && len(s.client.held) == 0 {
				t.closeClient(s.client)
			}
		}
	}
	return t.draining && t.clients == 0 || t.loop.stop.Load()
}

// later has a socket looked at again once what is under way is finished: what
// it waits for has come about without an event of its own.
func (t *thread) later(s *sock) {
	if !s.queued {
		s.queued = true
		t.unfinished = append(t.unfinished, s)
	}
}

// finishUnfinished looks at each of those once. Who has more to be seen to then
// has it behind others: nobody has a loop for himself.
func (t *thread) finishUnfinished() {
	n := len(t.unfinished)
	for i := range n {
		s := t.unfinished[i]
		s.queued = false
		if !s.closed {
			t.readable(s)
		}
	}
	if n > 0 {
		t.unfinished = slices.Delete(t.unfinished, 0, n)
	}
}

// expire sees to a timer that is due.
func (t *thread) expire(s *sock) {
	switch {
	case s == nil:
		t.acceptAgain()
	case s.client != nil:
		t.expireClient(s.client)
	default:
		t.expireLink(s.link)
	}
}

// acceptAll accepts clients.
func (t *thread) acceptAll(listener int32) {
	for range acceptsAtOnce {
		if t.clients >= t.limit {
			t.pause()
			return
		}
		fd, from, e := accept(listener)
		switch {
		case e == fine:
			t.welcome(fd, from)
			if t.few.Exceeded(int(fd)) {
				t.scarce()
				return
			}
		case e == again:
			return
		case descriptor.IsShort(e):
			t.scarce()
			return
		default: // this one was gone before it was accepted
		}
	}
}

// scarce has nobody accepted for want of descriptors. It is told once.
func (t *thread) scarce() {
	t.pause()
	t.wheel.set(&t.accept, t.now+acceptPause)
	if !t.short {
		t.short = true
		t.options.Log.Warn(tooFew, "address", t.loop.address, "clients", t.clients)
	}
}

// acceptAgain goes on accepting after a pause, if there is room.
func (t *thread) acceptAgain() {
	if t.short && !t.few.Room() {
		t.wheel.set(&t.accept, t.now+acceptPause)
		return
	}
	t.short = false
	t.listen()
}

// wakeUp makes the loop look around, while it has not ended.
func (t *thread) wakeUp() {
	if t.wake >= 0 {
		count(t.wake)
	}
}
