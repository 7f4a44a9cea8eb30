// Package forwardtest holds every forwarder to one behaviour.
//
//	            ┌──────────────► upstream      what is said directly
//	client ─────┤
//	            └──► path ─────► upstream      the same, less the hop's own fields
//
// Each exchange is a request and the answer a scripted upstream gives to it. It
// is held twice, once with the upstream itself and once through the path; what
// the client is told must be the same, and what the upstream sees must be the
// same but for the fields in hopFields, which end at each hop, and those in
// forwardingFields, which the path adds.
package forwardtest

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/polymath-run/polymath/internal/balance/forward"
)

// Path is one way from a client to an upstream.
type Path struct {
	Name string

	// Start runs a forwarder until the test ends, and tells where it listens.
	// Where TLS is set, o.TLS is what it must speak.
	Start func(t testing.TB, o forward.Options) netip.AddrPort

	TLS    bool   // clients speak TLS
	HTTP2  bool   // and HTTP/2
	Behind Behind // what the upstreams speak
	Few    bool   // a tenth of the generated exchanges: the path is made of others
}

func (p *Path) http2Behind() bool { return p.Behind == H2C || p.Behind == Secure2 }

// The size of a run.
const (
	generatedExchanges = 5_000
	fewExchanges       = 500 // where Few
	shortExchanges     = 150 // with -short
	shortPart          = 4   // with -short one in so many of the written ones, others on each path
	workers            = 8   // clients at once
	earlyExchanges     = 8   // with a long answer before the body's end: what goes wrong with it does so by chance

	// arrival is how long after its answer a request may still be on its way: an
	// early answer overtakes it.
	arrival = patience
)

// suite is one path under test.
type suite struct {
	path     Path
	address  netip.AddrPort
	director *Director
	server   *Server // behind the path
	plain    *Server // asked directly
	id       *Identity
	number   atomic.Int64
}

// Run holds a path to the behaviour. The same seed gives the same exchanges.
func Run(t *testing.T, p Path, seed uint64) {
	verifyNoLeaks(t)
	s := newSuite(t, p, forward.Options{})
	t.Run("generated", func(t *testing.T) {
		n := generatedExchanges
		switch {
		case testing.Short():
			n = shortExchanges
		case p.Few:
			n = fewExchanges
		}
		t.Logf("seed %d, %d exchanges", seed, n)
		s.all(t, Generate(seed, n))
	})
	t.Run("written", func(t *testing.T) {
		all, first, step := Written(), 0, 1
		if testing.Short() {
			first, step = len(p.Name)%shortPart, shortPart
		}
		var some []*Exchange
		for i := first; i < len(all); i += step {
			some = append(some, all[i])
		}
		s.all(t, some)
	})
	t.Run("early at length", s.earlyAtLength)
	t.Run("cut", s.cut)
	t.Run("faults", s.faults)
	t.Run("refusal", s.refusal)
	t.Run("retry", s.retry)
	t.Run("doubted", s.doubted)
	t.Run("doubted and passed on", s.doubtedPassedOn)
	t.Run("hedge", s.hedge)
	t.Run("deadline", s.deadline)
	t.Run("abort", s.abort)
	if p.HTTP2 {
		t.Run("smuggling", s.smuggling2)
		return
	}
	t.Run("smuggling", s.smuggling)
	t.Run("chunks", s.badChunks)
	t.Run("large head", s.largeHead)
	t.Run("pipelined", s.pipelined)
	t.Run("reused", s.reused)
	t.Run("half-closed", s.halfClosed)
	t.Run("continue", s.waitsForContinue)
	t.Run("timeouts", s.timeouts)
	t.Run("stale", s.stale)
	if !p.http2Behind() {
		t.Run("upgrade", s.upgrade)
	}
}

// newSuite starts an upstream and the path before it.
func newSuite(t testing.TB, p Path, o forward.Options) *suite {
	t.Helper()
	id := NewIdentity(t)
	s := &suite{path: p, id: id, server: NewServer(t, p.Behind, id)}
	s.plain = s.server
	if p.Behind != Plain {
		s.plain = NewServer(t, Plain, id)
	}
	s.start(t, o, s.server.Upstream)
	return s
}

// start starts the path before some upstreams.
func (s *suite) start(t testing.TB, o forward.Options, upstreams ...*forward.Upstream) {
	t.Helper()
	s.director = NewDirector(t, upstreams...)
	o.Director = s.director
	if s.path.TLS {
		o.TLS = s.id.Server()
	}
	s.address = s.path.Start(t, o)
}

// other is the same path, started anew with other options and upstreams; its
// Director comes with it.
func (s *suite) other(t testing.TB, o forward.Options, upstreams ...*forward.Upstream) *suite {
	t.Helper()
	n := &suite{path: s.path, id: s.id, server: s.server, plain: s.plain}
	n.start(t, o, upstreams...)
	return n
}

func (s *suite) clientConf(protocols ...string) *tls.Config {
	if !s.path.TLS {
		return nil
	}
	return s.id.Client(protocols...)
}

// client makes a client of the path.
func (s *suite) client() Client {
	if s.path.HTTP2 {
		return NewClient2(s.address, s.clientConf())
	}
	return NewClient(s.address, s.clientConf("http/1.1"))
}

// fits makes of an exchange one that the path's clients can say; nil where that
// is not possible.
func (s *suite) fits(e *Exchange) *Exchange {
	if s.path.HTTP2 && (e.Version != 11 || e.Host == "" || e.Target[0] != '/' && e.Target != "*") {
		return nil
	}
	c := *e
	if c.Answer.Early && (s.path.HTTP2 || s.path.http2Behind()) {
		// A trailer that arrives behind the answer's end is a connection error to
		// the library's server.
		c.Trailer = nil
	}
	c.Fields = slices.DeleteFunc(slices.Clone(e.Fields), func(f Field) bool {
		switch strings.ToLower(f.Name) {
		case "expect", "trailer":
			return s.path.HTTP2 || s.path.http2Behind() // the library's server hides them
		case "connection", "keep-alive", "proxy-connection", "x-hop", "upgrade", "te":
			return s.path.HTTP2
		}
		return false
	})
	return &c
}

// earlyAtLength: an answer of megabytes that begins before the request has ended
// arrives whole, although the client still sends when all of it is said.
func (s *suite) earlyAtLength(t *testing.T) {
	e := &Exchange{Name: "answered at length before the body", Method: "POST", Target: "/", Version: 11, Host: "a", Framing: ByChunks, Body: make([]byte, 1<<20)}
	e.Answer = Answer{Status: 200, Framing: ByLength, Body: make([]byte, 4<<20), Early: true}
	all := slices.Repeat([]*Exchange{e}, earlyExchanges)
	if testing.Short() {
		all = all[:workers]
	}
	s.all(t, all)
}

// all holds exchanges, several at once.
func (s *suite) all(t *testing.T, exchanges []*Exchange) {
	queue := make(chan *Exchange)
	var live sync.WaitGroup
	var held, failed atomic.Int64
	for range workers {
		live.Go(func() {
			direct, through := NewClient(s.plain.Address, nil), s.client()
			defer direct.Close()
			defer through.Close()
			for e := range queue {
				if e = s.fits(e); e == nil || failed.Load() > 10 {
					continue
				}
				held.Add(1)
				if out := s.hold(direct, through, e); len(out) > 0 {
					failed.Add(1)
					t.Errorf("%s: %s %s (%d bytes, answer %d, %d bytes):\n\t%s", e.Name, e.Method, e.Target,
						len(e.Body), e.Answer.Status, len(e.Answer.Body), strings.Join(out, "\n\t"))
				}
			}
		})
	}
	for _, e := range exchanges {
		queue <- e
	}
	close(queue)
	live.Wait()
	t.Logf("%d exchanges held, %d connections to the upstream", held.Load(), s.server.Accepted.Load())
	s.director.Settled(t)
	if n := s.server.Strays.Load() + s.plain.Strays.Load(); n != 0 {
		t.Errorf("upstreams got %d requests nobody sent", n)
	}
}

// hold holds one exchange both ways and says what differs.
func (s *suite) hold(direct, through Client, e *Exchange) []string {
	n := strconv.FormatInt(s.number.Add(1), 10)
	toldDirect, seenDirect, err := ask(direct, s.plain, e, "d"+n)
	if err != nil {
		return []string{"directly: " + err.Error()}
	}
	told, seen, err := ask(through, s.server, e, "p"+n)
	if err != nil {
		return []string{err.Error()}
	}
	out := told.differences(toldDirect)
	out = append(out, seen.differences(seenDirect, e.Answer.Early)...)
	return append(out, s.forwarded(seen, e)...)
}

// ask sends a request and gives back both ends' view of it.
func ask(c Client, server *Server, e *Exchange, id string) (*Told, *Seen, error) {
	run := server.expect(id, e)
	defer server.forget(id)
	told, err := c.Do(e, id)
	if err != nil {
		return nil, nil, err
	}
	select {
	case seen := <-run.seen:
		if len(run.seen) > 0 {
			return nil, nil, errors.New("the upstream got the request more than once")
		}
		return told, &seen, nil
	case <-time.After(arrival):
		return nil, nil, fmt.Errorf("answered with %d, and the upstream did not get the request: %q", told.Status, clip(told.Body))
	}
}

// forwarded says what is wrong with the forwarding fields of a request.
func (s *suite) forwarded(seen *Seen, e *Exchange) []string {
	scheme := "http"
	if s.path.TLS {
		scheme = "https"
	}
	want := http.Header{"X-Forwarded-For": {"127.0.0.1"}, "X-Forwarded-Proto": {scheme}, "X-Real-Ip": {"127.0.0.1"}}
	if e.Host != "" {
		want["X-Forwarded-Host"] = []string{e.Host}
	}
	got := http.Header{}
	for _, name := range forwardingFields[:4] {
		if v, ok := seen.Fields[name]; ok {
			got[name] = v
		}
	}
	out := sameFields("forwarding field", got, want)
	element := strings.Split(seen.Fields.Get("Forwarded"), ";")
	if !slices.Contains(element, "for=127.0.0.1") || !slices.Contains(element, "proto="+scheme) {
		out = append(out, fmt.Sprintf("Forwarded is %q", seen.Fields["Forwarded"]))
	}
	return out
}
