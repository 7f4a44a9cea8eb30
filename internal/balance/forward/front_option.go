package forward

import (
	"crypto/tls"
	"log/slog"
	"net/netip"
	"time"

	"github.com/polymath-run/polymath"
)

// The limits of the forwarders. Options has those that can be set.
const (
	// MaxReplay is the most bytes of a request, head and body together, that are
	// kept so that it can be told again to another upstream.
	MaxReplay = 64 << 10

	// MaxEarly is the most bytes of the next requests that are read from a client
	// before the one before has its answer.
	MaxEarly = 64 << 10

	// MaxInformational is the most 1xx answers of one exchange: an upstream
	// that sends more is Unusable.
	MaxInformational = 16

	// LingerBytes and LingerTime bound what is still read of a request whose
	// answer is complete before its connection is closed: closing at once would
	// destroy the answer on its way (RFC 9112, section 9.6).
	LingerBytes = 256 << 10
	LingerTime  = 500 * time.Millisecond
)

// Timeouts are the longest waits of a forwarder, stage by stage. Zero takes the
// default.
type Timeouts struct {
	Head      time.Duration // from the first byte of a request to the end of its head; 10 s. Also a TLS handshake
	Body      time.Duration // between two reads of a request's body; 60 s
	Connect   time.Duration // of a connection to an upstream, its TLS handshake included; 5 s
	FirstByte time.Duration // from the end of the request to the head of the answer; 60 s
	Answer    time.Duration // between two reads of an answer's body; 60 s
	KeepAlive time.Duration // a client's connection without a request; 75 s
	Idle      time.Duration // an upstream's connection without a request; 60 s
	Write     time.Duration // a write, to either side, that makes no progress; 30 s
	Tunnel    time.Duration // an upgraded connection on which nobody says anything; 1 h
}

// Options are what a forwarder is made of. All three take the same.
type Options struct {
	Director Director

	// Now is the clock of Exchange. Nil is a monotonic clock that begins at 0.
	Now func() time.Duration

	// TLS, where not nil, is what the front speaks with clients. Its NextProtos
	// are set by the front: HTTP/2 and HTTP/1.1.
	TLS *tls.Config

	// CleartextHTTP2 lets clients begin HTTP/2 without TLS, with prior knowledge.
	CleartextHTTP2 bool

	// Proxies are the networks whose forwarding fields are believed and extended.
	// From anybody else they are replaced.
	Proxies []netip.Prefix

	// ProxyProtocol are the networks whose connections must begin with a PROXY
	// protocol header; empty asks nobody for one.
	ProxyProtocol []netip.Prefix

	Timeouts Timeouts

	// MaxConnections is the most clients at once; more wait, in the backlog of
	// the listener but for one of a front's. 0 takes 10,000.
	MaxConnections int

	// MaxIdle is the most idle connections kept to each upstream. 0 takes 256.
	MaxIdle int

	// Log gets what goes wrong in a forwarder itself. Nil is slog.Default.
	Log *slog.Logger

	refusals *refusals
}

// The defaults of Options.
const (
	defaultHead           = 10 * time.Second
	defaultBody           = 60 * time.Second
	defaultConnect        = 5 * time.Second
	defaultFirstByte      = 60 * time.Second
	defaultAnswer         = 60 * time.Second
	defaultKeepAlive      = 75 * time.Second
	defaultIdle           = 60 * time.Second
	defaultWrite          = 30 * time.Second
	defaultTunnel         = time.Hour
	defaultMaxConnections = 10_000
	defaultMaxIdle        = 256
)

// filled gives the options with every default in its place.
func (o Options) filled() (Options, error) {
	if o.Director == nil {
		return o, polymath.Errorf(polymath.InvalidArgument, "a forwarder needs a Director")
	}
	if o.MaxConnections < 0 || o.MaxIdle < 0 {
		return o, polymath.Errorf(polymath.InvalidArgument, "MaxConnections %d and MaxIdle %d must not be negative", o.MaxConnections, o.MaxIdle)
	}
	if o.Now == nil {
		begun := time.Now()
		o.Now = func() time.Duration { return time.Since(begun) }
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.MaxConnections == 0 {
		o.MaxConnections = defaultMaxConnections
	}
	if o.MaxIdle == 0 {
		o.MaxIdle = defaultMaxIdle
	}
	o.refusals = newRefusals()
	err := o.Timeouts.fill()
	return o, err
}

// DefaultTimeouts are those of who chooses none.
func DefaultTimeouts() Timeouts {
	return Timeouts{
		Head: defaultHead, Body: defaultBody, Connect: defaultConnect, FirstByte: defaultFirstByte, Answer: defaultAnswer,
		KeepAlive: defaultKeepAlive, Idle: defaultIdle, Write: defaultWrite, Tunnel: defaultTunnel,
	}
}

// fill puts the defaults where nothing was given.
func (t *Timeouts) fill() error {
	for _, v := range []struct {
		name   string
		value  *time.Duration
		normal time.Duration
	}{
		{"head", &t.Head, defaultHead},
		{"body", &t.Body, defaultBody},
		{"connect", &t.Connect, defaultConnect},
		{"first byte", &t.FirstByte, defaultFirstByte},
		{"answer", &t.Answer, defaultAnswer},
		{"keep-alive", &t.KeepAlive, defaultKeepAlive},
		{"idle", &t.Idle, defaultIdle},
		{"write", &t.Write, defaultWrite},
		{"tunnel", &t.Tunnel, defaultTunnel},
	} {
		if *v.value < 0 {
			return polymath.Errorf(polymath.InvalidArgument, "the %s timeout %v must not be negative", v.name, *v.value)
		}
		if *v.value == 0 {
			*v.value = v.normal
		}
	}
	return nil
}
