package forward

import (
	"net"
	"net/netip"
	"sync"
	"time"
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

// lastCall is how long those are still taken in who are about to connect when
// listening ends: who has heard that he is welcome, and has not said so yet, is
// lost otherwise.
const lastCall = 200 * time.Millisecond

// callEvery is how often it is looked for them meanwhile.
const callEvery = 10 * time.Millisecond

// Close stops listening at once. Those who wait are given to take, or, where it
// is nil, lost.
func (s *Sockets) Close(take func(net.Conn)) { s.end(take, 0) }

// Leave stops listening without a connection lost: nobody new is let in, which is
// no refusal yet, and those who are about to connect are given to take, for 200 ms.
// Others who have come to the address meanwhile ask again by themselves, some
// time later, and find whoever is there then.
func (s *Sockets) Leave(take func(net.Conn)) { s.end(take, lastCall) }

func (s *Sockets) end(take func(net.Conn), linger time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.gone {
		return
	}
	s.gone = true
	var ending sync.WaitGroup
	for i := range s.all {
		ending.Go(func() { s.all[i].end(take, linger) })
	}
	ending.Wait()
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
