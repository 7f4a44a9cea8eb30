// Package link is a process's end of the one stream it has with a server.
//
//	calls ──> pending, outgoing ── sender ──> Calls ──> server
//	             │   │  gathers while the last message is sent
//	             │   └─ sent again, in a new stream, when one broke
//	done <── number <── receiver <── Replies <──
//
// Whoever calls need not know that streams break: what is asked for is asked
// again until it is answered, and a ticket with every job sees to it that
// nothing happens twice.
package link

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"connectrpc.com/connect"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/api/polymathv1"
	"github.com/polymath-run/polymath/api/polymathv1/polymathv1connect"
	"github.com/polymath-run/polymath/internal/wire"
)

// Bounds of a link.
const (
	// MaxPending is how many calls may wait for their answers.
	MaxPending = 60_000
	// messageBytes is about how much goes into one message.
	messageBytes = 1 << 20
	firstAgain   = 50 * time.Millisecond // before the stream is opened again
	maxAgain     = time.Second
	pingPause    = 5 * time.Second // of silence, before the server is asked whether it is there
	pingLimit    = 5 * time.Second
	dialLimit    = 10 * time.Second
)

// Options are the choices of a link.
type Options struct {
	// TLS is how to trust a server whose URL is https; nil: as the system
	// does.
	TLS *tls.Config
	// Lost, if it is there, hears why a stream broke. It must not block.
	Lost func(error)
}

// Link is one stream to a server, opened again whenever it breaks. It is safe
// for concurrent use and must be closed.
type Link struct {
	client polymathv1connect.PolymathClient
	web    *http.Client
	base   string
	lost   func(error)
	cancel context.CancelFunc
	work   sync.WaitGroup
	wake   chan struct{} // holds a token when there may be something to send

	mu       sync.Mutex
	number   uint64                 // of the newest call
	pending  map[uint64]*call       // sent or to be sent, not answered
	outgoing []*polymathv1.Calls    // not sent yet, oldest first
	bytes    int                    // of the newest of outgoing, about
	seats    map[polymath.Ref]*seat // of workers
	standing bool                   // the stream is open
	closed   bool
}

// call is something asked for.
type call struct {
	number uint64
	// put adds the call to a message, and says about how many bytes it takes.
	put func(*polymathv1.Calls) int
	// done hears the reply, or why there will be none.
	done func(*polymathv1.Reply, error)
	// once: when the stream breaks the call fails instead of being sent again.
	once bool
}

// ParseURL checks the URL of a server: http or https, a host, and no path.
func ParseURL(server string) (*url.URL, error) {
	u, err := url.Parse(server)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" {
		return nil, polymath.Errorf(polymath.InvalidArgument, "%.80q is no server's URL: it looks like http://127.0.0.1:8080", server)
	}
	u.Path = ""
	return u, nil
}

// Dial opens a link to the server at a URL, and returns when its stream
// stands. The error is Unavailable when nobody answers there.
func Dial(ctx context.Context, server string, o Options) (*Link, error) {
	u, err := ParseURL(server)
	if err != nil {
		return nil, err
	}
	running, cancel := context.WithCancel(context.Background())
	web := &http.Client{Transport: transport(u.Scheme, o.TLS)}
	l := &Link{
		client: polymathv1connect.NewPolymathClient(web, u.String(), connect.WithReadMaxBytes(wire.MaxMessageBytes),
			connect.WithAcceptCompression("gzip", nil, nil)),
		web: web, base: u.String(), lost: o.Lost, cancel: cancel, wake: make(chan struct{}, 1),
		pending: make(map[uint64]*call), seats: make(map[polymath.Ref]*seat),
	}
	stands := make(chan error, 1)
	l.work.Go(func() { l.run(running, stands) })
	dialing, stop := context.WithTimeout(ctx, dialLimit)
	defer stop()
	select {
	case err = <-stands:
	case <-dialing.Done():
		err = dialing.Err()
	}
	if err != nil {
		l.Close()
		return nil, polymath.Errorf(polymath.Unavailable, "no Polymath server answers at %s: is it running? (%w)", l.base, err)
	}
	return l, nil
}

// transport speaks HTTP/2, without TLS as well: a stream has two directions.
func transport(scheme string, trust *tls.Config) *http.Transport {
	var p http.Protocols
	p.SetHTTP2(scheme == "https")
	p.SetUnencryptedHTTP2(scheme == "http")
	return &http.Transport{
		Protocols: &p, TLSClientConfig: trust, DialContext: (&net.Dialer{Timeout: dialLimit}).DialContext,
		HTTP2: &http.HTTP2Config{SendPingTimeout: pingPause, PingTimeout: pingLimit},
	}
}

// Base is the URL of the server.
func (l *Link) Base() string { return l.base }

// Web is the client for other requests to the server.
func (l *Link) Web() *http.Client { return l.web }

// Close ends the link. What was not answered fails; what was acknowledged
// stands.
func (l *Link) Close() {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	l.cancel()
	l.work.Wait()
	l.web.CloseIdleConnections()
}

// run keeps a stream open. stands hears once whether the first one did.
func (l *Link) run(ctx context.Context, stands chan<- error) {
	pause := firstAgain
	for ctx.Err() == nil {
		err := l.stream(ctx, func() {
			pause = firstAgain
			select {
			case stands <- nil:
			default:
			}
		})
		l.broke()
		if ctx.Err() != nil {
			break
		}
		select {
		case stands <- err: // it never stood: whoever dials hears why
		default:
		}
		if l.lost != nil {
			l.lost(err)
		}
		timer := time.NewTimer(pause/2 + rand.N(pause/2))
		select {
		case <-ctx.Done():
		case <-timer.C:
		}
		timer.Stop()
		pause = min(2*pause, maxAgain)
	}
	l.fail(polymath.Errorf(polymath.Unavailable, "the client is closed: what was asked for may or may not have happened"))
}

// stream opens a stream and uses it until it breaks.
func (l *Link) stream(ctx context.Context, stood func()) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	x := l.client.Exchange(ctx)
	defer x.CloseResponse() //nolint:errcheck // the stream is over
	// The transport looks at the context only once the request has ended.
	defer context.AfterFunc(ctx, func() { _ = x.CloseRequest() })()
	if err := x.Send(&polymathv1.Calls{}); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if _, err := x.Receive(); err != nil { // the first message, an empty one
		return err
	}
	l.begin()
	stood()
	var sending sync.WaitGroup
	defer sending.Wait()
	defer cancel()
	sending.Go(func() {
		l.send(ctx, x)
		cancel()
	})
	for {
		m, err := x.Receive()
		if err != nil {
			return err
		}
		l.take(m)
	}
}

// send sends what gathers until the stream breaks.
func (l *Link) send(ctx context.Context, x *connect.BidiStreamForClient[polymathv1.Calls, polymathv1.Replies]) {
	for {
		m := l.next()
		if m == nil {
			select {
			case <-ctx.Done():
				return
			case <-l.wake:
			}
			continue
		}
		if x.Send(m) != nil {
			return // Receive says why
		}
	}
}

// next is the next message to send, or nil.
func (l *Link) next() *polymathv1.Calls {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.outgoing) == 0 {
		return nil
	}
	m := l.outgoing[0]
	if l.outgoing = l.outgoing[1:]; len(l.outgoing) == 0 {
		l.outgoing = nil
	}
	return m
}

// begin makes of what is not answered the first messages of a new stream.
func (l *Link) begin() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.standing = true
	l.outgoing = nil
	for _, s := range l.seats {
		l.rejoin(s)
	}
	numbers := make([]uint64, 0, len(l.pending))
	for n := range l.pending {
		numbers = append(numbers, n)
	}
	slices.Sort(numbers)
	for _, n := range numbers {
		l.add(l.pending[n].put)
	}
}

// add puts something into the newest message, or into a new one when that is
// large enough. l.mu is held.
func (l *Link) add(put func(*polymathv1.Calls) int) {
	if len(l.outgoing) == 0 || l.bytes > messageBytes {
		l.outgoing = append(l.outgoing, &polymathv1.Calls{})
		l.bytes = 0
	}
	l.bytes += put(l.outgoing[len(l.outgoing)-1])
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// say sends something that needs no answer, unless the stream is away.
func (l *Link) say(put func(*polymathv1.Calls) int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.standing {
		l.add(put)
	}
}

// ask sends calls. It returns when they are on their way, or are refused.
func (l *Link) ask(calls ...*call) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.closed:
		return polymath.Errorf(polymath.Unavailable, "the client is closed")
	case len(l.pending)+len(calls) > MaxPending:
		return polymath.Errorf(polymath.Overloaded, "%d calls wait for their answers, the most there may be: ask for less at a time", len(l.pending))
	case !l.standing && slices.ContainsFunc(calls, func(c *call) bool { return c.once }):
		return errAway()
	}
	for _, c := range calls {
		l.number++
		c.number = l.number
		l.pending[c.number] = c
		if l.standing {
			l.add(c.put)
		}
	}
	return nil
}

// errAway is what calls that are not repeated get without a stream.
func errAway() error {
	return polymath.Errorf(polymath.Unavailable, "the connection to the server broke: it is opened again")
}

// take hands out what a message says.
func (l *Link) take(m *polymathv1.Replies) {
	replies := m.GetReplies()
	calls := make([]*call, len(replies))
	l.mu.Lock()
	for i, r := range replies {
		calls[i] = l.pending[r.GetCall()]
		delete(l.pending, r.GetCall())
	}
	l.mu.Unlock()
	for i, c := range calls {
		if c != nil {
			c.done(replies[i], wire.ParseError(replies[i].GetError()))
		}
	}
	l.news(m)
}

// broke ends the calls that are not repeated.
func (l *Link) broke() {
	l.mu.Lock()
	l.standing = false
	l.outgoing = nil
	var failed []*call
	for n, c := range l.pending {
		if c.once {
			failed = append(failed, c)
			delete(l.pending, n)
		}
	}
	l.mu.Unlock()
	for _, c := range failed {
		c.done(nil, errAway())
	}
}

// fail ends all calls.
func (l *Link) fail(err error) {
	l.mu.Lock()
	l.closed = true
	pending := l.pending
	l.pending = make(map[uint64]*call)
	l.mu.Unlock()
	for _, c := range pending {
		c.done(nil, err)
	}
}

// forget drops a call whose answer interests nobody any more.
func (l *Link) forget(c *call) {
	l.mu.Lock()
	delete(l.pending, c.number)
	l.mu.Unlock()
}
