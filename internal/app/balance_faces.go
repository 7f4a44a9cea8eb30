package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/polymath-run/polymath/internal/balance/forward"
	"github.com/polymath-run/polymath/internal/balance/settings"
)

// mostRetired is how many faces may have connections left that a reload has
// taken their place from. With one more the oldest is cut.
const mostRetired = 2 * settings.MaxListeners

// balanceFaces are all addresses where clients come in.
//
//	         plan                    adopt
//	file ───────────▶ fresh faces ──────────▶ now ──────────▶ old ──▶ gone
//	        may fail                                retire     once nobody is
//	                                                           left, or in time
type balanceFaces struct {
	log        *slog.Logger
	processors int // that Go was let use at the start

	mu  sync.Mutex
	now []*balanceFace // in the order of the configuration
	old []*balanceFace // retired, the oldest first

	leaving sync.WaitGroup  // one for each that is retired
	open    context.Context // ends when the Balancer closes
	close   context.CancelFunc
}

func newFaces(log *slog.Logger) *balanceFaces {
	s := &balanceFaces{log: log, processors: runtime.GOMAXPROCS(0)}
	s.open, s.close = context.WithCancel(context.Background())
	return s
}

// facePlan is the faces of a configuration, before it counts. Those that are as
// they were stay.
type facePlan struct {
	all    []*balanceFace
	fresh  []*balanceFace
	opened []*forward.Sockets
	spare  []*forward.Sockets // of faces that go: for the admin API
	passed *forward.Sockets   // of these, what it has taken
}

// planFaces makes the faces that a configuration has more, or says why not.
func (b *Balancer) planFaces(c *settings.Config) (*facePlan, error) {
	p := &facePlan{all: make([]*balanceFace, len(c.Listen))}
	now := b.faces.current()
	before, spare := match(c.Listen, now)
	for _, f := range spare {
		p.spare = append(p.spare, f.sockets)
	}
	going := slices.Concat(p.spare, b.adminGoing(c))
	threads := c.Threads
	if threads == 0 {
		threads = max(runtime.NumCPU()-1, 1)
	}
	threads = max(threads/len(c.Listen), 1)
	for i := range c.Listen {
		shape, old := shapeOf(c, i), before[i]
		if old != nil && old.shape.is(shape) {
			p.all[i] = old
			continue
		}
		var sockets *forward.Sockets
		if old != nil {
			sockets = old.sockets
		} else if sockets = heirloom(c.Listen[i].Address, going); sockets != nil {
			going = slices.DeleteFunc(going, func(s *forward.Sockets) bool { return s == sockets }) // they are one listener's
		} else {
			var err error
			if sockets, err = listenAt(c.Listen[i].Address, going); err != nil {
				p.undo()
				return nil, cannotListen(shape.field+".address", c.Listen[i].Address, err)
			}
			p.opened = append(p.opened, sockets)
		}
		f, err := b.newFace(&shape, sockets, threads, old)
		if err != nil {
			p.undo()
			return nil, err
		}
		p.all[i], p.fresh = f, append(p.fresh, f)
	}
	return p, nil
}

// match finds the face that each listener had before, by the address as it is
// written or as it is bound; nil: it had none. spare are those nobody has any
// more.
func match(list []settings.Listener, now []*balanceFace) (before, spare []*balanceFace) {
	before, spare = make([]*balanceFace, len(list)), slices.Clone(now)
	for _, same := range []func(l *settings.Listener, f *balanceFace) bool{
		func(l *settings.Listener, f *balanceFace) bool { return l.Address == f.shape.listener.Address },
		func(l *settings.Listener, f *balanceFace) bool {
			return slices.Contains(resolve(l.Address), f.sockets.Address())
		},
	} {
		for i := range list {
			if before[i] != nil {
				continue
			}
			if at := slices.IndexFunc(spare, func(f *balanceFace) bool { return same(&list[i], f) }); at >= 0 {
				before[i] = spare[at]
				spare = slices.Delete(spare, at, at+1)
			}
		}
	}
	return before, spare
}

// resolve gives the addresses of which one is to be listened on, the best first.
func resolve(address string) []netip.AddrPort {
	resolved, err := net.ResolveTCPAddr("tcp", address)
	if err != nil {
		return nil
	}
	at := resolved.AddrPort()
	if resolved.IP != nil {
		return []netip.AddrPort{netip.AddrPortFrom(at.Addr().Unmap(), at.Port())}
	}
	return []netip.AddrPort{ // with IPv4, and where there is no IPv6
		netip.AddrPortFrom(netip.IPv6Unspecified(), at.Port()), netip.AddrPortFrom(netip.IPv4Unspecified(), at.Port()),
	}
}

// listenAt listens on an address, which may have a name for a host. Sockets that
// are about to go may listen at its port meanwhile.
func listenAt(address string, going []*forward.Sockets) (*forward.Sockets, error) {
	if _, err := net.ResolveTCPAddr("tcp", address); err != nil {
		return nil, err
	}
	var failure error
	for _, at := range resolve(address) {
		beside := slices.ContainsFunc(going, func(s *forward.Sockets) bool { return s.Address().Port() == at.Port() && s.Address() != at })
		sockets, err := forward.Listen(at, beside)
		if err == nil || isInUse(err) {
			return sockets, err
		}
		failure = err
	}
	return nil, failure
}

// heirloom is which of the sockets that are about to go listen at an address; nil:
// none do.
func heirloom(address string, going []*forward.Sockets) *forward.Sockets {
	at := resolve(address)
	for _, s := range going {
		if slices.Contains(at, s.Address()) {
			return s
		}
	}
	return nil
}

// has reports whether a plan goes on with sockets.
func (p *facePlan) has(s *forward.Sockets) bool {
	return p.passed == s || slices.ContainsFunc(p.all, func(f *balanceFace) bool { return f.sockets == s })
}

// cannotListen is an error about the field of an address.
func cannotListen(field, address string, err error) error {
	return settings.Wrong(field, fmt.Errorf("cannot listen on %s: choose another address (%w)", address, err))
}

// undo lets go of what was made: nobody has come to it, but for addresses that
// were new.
func (p *facePlan) undo() {
	for _, f := range p.fresh {
		_ = f.shut(context.Background()) // nobody is there to wait for
	}
	for _, s := range p.opened {
		s.Close(nil)
	}
}

// adopt puts a plan in force. told tells the event loops of fresh faces whether
// they speak with all upstreams, before they take anybody. Faces that are not in
// it any more may go on for so long with who is there.
func (s *balanceFaces) adopt(p *facePlan, told func(), limit time.Duration) {
	s.mu.Lock()
	var going []*balanceFace
	for _, f := range s.now {
		if !slices.Contains(p.all, f) {
			going = append(going, f)
		}
	}
	s.now = p.all
	for _, f := range going {
		s.put(f, limit)
	}
	s.share()
	s.mu.Unlock()
	told()
	for _, f := range p.fresh {
		f.serve()
	}
	var closing sync.WaitGroup // here: the next configuration may want the address again
	for _, f := range going {
		f.retire()
		closing.Go(func() {
			if !p.has(f.sockets) {
				f.sockets.Leave(f.take)
			}
			s.leaving.Go(func() { s.leave(f) }) // not before: it would find nobody there
		})
	}
	closing.Wait()
}

// put puts a face among the old, for so long at most. The caller holds mu.
func (s *balanceFaces) put(f *balanceFace, limit time.Duration) {
	if over := len(s.old) - mostRetired; over >= 0 { // those before it are being cut
		s.log.Warn("too many earlier settings have connections left: the oldest are cut", "of", s.old[over].url(), "most", mostRetired)
		s.old[over].cut()
	}
	f.going, f.cut = context.WithTimeout(s.open, limit)
	s.old = append(s.old, f)
}

// leave waits until nobody is left at a face that has retired, or its time is up,
// and ends it.
func (s *balanceFaces) leave(f *balanceFace) {
	f.left(f.going)
	f.cut()
	grace := cutGrace
	if s.open.Err() != nil {
		grace = exchangeLimit
	}
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	if err := f.shut(ctx); err != nil {
		s.log.Warn("some connections were cut that came before the configuration changed", "at", f.url(), "error", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.old = slices.DeleteFunc(s.old, func(o *balanceFace) bool { return o == f })
	s.share()
}

// share lets Go use a processor more than there are event loops: one that is busy
// leaves its own to nobody. The caller holds mu.
func (s *balanceFaces) share() {
	n := 1
	for _, f := range slices.Concat(s.now, s.old) {
		n += f.threads
	}
	runtime.GOMAXPROCS(max(s.processors, n))
}

// current are the faces in force.
func (s *balanceFaces) current() []*balanceFace {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

// retired is how many others there are still.
func (s *balanceFaces) retired() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.old)
}

// changed tells the event loops whether there are upstreams they do not speak
// with: everything goes to the fronts then, and no connection is taken twice.
func (s *balanceFaces) changed(plain bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range slices.Concat(s.now, s.old) {
		if f.loop != nil {
			f.loop.HandOver(!plain)
		}
	}
}

// shut stops taking requests and lets those under way end, on all addresses at
// once.
func (s *balanceFaces) shut() error {
	ctx, cancel := context.WithTimeout(context.Background(), exchangeLimit)
	defer cancel()
	s.close()
	now := s.current()
	errs := make([]error, len(now))
	var shutting sync.WaitGroup
	for i, f := range now {
		shutting.Go(func() {
			f.retire()
			f.sockets.Close(f.take)
			errs[i] = f.shut(ctx)
			if errors.Is(errs[i], context.DeadlineExceeded) {
				errs[i] = fmt.Errorf("some exchanges at %s did not end within %v and were cut", f.url(), exchangeLimit)
			}
		})
	}
	shutting.Wait()
	s.leaving.Wait()
	return errors.Join(errs...)
}
