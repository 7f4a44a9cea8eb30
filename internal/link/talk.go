package link

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/url"
	"time"

	"connectrpc.com/connect"

	"github.com/polymath-run/polymath/api/polymathv1"
	"github.com/polymath-run/polymath/api/polymathv1/polymathv1connect"
	"github.com/polymath-run/polymath/internal/wire"
)

// talk is a stream, however it came about.
type talk interface {
	Send(m *polymathv1.Calls) error
	// Receive reads a message, which is valid until the next Receive but for
	// the inputs of grants.
	Receive() (*polymathv1.Replies, error)
	// close ends it: Send and Receive fail. It may be called at any time.
	close()
	// release frees what is left once nobody receives any more.
	release()
}

// connected is a stream that is a call of Connect.
type connected struct {
	*connect.BidiStreamForClient[polymathv1.Calls, polymathv1.Replies]
}

// The transport looks at the context of a call only once the request has
// ended.
func (c connected) close()   { _ = c.CloseRequest() }
func (c connected) release() { _ = c.CloseResponse() }

// direct is a stream that has a connection of its own.
type direct struct{ stream *wire.Stream }

func (d direct) Send(m *polymathv1.Calls) error { return d.stream.Send(m) }
func (d direct) close()                         { _ = d.stream.Close() }
func (d direct) release()                       { d.close() }

func (d direct) Receive() (*polymathv1.Replies, error) {
	m, err := d.stream.ReceiveReplies()
	if err != nil {
		return nil, err
	}
	return m, wire.ParseError(m.GetEnd())
}

// errNoUpgrade is what open makes of an answer other than 101: between here and
// the server is something that knows calls only, or an older server.
var errNoUpgrade = errors.New("the stream cannot have a connection of its own")

// open opens a stream: with a connection of its own, which needs the least of
// both sides, or else as a call.
func (l *Link) open(ctx context.Context) (talk, error) {
	d, err := l.upgrade(ctx)
	if err == nil {
		return d, nil
	}
	if !errors.Is(err, errNoUpgrade) {
		return nil, err
	}
	return connected{l.client.Exchange(ctx)}, nil
}

// upgrade opens a connection and has the server take it as a stream.
func (l *Link) upgrade(ctx context.Context) (d direct, err error) {
	conn, err := l.connect(ctx)
	if err != nil {
		return d, err
	}
	defer func() {
		if err != nil {
			_ = conn.Close()
		}
	}()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, l.base+polymathv1connect.PolymathExchangeProcedure, http.NoBody)
	if err != nil {
		return d, err
	}
	r.Header = http.Header{"Connection": {"Upgrade"}, "Upgrade": {wire.Protocol}}
	if err := conn.SetDeadline(time.Now().Add(dialLimit)); err != nil {
		return d, err
	}
	in := bufio.NewReader(conn)
	if err := r.Write(conn); err != nil {
		return d, errNoUpgrade
	}
	answer, err := http.ReadResponse(in, r) //nolint:bodyclose // the connection is what there is to close
	switch {
	case ctx.Err() != nil:
		return d, ctx.Err()
	case err != nil || answer.StatusCode != http.StatusSwitchingProtocols:
		return d, errNoUpgrade // and the call says why, if it fails as well
	}
	return direct{wire.NewStream(conn, in, pingPause+pingLimit)}, conn.SetDeadline(time.Time{})
}

// connect connects to the server, with TLS where its URL says so.
func (l *Link) connect(ctx context.Context) (net.Conn, error) {
	u, err := url.Parse(l.base)
	if err != nil {
		return nil, err
	}
	port := u.Port()
	dialer := net.Dialer{Timeout: dialLimit}
	if u.Scheme == "http" {
		if port == "" {
			port = "80"
		}
		return dialer.DialContext(ctx, "tcp", net.JoinHostPort(u.Hostname(), port))
	}
	if port == "" {
		port = "443"
	}
	trust := &tls.Config{MinVersion: tls.VersionTLS12}
	if l.trust != nil {
		trust = l.trust.Clone()
	}
	trust.NextProtos = []string{"http/1.1"}
	secure := tls.Dialer{NetDialer: &dialer, Config: trust}
	return secure.DialContext(ctx, "tcp", net.JoinHostPort(u.Hostname(), port))
}
