package forwardtest

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/netip"
	"net/textproto"
	"net/url"
	"strings"
	"time"
)

// Client asks one address, one exchange after the other.
type Client interface {
	// Do sends an exchange's request and reads what is answered.
	Do(e *Exchange, id string) (*Told, error)
	Close()
}

// Dial connects to an address, with TLS where conf is not nil.
func Dial(address netip.AddrPort, conf *tls.Config) (net.Conn, error) {
	c, err := net.DialTimeout("tcp", address.String(), patience)
	if err != nil {
		return nil, err
	}
	_ = c.SetDeadline(time.Now().Add(patience))
	if conf == nil {
		return c, nil
	}
	s := tls.Client(c, conf)
	if err := s.Handshake(); err != nil {
		_ = c.Close()
		return nil, err
	}
	return s, nil
}

// client1 speaks HTTP/1 on one connection for as long as it lasts.
type client1 struct {
	address netip.AddrPort
	conf    *tls.Config
	conn    net.Conn
	r       *bufio.Reader
	dialed  int
}

// NewClient makes a client of HTTP/1.
func NewClient(address netip.AddrPort, conf *tls.Config) Client {
	return &client1{address: address, conf: conf}
}

// Close ends its connection.
func (c *client1) Close() {
	if c.conn != nil {
		_ = c.conn.Close()
		c.conn = nil
	}
}

// connect makes a connection where there is none.
func (c *client1) connect() error {
	if c.conn != nil {
		return c.conn.SetDeadline(time.Now().Add(patience))
	}
	conn, err := Dial(c.address, c.conf)
	if err != nil {
		return err
	}
	c.conn, c.r = conn, bufio.NewReaderSize(conn, 64<<10)
	c.dialed++
	return nil
}

// Do implements Client.
func (c *client1) Do(e *Exchange, id string) (*Told, error) {
	if err := c.connect(); err != nil {
		return nil, err
	}
	conn := c.conn
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		for _, p := range pieces(e.request(id), e.Pieces) {
			if _, err := conn.Write(p); err != nil {
				return // an answer before the end of the request
			}
		}
	}()
	told, ends, err := readAnswer(c.r, e.Method)
	if err != nil || ends || e.closing() || told.Cut {
		c.Close()
	}
	<-sent
	return told, err
}

// readAnswer reads one answer, with those before it.
func readAnswer(r *bufio.Reader, method string) (told *Told, ends bool, err error) {
	told = &Told{}
	for {
		a, err := http.ReadResponse(r, &http.Request{Method: method})
		if err != nil {
			return nil, true, fmt.Errorf("no answer: %w", err)
		}
		if a.StatusCode < 200 && a.StatusCode != http.StatusSwitchingProtocols {
			told.Interim = append(told.Interim, interim(a.StatusCode, a.Header))
			continue
		}
		told.Status, told.Length, told.Fields = a.StatusCode, a.ContentLength, a.Header
		if a.Header.Get("Content-Length") == "" {
			told.Length = -1 // not told, but known
		}
		if a.StatusCode == http.StatusSwitchingProtocols {
			return told, false, nil
		}
		told.Body, err = io.ReadAll(a.Body)
		_ = a.Body.Close()
		told.Cut, told.Why = err != nil, err
		told.Trailer = a.Trailer
		return told, a.Close, nil
	}
}

func interim(status int, h http.Header) string {
	return fmt.Sprintf("%d %q", status, h["Link"])
}

// client2 speaks HTTP/2.
type client2 struct {
	transport *http.Transport
	base      string
}

// NewClient2 makes a client of HTTP/2: over TLS, or where conf is nil over plain
// TCP with prior knowledge.
func NewClient2(address netip.AddrPort, conf *tls.Config) Client {
	t := &http.Transport{TLSClientConfig: conf, DisableCompression: true, Protocols: new(http.Protocols)}
	scheme := "https://"
	if conf == nil {
		scheme = "http://"
		t.Protocols.SetUnencryptedHTTP2(true)
	} else {
		t.Protocols.SetHTTP2(true)
	}
	return &client2{transport: t, base: scheme + address.String()}
}

// Close ends its connections.
func (c *client2) Close() { c.transport.CloseIdleConnections() }

// Do implements Client.
func (c *client2) Do(e *Exchange, id string) (*Told, error) {
	told := &Told{}
	trace := &httptrace.ClientTrace{Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
		told.Interim = append(told.Interim, interim(code, http.Header(h)))
		return nil
	}}
	ctx, cancel := context.WithTimeout(httptrace.WithClientTrace(context.Background(), trace), patience)
	defer cancel()
	q, err := http.NewRequestWithContext(ctx, e.Method, c.base, nil)
	if err != nil {
		return nil, err
	}
	if err := c.fill(q, e, id); err != nil {
		return nil, err
	}
	a, err := c.transport.RoundTrip(q)
	if err != nil {
		return nil, fmt.Errorf("no answer: %w", err)
	}
	defer func() { _ = a.Body.Close() }()
	if a.ProtoMajor != 2 {
		return nil, errors.New("answered with " + a.Proto)
	}
	told.Status, told.Length, told.Fields = a.StatusCode, a.ContentLength, a.Header
	if a.Header.Get("Content-Length") == "" {
		told.Length = -1
	}
	told.Body, err = io.ReadAll(a.Body)
	told.Cut, told.Why = err != nil, err
	told.Trailer = a.Trailer
	return told, nil
}

// fill makes the request of an exchange.
func (c *client2) fill(q *http.Request, e *Exchange, id string) error {
	path, query, asks := strings.Cut(e.Target, "?")
	q.URL.Opaque, q.URL.RawQuery, q.URL.ForceQuery = path, query, asks
	if e.Target == "*" || strings.HasPrefix(e.Target, "//") {
		parsed, err := url.ParseRequestURI(e.Target)
		if err != nil {
			return err
		}
		q.URL.Opaque, q.URL.Path, q.URL.RawPath = "", parsed.Path, parsed.RawPath
	}
	q.Host = e.Host
	q.Header = http.Header{caseField: {id}, "User-Agent": {""}}
	for _, f := range e.Fields {
		name := http.CanonicalHeaderKey(f.Name)
		if name == "User-Agent" {
			q.Header.Del(name)
		}
		q.Header.Add(name, strings.Trim(f.Value, " "))
	}
	if e.Framing == Bare {
		return nil
	}
	q.Body = io.NopCloser(&dribble{pieces: pieces(e.Body, e.Pieces)})
	q.ContentLength = int64(len(e.Body))
	if e.Framing == ByChunks {
		q.ContentLength = -1
	} else if len(e.Body) == 0 {
		q.Body = http.NoBody
	}
	for _, f := range e.Trailer {
		if q.Trailer == nil {
			q.Trailer = http.Header{}
		}
		q.Trailer.Add(f.Name, f.Value)
	}
	return nil
}

// dribble gives one piece a Read.
type dribble struct{ pieces [][]byte }

// Read implements io.Reader.
func (d *dribble) Read(p []byte) (int, error) {
	for len(d.pieces) > 0 && len(d.pieces[0]) == 0 {
		d.pieces = d.pieces[1:]
	}
	if len(d.pieces) == 0 {
		return 0, io.EOF
	}
	n := copy(p, d.pieces[0])
	d.pieces[0] = d.pieces[0][n:]
	return n, nil
}

// Raw sends bytes, half-closes the connection where asked to, and gives back
// what is answered until it ends.
func Raw(address netip.AddrPort, conf *tls.Config, text []byte, half bool) ([]byte, error) {
	c, err := Dial(address, conf)
	if err != nil {
		return nil, err
	}
	defer func() { _ = c.Close() }()
	go func() {
		_, _ = c.Write(text)
		if h, ok := c.(interface{ CloseWrite() error }); ok && half {
			_ = h.CloseWrite()
		}
	}()
	var out bytes.Buffer
	_, err = io.Copy(&out, c)
	return out.Bytes(), err
}
