// Package settings is the balancer's configuration: one YAML file, checked as a
// whole before any of it counts.
//
//	file ── File: changed? ──▶ Parse ──▶ Check ──▶ Config ──▶ Diff ──▶ what to do
//	                             │         │
//	                             └────┬────┘
//	                        line, field, what is wrong
//
// It opens no port and starts nothing. A file that is wrong anywhere gives an
// error that names the line and the field, and no Config.
package settings

import (
	"net/netip"
	"time"

	"github.com/polymath-run/polymath/internal/balance"
	"github.com/polymath-run/polymath/internal/balance/forward"
	"github.com/polymath-run/polymath/internal/balance/limit"
)

// Bounds of a Config.
const (
	MaxFileBytes  = 1 << 20
	MaxListeners  = 64
	MaxUpstreams  = 1024
	MaxDiscovered = 64  // names that are looked up
	MaxPrefixes   = 256 // networks in one list
	MaxKeySources = 8
	MaxWait       = 24 * time.Hour // of any timeout
)

// Config is everything the balancer is told. Default has the values of what is
// left out; a duration is written as 1.5s or 2m.
type Config struct {
	// Listen are the addresses clients come to.
	Listen []Listener `yaml:"listen"`
	// Threads are the event loops of all listeners together; 0: one less than
	// processors.
	Threads int `yaml:"threads"`
	// Admin is where the balancer is asked and told things; Address "off" is nowhere.
	Admin Admin `yaml:"admin"`

	// Upstreams are the servers requests go to, beside those found by Discovery.
	Upstreams   []Upstream  `yaml:"upstreams"`
	UpstreamTLS UpstreamTLS `yaml:"upstream-tls"`
	Discovery   []Discovery `yaml:"discovery"`

	// Policy chooses among them.
	Policy Policy `yaml:"policy"`
	// Key is where policies by key find it: the first source that a request
	// has. One without any of them goes anywhere.
	Key []string `yaml:"key"`

	Health   Health   `yaml:"health"`
	Ejection Ejection `yaml:"ejection"`
	Retries  Retries  `yaml:"retries"`
	Hedging  Hedging  `yaml:"hedging"`
	Breaker  Breaker  `yaml:"breaker"`
	Limits   Limits   `yaml:"limits"`
	Timeouts Timeouts `yaml:"timeouts"`

	// TrustedProxies are the networks whose X-Forwarded-For, Forwarded and the
	// like are believed.
	TrustedProxies []netip.Prefix `yaml:"trusted-proxies"`

	AccessLog AccessLog `yaml:"access-log"`

	RateLimits []RateLimit `yaml:"rate-limits"`
	// RateLimitKeys is how many clients and keys are remembered at a time.
	RateLimitKeys int `yaml:"rate-limit-keys"`

	// Watch is how often this file and the certificates are looked at for
	// changes; 0: they are read again only when somebody asks for it.
	Watch time.Duration `yaml:"watch"`
}

// Listener is an address clients come to.
type Listener struct {
	Address string `yaml:"address"` // host:port; port 0 is any free one
	TLS     *TLS   `yaml:"tls"`     // nil: plain
	// ProxyProtocol are the networks whose connections must begin with a PROXY
	// protocol header.
	ProxyProtocol []netip.Prefix `yaml:"proxy-protocol"`
	// CleartextHTTP2 takes HTTP/2 without TLS from clients that know of it.
	CleartextHTTP2 bool `yaml:"cleartext-http2"`
}

// UnmarshalText lets a listener be its address alone.
func (l *Listener) UnmarshalText(text []byte) error {
	l.Address = string(text)
	return nil
}

// TLS is what a listener speaks TLS with. The files are read again when they
// change.
type TLS struct {
	Certificate string `yaml:"certificate"` // PEM, the whole chain
	Key         string `yaml:"key"`         // PEM
	// ClientCA, where not "", is the file of the authorities one of which must
	// have signed the client's certificate.
	ClientCA string `yaml:"client-ca"`
}

// Admin is the balancer's own API.
type Admin struct {
	Address string   `yaml:"address"` // host:port, or "off"
	Hosts   []string `yaml:"hosts"`   // further names it may be called by
}

// UnmarshalText lets it be its address alone.
func (a *Admin) UnmarshalText(text []byte) error {
	a.Address = string(text)
	return nil
}

// Off is the word for nothing: no admin API, no access log.
const Off = "off"

// UpstreamTLS is how upstreams with an https URL are spoken to.
type UpstreamTLS struct {
	CA          string `yaml:"ca"`          // PEM; "": the system's authorities
	ServerName  string `yaml:"server-name"` // "": the host of the URL
	Certificate string `yaml:"certificate"` // ours, for upstreams that ask for one
	Key         string `yaml:"key"`
	Insecure    bool   `yaml:"insecure"` // take any certificate
}

// Limits bound what the balancer takes on.
type Limits struct {
	Connections int `yaml:"connections"` // of clients
	Idle        int `yaml:"idle"`        // connections kept to each upstream
	// PerUpstream is the most requests in flight to one upstream; 0: no limit.
	PerUpstream int         `yaml:"per-upstream"`
	Concurrency Concurrency `yaml:"concurrency"` // of the balancer as a whole
}

// Timeouts are the longest waits, stage by stage, as in forward.Timeouts.
type Timeouts struct {
	Head      time.Duration `yaml:"head"`       // a request's head, and a TLS handshake
	Body      time.Duration `yaml:"body"`       // between two reads of a request's body
	Connect   time.Duration `yaml:"connect"`    // to an upstream
	FirstByte time.Duration `yaml:"first-byte"` // until the head of the answer
	Answer    time.Duration `yaml:"answer"`     // between two reads of an answer's body
	KeepAlive time.Duration `yaml:"keep-alive"` // a client's connection without a request
	Idle      time.Duration `yaml:"idle"`       // an upstream's connection without a request
	Write     time.Duration `yaml:"write"`      // a write without progress
	Tunnel    time.Duration `yaml:"tunnel"`     // an upgraded connection that is silent
	Request   time.Duration `yaml:"request"`    // all of an exchange, retries included; 0: no limit
	// Drain is how long connections may go on that were there before a reload that
	// has changed what they are made with.
	Drain time.Duration `yaml:"drain"`
	// Field is the header field in which a client says how long it waits, such as
	// X-Request-Timeout; "": none is asked.
	Field string `yaml:"field"`
}

// Forward is what a forwarder takes of them.
func (t *Timeouts) Forward() forward.Timeouts {
	return forward.Timeouts{
		Head: t.Head, Body: t.Body, Connect: t.Connect, FirstByte: t.FirstByte, Answer: t.Answer,
		KeepAlive: t.KeepAlive, Idle: t.Idle, Write: t.Write, Tunnel: t.Tunnel,
	}
}

// The forms of an access log.
const (
	FormJSON     = "json"
	FormCombined = "combined"
)

// AccessLog is what is written of each request.
type AccessLog struct {
	Form   string `yaml:"form"`   // off, json or combined
	Output string `yaml:"output"` // a file; "" or "stdout": standard output
	Every  int    `yaml:"every"`  // one in so many is written; those that failed always
}

// UnmarshalText lets it be its form alone.
func (a *AccessLog) UnmarshalText(text []byte) error {
	a.Form = string(text)
	return nil
}

// defaultDrain is longer than most answers take, and shorter than it would take
// many reloads to leave much behind.
const defaultDrain = 5 * time.Minute

// Default is the configuration of who says nothing but an upstream.
func Default() *Config {
	wait := forward.DefaultTimeouts()
	c := &Config{
		Listen: []Listener{{Address: "127.0.0.1:8080"}},
		Admin:  Admin{Address: "127.0.0.1:8081"},
		Key:    []string{"client"},
		Limits: Limits{Connections: 10_000, Idle: 256},
		Timeouts: Timeouts{
			Head: wait.Head, Body: wait.Body, Connect: wait.Connect, FirstByte: wait.FirstByte, Answer: wait.Answer,
			KeepAlive: wait.KeepAlive, Idle: wait.Idle, Write: wait.Write, Tunnel: wait.Tunnel,
			Drain: defaultDrain,
		},
		AccessLog:     AccessLog{Form: Off, Every: 1},
		RateLimitKeys: limit.DefaultKeys,
		Watch:         time.Second,
	}
	c.decide(balance.Defaults())
	return c
}
