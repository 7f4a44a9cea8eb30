package health

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"sync"
	"time"

	"github.com/polymath-run/polymath/internal/balance/descriptor"
)

const (
	// DefaultChecks is how many checks are under way at once at most.
	DefaultChecks = 16

	// lookAgain is the longest time between two looks at who is due: an
	// upstream that came meanwhile waits no longer.
	lookAgain = time.Second

	// lookLeast is the shortest, so that a board that always has somebody due
	// does not keep a core busy.
	lookLeast = 10 * time.Millisecond

	// lateConnection is how long a connection of HTTP/2 stays that came about
	// only after its check was given up: nobody is left to close it.
	lateConnection = time.Second

	// maxAnswerHead is the largest head of an answer to a check, in bytes.
	maxAnswerHead = 64 << 10
)

// Target is an upstream to be checked, and how.
type Target struct {
	Member  *Member
	Address netip.AddrPort
	Host    string      // of the request; "" is the address
	TLS     *tls.Config // nil: plain
	HTTP2   bool        // without TLS: h2c with prior knowledge
	Preface string      // what each connection begins with: a PROXY protocol header
	Path    string      // to GET; "" only connects
	From    int         // healthy statuses
	To      int
	Timeout time.Duration
}

// Board knows who is due and takes the outcome: a Fleet and its lock. Its
// methods are called by one goroutine a check, and do not block.
type Board interface {
	// Due marks at most so many as being checked and gives them, and how long it
	// is until the next is due.
	Due(most int) ([]Target, time.Duration)

	// Checked tells how the check of a target went: "" is well.
	Checked(t *Target, why string)

	// Dropped tells that a check was given up: the prober stops, or has nothing to
	// make a connection of, which says nothing of the target.
	Dropped(t *Target)
}

// Prober asks the upstreams of a board.
type Prober struct {
	Board  Board
	Checks int // at once; 0 is DefaultChecks
}

// Run asks until the context ends, and then waits for what is under way.
func (p *Prober) Run(ctx context.Context) {
	var checks sync.WaitGroup
	defer checks.Wait()
	most := p.Checks
	if most <= 0 {
		most = DefaultChecks
	}
	free := make(chan struct{}, most)
	under := 0
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-free:
			under--
			continue // the timer looks again
		case <-timer.C:
		}
		targets, wait := p.Board.Due(most - under)
		for i := range targets {
			under++
			checks.Go(func() {
				p.check(ctx, &targets[i])
				free <- struct{}{} // has room for all
			})
		}
		timer.Reset(min(max(wait, lookLeast), lookAgain))
	}
}

func (p *Prober) check(ctx context.Context, t *Target) {
	limited, cancel := context.WithTimeout(ctx, t.Timeout)
	defer cancel()
	err := ask(limited, t)
	switch {
	case ctx.Err() != nil, descriptor.IsShort(err):
		p.Board.Dropped(t)
	case err == nil:
		p.Board.Checked(t, "")
	case limited.Err() != nil:
		p.Board.Checked(t, fmt.Sprintf("no answer within %v", t.Timeout))
	default:
		p.Board.Checked(t, err.Error())
	}
}

// ask makes one check.
func ask(ctx context.Context, t *Target) error {
	if t.Path == "" {
		return connect(ctx, t)
	}
	transport := &http.Transport{
		DialContext:            func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx, t) },
		TLSClientConfig:        t.TLS.Clone(),
		DisableKeepAlives:      true, // each check shows that connections come about
		IdleConnTimeout:        lateConnection,
		DisableCompression:     true,
		MaxResponseHeaderBytes: maxAnswerHead,
	}
	defer transport.CloseIdleConnections()
	if t.HTTP2 {
		transport.DisableKeepAlives = false // net/http's HTTP/2 has no say in it
		transport.Protocols = &http.Protocols{}
		transport.Protocols.SetHTTP2(true)
		transport.Protocols.SetUnencryptedHTTP2(true)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address(t), http.NoBody)
	if err != nil {
		return err
	}
	request.Header.Set("User-Agent", "polymath-health")
	response, err := transport.RoundTrip(request) // follows nothing
	if err != nil {
		if u, ok := errors.AsType[*url.Error](err); ok {
			err = u.Err
		}
		return err
	}
	if err := response.Body.Close(); err != nil {
		return err
	}
	if response.StatusCode < t.From || response.StatusCode > t.To {
		return fmt.Errorf("GET %s gave status %d, healthy are %d to %d", t.Path, response.StatusCode, t.From, t.To)
	}
	return nil
}

// address is the URL of a check.
func address(t *Target) string {
	scheme, host := "http", t.Host
	if t.TLS != nil {
		scheme = "https"
	}
	if host == "" {
		host = t.Address.String()
	}
	return scheme + "://" + host + t.Path
}

// connect is a check without a request: a connection comes about.
func connect(ctx context.Context, t *Target) error {
	conn, err := dial(ctx, t)
	if err != nil {
		return err
	}
	if t.TLS == nil {
		return conn.Close()
	}
	config := t.TLS.Clone()
	if config.ServerName == "" {
		config.ServerName = hostName(t)
	}
	err = tls.Client(conn, config).HandshakeContext(ctx)
	if closed := conn.Close(); err == nil {
		err = closed
	}
	return err
}

// hostName is the name a certificate is checked for.
func hostName(t *Target) string {
	if t.Host == "" {
		return t.Address.Addr().String()
	}
	if name, _, err := net.SplitHostPort(t.Host); err == nil {
		return name
	}
	return t.Host
}

func dial(ctx context.Context, t *Target) (net.Conn, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", t.Address.String())
	if err != nil || t.Preface == "" {
		return conn, err
	}
	if deadline, ok := ctx.Deadline(); ok {
		if err := conn.SetWriteDeadline(deadline); err != nil {
			return nil, errors.Join(err, conn.Close())
		}
	}
	if _, err := conn.Write([]byte(t.Preface)); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return conn, conn.SetWriteDeadline(time.Time{})
}
