package forward

import (
	"net"
	"net/netip"
	"sync"
)

// Sockets listen at an address. Forwarders take clients from them, one after the
// other or several at a time, and come and go while the sockets stay: who waits
// to be accepted is accepted by whoever is there.
//
//	                 ┌─► forwarder, retired
//	address ═ Sockets┤
//	                 └─► forwarder that has taken over
//
// A forwarder has descriptors of its own for them: it ends without ending them.
// On Linux there is a socket for each thread of the event loop; there are never
// fewer than there were, as closing one would lose who waits there.
type Sockets struct {
	address netip.AddrPort

	mu   sync.Mutex // of what follows
	all  []listening
	gone bool // Close was called
}

// Address is where they listen.
func (s *Sockets) Address() netip.AddrPort { return s.address }

// Listeners give clients to a Front. Closing them leaves the sockets open.
func (s *Sockets) Listeners() ([]net.Listener, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []net.Listener
	for i := range s.all {
		l, err := s.all[i].listener()
		if err != nil {
			for _, l := range out {
				_ = l.Close()
			}
			return nil, err
		}
		if l != nil {
			out = append(out, l)
		}
	}
	return out, nil
}

// Close stops listening. Those who waited until now are given to take, or, where
// it is nil, lost.
func (s *Sockets) Close(take func(net.Conn)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.gone {
		return
	}
	s.gone = true
	for i := range s.all {
		s.all[i].end(take)
	}
}

// release lets go of the sockets: forwarders that have them keep them.
func (s *Sockets) release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gone = true
	for i := range s.all {
		s.all[i].release()
	}
}
