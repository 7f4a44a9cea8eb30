package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/polymath-run/polymath/internal/balance/forward"
	"github.com/polymath-run/polymath/internal/balance/settings"
	"github.com/polymath-run/polymath/internal/rest"
)

// maxAdmins is how many connections the admin API has at most.
const maxAdmins = 256

// adminFace is the admin API on an address of its own. The names it may be called
// by can change while it serves.
type adminFace struct {
	address string // as the configuration has it
	sockets *forward.Sockets
	web     *http.Server
	handler atomic.Pointer[http.Handler]
	leaving atomic.Bool
	serving sync.WaitGroup
}

// adminPlan is the admin API of a configuration, before it counts.
type adminPlan struct {
	face    *adminFace // nil: off
	handler http.Handler
	fresh   []net.Listener // of a face that is new
}

// planAdmin makes the admin API of a configuration, or says why not. Where its
// address is as it was, it stays.
func (b *Balancer) planAdmin(c *settings.Admin) (*adminPlan, error) {
	if c.Address == settings.Off {
		return &adminPlan{}, nil
	}
	hosts := append([]string{"localhost"}, c.Hosts...)
	if host, _, err := net.SplitHostPort(c.Address); err == nil && host != "" {
		hosts = append(hosts, host)
	}
	p := &adminPlan{handler: rest.Guard(b.api, hosts)}
	var going []*forward.Sockets
	if now := b.admin.Load(); now != nil {
		if now.address == c.Address {
			p.face = now
			return p, nil
		}
		going = append(going, now.sockets)
	}
	sockets, err := listenAt(c.Address, going)
	if err != nil {
		return nil, cannotListen("admin.address", c.Address, err)
	}
	if p.fresh, err = sockets.Listeners(); err != nil {
		sockets.Close(nil)
		return nil, cannotListen("admin.address", c.Address, err)
	}
	p.face = &adminFace{address: c.Address, sockets: sockets}
	p.face.web = &http.Server{
		Handler:           p.face,
		ReadHeaderTimeout: headerTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeaderBytes,
		ErrorLog: slog.NewLogLogger(b.log.Handler(), slog.LevelDebug),
	}
	return p, nil
}

// undo lets go of what was made.
func (p *adminPlan) undo() {
	if len(p.fresh) == 0 {
		return
	}
	for _, l := range p.fresh {
		_ = l.Close()
	}
	p.face.sockets.Close(nil)
}

// adoptAdmin puts a plan in force. What is asked at the address before is
// answered still: the reload may be among it.
func (b *Balancer) adoptAdmin(p *adminPlan) {
	if p.face != nil {
		p.face.handler.Store(&p.handler)
	}
	for _, l := range p.fresh {
		p.face.serve(l, b.fail)
	}
	if before := b.admin.Swap(p.face); before != nil && before != p.face {
		b.adminsLeaving.Go(func() {
			if err := before.shut(); err != nil {
				b.log.Warn("the admin API at the address before was not left in order", "at", before.url(), "error", err)
			}
		})
	}
}

// shutAdmin ends the admin API, also at addresses before.
func (b *Balancer) shutAdmin() error {
	var err error
	if now := b.admin.Swap(nil); now != nil {
		err = now.shut()
	}
	b.adminsLeaving.Wait()
	return err
}

func (a *adminFace) url() string { return urlOf("http", a.sockets.Address()) }

// ServeHTTP answers with the names of the moment.
func (a *adminFace) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	(*a.handler.Load()).ServeHTTP(w, r)
}

// serve begins to answer.
func (a *adminFace) serve(l net.Listener, fail context.CancelCauseFunc) {
	a.serving.Go(func() {
		if err := a.web.Serve(&bounded{Listener: l, most: maxAdmins}); !errors.Is(err, http.ErrServerClosed) && !a.leaving.Load() {
			fail(fmt.Errorf("serve the admin API on %v: %w", l.Addr(), err))
		}
	})
}

// shut lets what is asked be answered, for some seconds, and stops.
func (a *adminFace) shut() error {
	a.leaving.Store(true)
	a.sockets.Close(nil)
	ctx, cancel := context.WithTimeout(context.Background(), drainLimit)
	defer cancel()
	err := a.web.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) { // whoever is left asks again
		err = a.web.Close()
	}
	a.serving.Wait()
	return err
}
