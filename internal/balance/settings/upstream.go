package settings

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/polymath-run/polymath/internal/balance/limit"
	"github.com/polymath-run/polymath/internal/balance/pick"
)

// Upstream is a server that requests go to. In a file it may be its URL alone.
type Upstream struct {
	URL    string `yaml:"url"`                                                                       // http or https, host and port, no path
	Weight int    `yaml:"weight" zero:"it must be from 1 to 1000; drain: true gives it no requests"` // its share beside the others; left out: 1
	Host   string `yaml:"host"`                                                                      // sent as Host in place of the client's
	HTTP2  bool   `yaml:"http2"`                                                                     // speak HTTP/2 with it; over http without asking first
	// ProxyProtocol, "v1" or "v2", begins each connection to it with who the
	// client is.
	ProxyProtocol string `yaml:"proxy-protocol"`
	// Number is the server's in the policy slot-map; left out: its place in the
	// list, from 1.
	Number uint64 `yaml:"number"`
	// Drain gives it no new requests. Those under way end.
	Drain bool `yaml:"drain"`
}

// UnmarshalText lets an upstream be its URL alone.
func (u *Upstream) UnmarshalText(text []byte) error {
	u.URL = string(text)
	return nil
}

// Target is where a URL points.
type Target struct {
	Scheme string // http or https
	Host   string // a name or an address, without brackets
	Port   uint16
}

// ports are those of a URL without one.
const (
	portHTTP  = 80
	portHTTPS = 443
)

// ParseTarget reads the URL of an upstream.
func ParseTarget(text string) (Target, error) {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Opaque != "" {
		return Target{}, fmt.Errorf("%q is no URL: write it as http://HOST:PORT", clip(text))
	}
	t := Target{Scheme: u.Scheme, Host: u.Hostname()}
	switch u.Scheme {
	case "http":
		t.Port = portHTTP
	case "https":
		t.Port = portHTTPS
	default:
		return Target{}, fmt.Errorf("%q begins with %s: write http or https", clip(text), u.Scheme)
	}
	switch {
	case u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || u.Path != "" && u.Path != "/":
		return Target{}, fmt.Errorf("%q has more than a host and a port: requests keep their own path", clip(text))
	case t.Host == "" || strings.ContainsAny(t.Host, " \t\r\n\x00/?#@"):
		return Target{}, fmt.Errorf("%q has no host that can be reached", clip(text))
	}
	if u.Port() != "" || strings.HasSuffix(u.Host, ":") {
		port, err := strconv.ParseUint(u.Port(), 10, 16)
		if err != nil || port == 0 {
			return Target{}, fmt.Errorf("%q has no port from 1 to 65535", clip(text))
		}
		t.Port = uint16(port)
	}
	return t, nil
}

// Name is the target as it is called everywhere: the URL in one form.
func (t Target) Name() string {
	return t.Scheme + "://" + net.JoinHostPort(strings.ToLower(t.Host), strconv.Itoa(int(t.Port)))
}

// Address is the target's address, if it is no name.
func (t Target) Address() (netip.AddrPort, bool) {
	a, err := netip.ParseAddr(t.Host)
	return netip.AddrPortFrom(a, t.Port), err == nil
}

// The kinds of records that are looked up.
const (
	RecordSRV  = "SRV"
	RecordHost = "A" // with AAAA
)

// Discovery finds upstreams in the DNS.
type Discovery struct {
	Name   string `yaml:"name"`                                    // looked up
	Record string `yaml:"record"`                                  // A (with AAAA) or SRV; left out: SRV where the name begins with _
	Port   int    `yaml:"port"`                                    // of those found by A
	Scheme string `yaml:"scheme"`                                  // http or https; left out: http
	Weight int    `yaml:"weight" zero:"it must be from 1 to 1000"` // of each found by A; left out: 1
	HTTP2  bool   `yaml:"http2"`
	// Servers are the name servers, address:port; left out: those of
	// /etc/resolv.conf.
	Servers []string `yaml:"servers"`
	// Shortest and Longest bound the time to live of an answer.
	Shortest time.Duration `yaml:"shortest" zero:"it must be at least 100ms"` // left out: 1s
	Longest  time.Duration `yaml:"longest" zero:"it must be at least 100ms"`  // left out: 5m
	Most     int           `yaml:"most" zero:"it must be from 1 to 1024"`     // upstreams that are taken; left out: 64
}

// The values of a Discovery's fields that are left out.
const (
	defaultShortest = time.Second
	defaultLongest  = 5 * time.Minute
	defaultMost     = 64
)

// UnmarshalText lets a discovery be its name alone.
func (d *Discovery) UnmarshalText(text []byte) error {
	d.Name = string(text)
	return nil
}

// fill puts the defaults where nothing is said.
func (d *Discovery) fill() {
	if d.Record == "" {
		d.Record = RecordHost
		if strings.HasPrefix(d.Name, "_") {
			d.Record = RecordSRV
		}
	}
	if d.Scheme == "" {
		d.Scheme = "http"
	}
	if d.Weight == 0 {
		d.Weight = 1
	}
	if d.Shortest == 0 {
		d.Shortest = defaultShortest
	}
	if d.Longest == 0 {
		d.Longest = defaultLongest
	}
	if d.Most == 0 {
		d.Most = defaultMost
	}
}

// RateLimit is how many requests a client, key or tenant may make. In a file it
// may be "100/1m" or "100/1m by header:X-Api-Key".
type RateLimit struct {
	Name      string        `yaml:"name"`                                  // left out: after By
	By        string        `yaml:"by"`                                    // client, tenant or header:NAME; left out: client
	Algorithm string        `yaml:"algorithm"`                             // token-bucket or sliding-window; left out: token-bucket
	Limit     int64         `yaml:"limit"`                                 // requests
	Window    time.Duration `yaml:"window" zero:"it must be at least 1ms"` // in so long; left out: 1s
	Burst     int64         `yaml:"burst" zero:"it must be at least 1"`    // at once; left out: as many as Limit
}

// UnmarshalText reads the short form.
func (r *RateLimit) UnmarshalText(text []byte) error {
	rate, by, who := strings.Cut(string(text), " by ")
	count, window, some := strings.Cut(rate, "/")
	limit, err := strconv.ParseInt(strings.TrimSpace(count), 10, 64)
	if err != nil || !some || who && strings.TrimSpace(by) == "" {
		return fmt.Errorf("write it as 100/1m, or 100/1m by client")
	}
	window = strings.TrimSpace(window)
	if window != "" && (window[0] < '0' || window[0] > '9') {
		window = "1" + window // 100/s
	}
	d, err := time.ParseDuration(window)
	if err != nil {
		return fmt.Errorf("%q is no duration: write it with its unit, such as 1s or 5m", clip(window))
	}
	if d == 0 { // which would be as if it were left out
		return fmt.Errorf("%q is no window: it must be at least 1ms", clip(window))
	}
	*r = RateLimit{Limit: limit, Window: d, By: strings.TrimSpace(by)}
	return nil
}

// fill puts the defaults where nothing is said.
func (r *RateLimit) fill() {
	if r.By == "" {
		r.By = "client"
	}
	if r.Algorithm == "" {
		r.Algorithm = limit.TokenBucket.String()
	}
	if r.Window == 0 {
		r.Window = time.Second
	}
	if r.Name == "" {
		kind, name, _ := strings.Cut(r.By, ":")
		r.Name = "per-" + kind
		if name != "" {
			r.Name = "per-" + strings.Map(plain, strings.ToLower(name))
		}
	}
}

// plain keeps what may stand in the name of a limit.
func plain(c rune) rune {
	if c >= 'a' && c <= 'z' || c >= '0' && c <= '9' {
		return c
	}
	return '-'
}

// Build gives the limit that package limit knows.
func (r *RateLimit) Build() (limit.Limit, error) {
	by, err := limit.ParseBy(r.By)
	if err != nil {
		return limit.Limit{}, fmt.Errorf("by: %w", err)
	}
	algorithm, err := limit.ParseAlgorithm(r.Algorithm)
	if err != nil {
		return limit.Limit{}, fmt.Errorf("algorithm: %w", err)
	}
	out := limit.Limit{By: by, Rule: limit.Rule{
		Name: r.Name, Algorithm: algorithm, Limit: r.Limit, Window: r.Window, Burst: r.Burst,
	}}
	if err := out.Check(); err != nil {
		return limit.Limit{}, err
	}
	return out, nil
}

// sources are where policies by key find it.
func (c *Config) sources() ([]pick.Source, error) {
	var out []pick.Source
	for _, text := range c.Key {
		s, err := pick.ParseSource(text)
		if err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, nil
}
