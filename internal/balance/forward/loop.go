package forward

import (
	"context"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/polymath-run/polymath"
)

// Loop is the event loop: it forwards plain HTTP/1.1 to plain upstreams, which
// is nearly everything, at four system calls a request, and hands on what else
// comes.
//
//	clients ══► thread ══► upstreams      a socket, an epoll, buffers and
//	clients ══► thread ══► upstreams      connections of its own
//	               │
//	               └─ connection, bytes ──► Fallback
//
// Each thread shares its port with the others (SO_REUSEPORT), and nothing else.
// On systems other than Linux every connection is handed on. LOOP.md says what
// it does itself, and why it is fast.
type Loop struct {
	options Options
	own     LoopOptions
	address netip.AddrPort
	threads []*thread

	handOver atomic.Bool
	retired  atomic.Bool // nobody new; connections end with their next answers
	drain    atomic.Bool // and those that are idle at once
	stop     atomic.Bool // now

	mu     sync.Mutex    // of served, and of the descriptors to wake threads by
	served bool          // Serve was called, or may not be any more
	ended  chan struct{} // closed when every thread has ended
}

// MaxThreads is the most threads of one Loop.
const MaxThreads = 256

// LoopOptions are what only the event loop takes.
type LoopOptions struct {
	// Address is where to listen; port 0 takes a free one.
	Address netip.AddrPort

	// Sockets, where not nil, are taken clients from in place of Address. They
	// stay when the Loop ends.
	Sockets *Sockets

	// Threads are how many loops run. 0 is one less than processors there are,
	// and at least one. The process should let Go use one processor more than
	// that (GOMAXPROCS): a busy loop leaves none to others.
	Threads int

	// Fallback takes a connection that the loop does not speak for, with the
	// bytes that were read of it already. It is called on a loop's thread: it
	// must not block, and owns the connection from then on. Closing what it has
	// is its own affair when the Loop shuts down.
	Fallback func(c net.Conn, early []byte)

	// HandOver hands every connection on, from its first byte: for upstreams
	// that are not plain HTTP/1.1. Loop.HandOver changes it later.
	HandOver bool
}

// LoopStats count what a Loop has done.
type LoopStats struct {
	Accepted   int64 // connections of clients
	HandedOver int64 // of them, to the fallback
	Requests   int64 // begun
	Refused    int64 // answered by the balancer itself
	Dialed     int64 // connections to upstreams
	Reused     int64 // requests sent on a connection that was there
	Paused     int64 // times that connections had to wait in the backlog

	Clients   int64 // connections of clients now
	Upstreams int64 // connections to upstreams now, idle ones too
}

// NewLoop listens. Serve must follow: it takes what waits.
func NewLoop(o Options, own LoopOptions) (*Loop, error) {
	o, err := o.filled()
	if err != nil {
		return nil, err
	}
	if own.Fallback == nil {
		return nil, polymath.Errorf(polymath.InvalidArgument, "an event loop needs a fallback for what it does not take")
	}
	if own.Threads < 0 || own.Threads > MaxThreads {
		return nil, polymath.Errorf(polymath.InvalidArgument, "%d threads: there must be from 1 to %d, or 0 for as many as fit", own.Threads, MaxThreads)
	}
	if own.Threads == 0 {
		own.Threads = max(1, runtime.NumCPU()-1)
	}
	l := &Loop{options: o, own: own, ended: make(chan struct{})}
	l.handOver.Store(own.HandOver || o.TLS != nil || len(o.ProxyProtocol) > 0)
	if err := l.listen(); err != nil {
		return nil, polymath.Errorf(polymath.Unavailable, "cannot listen on %v: %w", own.Address, err)
	}
	return l, nil
}

// Address is where the Loop listens.
func (l *Loop) Address() netip.AddrPort { return l.address }

// HandOver says whether further connections are all handed on. Those that the
// loop has stay with it. With TLS or the PROXY protocol at the front it is
// always so.
func (l *Loop) HandOver(all bool) {
	l.handOver.Store(all || l.options.TLS != nil || len(l.options.ProxyProtocol) > 0)
}

// Serve runs the loops and returns when all have ended, after Shutdown.
func (l *Loop) Serve() {
	l.mu.Lock()
	begin := !l.served && !l.drain.Load()
	l.served = true
	l.mu.Unlock()
	if !begin {
		return
	}
	if l.own.Sockets != nil {
		l.own.Sockets.open()
	}
	var threads sync.WaitGroup
	for _, t := range l.threads {
		threads.Go(t.run)
	}
	threads.Wait()
	l.end()
}

// end closes what NewLoop opened.
func (l *Loop) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, t := range l.threads {
		t.closeOwn()
	}
	close(l.ended)
}

// Retire takes no clients any more, and has each connection end with its next
// answer, which says so. Those that are idle stay until they ask or their time is
// up: no request that is on its way is lost. It does not wait; Ended tells.
func (l *Loop) Retire() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.retired.Store(true)
	l.wake()
}

// Ended is closed when the Loop has no connection any more, after Retire or
// Shutdown.
func (l *Loop) Ended() <-chan struct{} { return l.ended }

// Shutdown stops listening, closes idle connections, lets running exchanges
// come to their ends, and waits for that; when ctx ends first, it closes what is
// left. It may be called more than once, and at once by several.
func (l *Loop) Shutdown(ctx context.Context) error {
	l.mu.Lock()
	never := !l.served
	l.served = true
	l.retired.Store(true)
	l.drain.Store(true)
	l.wake()
	l.mu.Unlock()
	if never {
		l.end()
	}
	select {
	case <-l.ended:
		return nil
	case <-ctx.Done():
	}
	l.mu.Lock()
	l.stop.Store(true)
	l.wake()
	l.mu.Unlock()
	<-l.ended
	return ctx.Err()
}

// wake makes every thread look at what was asked of it. The caller holds mu.
func (l *Loop) wake() {
	for _, t := range l.threads {
		t.wakeUp()
	}
}

// Stats sums up what the threads have done, as of when they were idle last, or 10 ms
// ago.
func (l *Loop) Stats() LoopStats {
	var sum LoopStats
	for _, t := range l.threads {
		s := t.told.load()
		sum.Accepted += s.Accepted
		sum.HandedOver += s.HandedOver
		sum.Requests += s.Requests
		sum.Refused += s.Refused
		sum.Dialed += s.Dialed
		sum.Reused += s.Reused
		sum.Paused += s.Paused
		sum.Clients += s.Clients
		sum.Upstreams += s.Upstreams
	}
	return sum
}

// board is where a thread shows its counts to others.
type board struct {
	counts [9]atomic.Int64
}

// store shows the counts.
func (b *board) store(s *LoopStats) {
	for i, n := range [...]int64{s.Accepted, s.HandedOver, s.Requests, s.Refused, s.Dialed, s.Reused, s.Paused, s.Clients, s.Upstreams} {
		if b.counts[i].Load() != n {
			b.counts[i].Store(n)
		}
	}
}

// load reads them.
func (b *board) load() LoopStats {
	at := func(i int) int64 { return b.counts[i].Load() }
	return LoopStats{
		Accepted: at(0), HandedOver: at(1), Requests: at(2), Refused: at(3), Dialed: at(4), Reused: at(5), Paused: at(6),
		Clients: at(7), Upstreams: at(8),
	}
}
