package rpc_test

import (
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// proxy stands between clients and a server and does to their connections what
// networks do.
type proxy struct {
	t        *testing.T
	backend  string
	listener net.Listener
	work     sync.WaitGroup
	made     atomic.Int64 // connections
	plan     func(connection int64) fate
	refusing atomic.Bool // connections are closed at once
	frozen   atomic.Bool // nothing comes through

	mu     sync.Mutex
	open   map[net.Conn]bool // guarded by mu
	closed bool              // guarded by mu
}

// fate is what becomes of a connection.
type fate struct {
	cut     int64         // after so many bytes towards the server; 0: never
	back    int64         // the same, towards the client
	delay   time.Duration // of every chunk, both ways
	doubled bool          // what the client says goes to a second connection, too
}

// newProxy stands before an address until the test ends.
func newProxy(t *testing.T, backend string, plan func(int64) fate) *proxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{t: t, backend: backend, listener: listener, plan: plan, open: make(map[net.Conn]bool)}
	p.work.Go(p.accept)
	t.Cleanup(func() {
		p.mu.Lock()
		p.closed = true
		p.mu.Unlock()
		_ = listener.Close()
		p.cut()
		p.work.Wait()
	})
	return p
}

func (p *proxy) url() string { return "http://" + p.listener.Addr().String() }

// cut ends all connections.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.open {
		_ = c.Close()
	}
}

// shut cuts all connections and lets nobody in.
func (p *proxy) shut() {
	p.refusing.Store(true)
	p.cut()
}

// freeze lets connections stand, but nothing through.
func (p *proxy) freeze() { p.frozen.Store(true) }

// reopen ends what shut and freeze began. What was lost is not made up for:
// connections that stood meanwhile are cut.
func (p *proxy) reopen() {
	p.refusing.Store(false)
	p.cut()
	p.frozen.Store(false)
}

// keep notes a connection; false when the proxy is closed.
func (p *proxy) keep(c net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.open[c] = true
	return !p.closed
}

func (p *proxy) drop(all ...net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range all {
		_ = c.Close()
		delete(p.open, c)
	}
}

func (p *proxy) accept() {
	for {
		c, err := p.listener.Accept()
		if err != nil {
			return
		}
		if p.refusing.Load() {
			_ = c.Close()
			continue
		}
		f := p.plan(p.made.Add(1))
		p.work.Go(func() { p.serve(c, f) })
	}
}

func (p *proxy) serve(front net.Conn, f fate) {
	back, err := net.Dial("tcp", p.backend)
	if err != nil {
		_ = front.Close()
		return
	}
	defer p.drop(front, back)
	if !p.keep(front) || !p.keep(back) {
		return
	}
	towards := io.Writer(back)
	if f.doubled {
		second, err := net.Dial("tcp", p.backend)
		if err != nil {
			return
		}
		defer p.drop(second)
		if !p.keep(second) {
			return
		}
		p.work.Go(func() { _, _ = io.Copy(io.Discard, second) })
		towards = io.MultiWriter(back, second)
	}
	var both sync.WaitGroup
	one := func(to io.Writer, from net.Conn, bytes int64) {
		p.pass(to, from, bytes, f.delay)
		_, _ = front.Close(), back.Close()
	}
	both.Go(func() { one(towards, front, f.cut) })
	both.Go(func() { one(front, back, f.back) })
	both.Wait()
}

// pass copies until an end breaks or so many bytes have gone; 0: no bound.
func (p *proxy) pass(to io.Writer, from io.Reader, bytes int64, delay time.Duration) {
	buffer := make([]byte, 4096)
	for left := bytes; bytes == 0 || left > 0; {
		n, err := from.Read(buffer)
		if err != nil {
			return
		}
		if delay > 0 {
			<-time.After(rand.N(delay))
		}
		if p.frozen.Load() {
			continue
		}
		if bytes > 0 {
			n = int(min(int64(n), left))
			left -= int64(n)
		}
		if _, err := to.Write(buffer[:n]); err != nil {
			return
		}
	}
}
