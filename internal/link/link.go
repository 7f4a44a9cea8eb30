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
	"net/http"
	"net/url"
	"runtime"
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
	dialed *dialed // of web
	base   string
	trust  *tls.Config
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
	connections := &dialed{}
	web := &http.Client{Transport: transport(u.Scheme, o.TLS, connections)}
	l := &Link{
		client: polymathv1connect.NewPolymathClient(web, u.String(), connect.WithReadMaxBytes(wire.MaxMessageBytes),
			connect.WithAcceptCompression("gzip", nil, nil)),
		web: web, dialed: connections, base: u.String(), trust: o.TLS, lost: o.Lost, cancel: cancel, wake: make(chan struct{}, 1),
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
func transport(scheme string, trust *tls.Config, d *dialed) *http.Transport {
	var p http.Protocols
	p.SetHTTP2(scheme == "https")
	p.SetUnencryptedHTTP2(scheme == "http")
	return &http.Transport{
		Protocols: &p, TLSClientConfig: trust, DialContext: d.dial,
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
	l.dialed.close()
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
	patience := time.AfterFunc(dialLimit, cancel)
	defer patience.Stop()
	x, err := l.open(ctx)
	if err != nil {
		return err
	}
	defer x.release()
	defer context.AfterFunc(ctx, x.close)()
	if err := x.Send(&polymathv1.Calls{}); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if _, err := x.Receive(); err != nil { // the first message, an empty one
		return err
	}
	patience.Stop()
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

// send sends what gathers until the stream breaks, and something now and then
// in any case: the server answers, and so either side knows of the other.
func (l *Link) send(ctx context.Context, x talk) {
	ping := time.NewTicker(pingPause)
	defer ping.Stop()
	for {
		m := l.next()
		if m == nil {
			select {
			case <-ctx.Done():
				return
			case <-l.wake:
				// One call seldom comes alone: whoever was woken by the same
				// message, or has the same batch to report, goes first.
				runtime.Gosched()
				continue
			case <-ping.C:
				m = &polymathv1.Calls{}
			}
		}
		if x.Send(m) != nil {
			return // Receive says why
		}
	}
}
