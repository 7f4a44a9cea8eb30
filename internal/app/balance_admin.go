package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/polymath-run/polymath/internal/balance/forward"
	"github.com/polymath-run/polymath/internal/balance/settings"
	"github.com/polymath-run/polymath/internal/rest"
)

// maxAdmins is how many connections the admin API has at most.
const maxAdmins = 256

// adminFace is the admin API on an address of its own. The names it may be called
// by can change while it serves.
type adminFace struct {
	address   string // as the configuration has it
	sockets   *forward.Sockets
	listeners []net.Listener // its own descriptors of the sockets
	late      *handed        // who waited there when it left
	web       *http.Server
	handler   atomic.Pointer[http.Handler]
	leaving   atomic.Bool
	serving   sync.WaitGroup
	conns     sync.WaitGroup // of clients
}

// adminPlan is the admin API of a configuration, before it counts.
type adminPlan struct {
	face    *adminFace // nil: off
	handler http.Handler
	fresh   bool             // the face is new
	opened  *forward.Sockets // for it; nil: it has those that were there
}

// planAdmin makes the admin API of a configuration, or says why not. Where its
// address is as it was, it stays; that of a listener which goes it takes over.
func (b *Balancer) planAdmin(c *settings.Admin, faces *facePlan) (*adminPlan, error) {
	if c.Address == settings.Off {
		return &adminPlan{}, nil
	}
	hosts := append([]string{"localhost"}, c.Hosts...)
	if host, _, err := net.SplitHostPort(c.Address); err == nil && host != "" {
		hosts = append(hosts, host)
	}
	p := &adminPlan{handler: rest.Guard(b.api, hosts, "admin.hosts in its configuration file")}
	now, going := b.admin.Load(), faces.spare
	if now != nil && now.isAt(c.Address) {
		p.face = now
		return p, nil
	}
	if now != nil {
		going = append(slices.Clip(going), now.sockets)
	}
	sockets := heirloom(c.Address, faces.spare)
	if faces.passed = sockets; sockets == nil {
		var err error
		if sockets, err = listenAt(c.Address, going); err != nil {
			return nil, cannotListen("admin.address", c.Address, err)
		}
		p.opened = sockets
	}
	listeners, err := sockets.Listeners()
	if err != nil {
		p.undo()
		return nil, cannotListen("admin.address", c.Address, err)
	}
	p.fresh = true
	p.face = &adminFace{address: c.Address, sockets: sockets, listeners: listeners, late: newHanded()}
	p.face.web = &http.Server{
		Handler: p.face, ConnState: p.face.count,
		ReadHeaderTimeout: headerTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeaderBytes,
		ErrorLog: slog.NewLogLogger(b.log.Handler(), slog.LevelDebug),
	}
	return p, nil
}

// adminGoing are the sockets of the admin API, where a configuration has it
// elsewhere.
func (b *Balancer) adminGoing(c *settings.Config) []*forward.Sockets {
	if now := b.admin.Load(); now != nil && !now.isAt(c.Admin.Address) {
		return []*forward.Sockets{now.sockets}
	}
	return nil
}

// undo lets go of what was made.
func (p *adminPlan) undo() {
	if p.fresh {
		p.face.hush()
	}
	if p.opened != nil {
		p.opened.Close(nil)
	}
}

// adopt puts a plan in force. What is asked at the address before is answered
// still: the reload may be among it.
func (b *Balancer) adopt(faces *facePlan, p *adminPlan, limit time.Duration) {
	before := b.admin.Load()
	leaves := before != nil && before != p.face
	passed := leaves && faces.has(before.sockets)
	if passed {
		before.hush() // what comes from now on is for the listener that follows
	}
	b.faces.adopt(faces, b.told, limit)
	if p.face != nil {
		p.face.handler.Store(&p.handler)
	}
	if p.fresh {
		p.face.serve(b.fail)
	}
	b.admin.Store(p.face)
	if !leaves {
		return
	}
	if !passed {
		before.leave() // here: the next configuration may want the address again
	}
	b.adminsLeaving.Go(func() {
		if err := before.shut(); err != nil {
			b.log.Warn("the admin API at the address before was not left in order", "at", before.url(), "error", err)
		}
	})
}

// shutAdmin ends the admin API, also at addresses before.
func (b *Balancer) shutAdmin() error {
	var err error
	if now := b.admin.Swap(nil); now != nil {
		now.leaving.Store(true)
		now.sockets.Close(nil)
		now.hush()
		err = now.shut()
	}
	b.adminsLeaving.Wait()
	return err
}

// isAt reports whether an address is where it is, however it is written.
func (a *adminFace) isAt(address string) bool {
	return a.address == address || slices.Contains(resolve(address), a.sockets.Address())
}

func (a *adminFace) url() string { return urlOf("http", a.sockets.Address()) }

// ServeHTTP answers with the names of the moment.
func (a *adminFace) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	(*a.handler.Load()).ServeHTTP(w, r)
}

// serve begins to answer.
func (a *adminFace) serve(fail context.CancelCauseFunc) {
	for _, l := range append(slices.Clip(a.listeners), net.Listener(a.late)) {
		a.serving.Go(func() {
			if err := a.web.Serve(&bounded{Listener: l, most: maxAdmins}); !errors.Is(err, http.ErrServerClosed) && !a.leaving.Load() {
				fail(fmt.Errorf("serve the admin API on %v: %w", l.Addr(), err))
			}
		})
	}
}

// hush takes nobody new, and leaves those who wait where they are.
func (a *adminFace) hush() {
	a.leaving.Store(true)
	for _, l := range a.listeners {
		_ = l.Close() // the sockets have another descriptor
	}
}

// leave takes those in who wait, and listens no more.
func (a *adminFace) leave() {
	a.leaving.Store(true)
	a.sockets.Leave(a.late.give)
	a.hush()
}

// count counts the connections of clients.
func (a *adminFace) count(_ net.Conn, s http.ConnState) {
	switch s {
	case http.StateNew:
		a.conns.Add(1)
	case http.StateClosed, http.StateHijacked:
		a.conns.Done()
	default:
	}
}

// shut lets what is asked be answered, for some seconds, and stops. Nobody new
// comes any more. The server's own way to stop hears no request that it has not
// begun to read.
func (a *adminFace) shut() error {
	_ = a.late.Close()
	a.serving.Wait()
	a.web.SetKeepAlivesEnabled(false) // connections end with their answers
	ctx, cancel := context.WithTimeout(context.Background(), drainLimit)
	defer cancel()
	gone := make(chan struct{})
	go func() {
		a.conns.Wait()
		close(gone)
	}()
	select {
	case <-gone:
	case <-ctx.Done(): // whoever is left asks again
	}
	err := a.web.Close()
	<-gone
	return err
}

// handed is a listener whose connections somebody else has accepted.
type handed struct {
	queue chan net.Conn
	over  chan struct{} // closed by Close
	once  sync.Once
}

func newHanded() *handed { return &handed{queue: make(chan net.Conn), over: make(chan struct{})} }

// give hands a connection over.
func (h *handed) give(c net.Conn) {
	select {
	case h.queue <- c:
	case <-h.over:
		_ = c.Close()
	}
}

// Accept implements net.Listener.
func (h *handed) Accept() (net.Conn, error) {
	select {
	case c := <-h.queue:
		return c, nil
	case <-h.over:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (h *handed) Close() error {
	h.once.Do(func() { close(h.over) })
	return nil
}

// Addr implements net.Listener; nobody listens here.
func (*handed) Addr() net.Addr { return &net.TCPAddr{} }
