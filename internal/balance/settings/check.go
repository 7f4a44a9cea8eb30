package settings

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/balance/forward"
	"github.com/polymath-run/polymath/internal/balance/http1"
	"github.com/polymath-run/polymath/internal/balance/pick"
)

// Bounds of single fields.
const (
	maxConnections = 1_000_000
	maxSample      = 1_000_000
	whole          = 100       // percent
	maxNumber      = 1<<52 - 1 // of an upstream: what a whole number in a file may be
)

// fault is what is wrong with a field.
type fault struct {
	field, text string
}

// Error names the field.
func (f *fault) Error() string { return f.field + ": " + f.text }

// Check fills in what is left out and says what is wrong, naming the field.
func (c *Config) Check() error {
	for _, check := range []func() error{
		c.checkListen, c.checkUpstreams, c.checkUpstreamTLS, c.checkDiscovery, c.checkPolicy, c.checkHealth, c.checkCare, c.checkLimits,
		c.checkTimeouts, c.checkRest, c.checkPool,
	} {
		if err := check(); err != nil {
			return polymath.Errorf(polymath.InvalidArgument, "%w", err)
		}
	}
	return nil
}

// Wrong is an error about a field that only whoever uses it could find.
func Wrong(field string, err error) error {
	return polymath.Errorf(polymath.InvalidArgument, "%w", &fault{field, err.Error()})
}

func bad(field, format string, args ...any) error {
	return &fault{field, fmt.Sprintf(format, args...)}
}

func at(field string, i int) string { return fmt.Sprintf("%s[%d]", field, i) }

func (c *Config) checkListen() error {
	if len(c.Listen) == 0 || len(c.Listen) > MaxListeners {
		return bad("listen", "there are %d addresses: from 1 to %d may be", len(c.Listen), MaxListeners)
	}
	for i := range c.Listen {
		l, field := &c.Listen[i], at("listen", i)
		if err := checkAddress(l.Address); err != nil {
			return bad(field+".address", "%v", err)
		}
		for j := range c.Listen[:i] {
			if c.Listen[j].Address == l.Address && !strings.HasSuffix(l.Address, ":0") {
				return bad(field+".address", "%s is listened on already", l.Address)
			}
		}
		if len(l.ProxyProtocol) > MaxPrefixes {
			return bad(field+".proxy-protocol", "there are %d networks: at most %d may be", len(l.ProxyProtocol), MaxPrefixes)
		}
		if l.TLS == nil {
			continue
		}
		if err := together(field+".tls", l.TLS.Certificate, l.TLS.Key, true); err != nil {
			return err
		}
		if l.CleartextHTTP2 {
			return bad(field+".cleartext-http2", "this listener speaks TLS, which has HTTP/2 anyway")
		}
	}
	if err := between("threads", c.Threads, 0, forward.MaxThreads); err != nil {
		return err
	}
	if c.Admin.Address == Off {
		return nil
	}
	if err := checkAddress(c.Admin.Address); err != nil {
		return bad("admin.address", "%v", err)
	}
	return nil
}

// checkAddress checks what is listened on.
func checkAddress(address string) error {
	_, port, err := net.SplitHostPort(address)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return fmt.Errorf("%q is no address: write it as HOST:PORT, such as 127.0.0.1:8080 or [::]:80", clip(address))
	}
	return nil
}

func (c *Config) checkUpstreams() error {
	if len(c.Upstreams) > MaxUpstreams {
		return bad("upstreams", "there are %d: at most %d may be", len(c.Upstreams), MaxUpstreams)
	}
	if len(c.Upstreams)+len(c.Discovery) == 0 {
		return bad("upstreams", "there is nobody to send requests to: name upstreams, or where to discover them")
	}
	names, numbers := make(map[string]int), make(map[uint64]int)
	for i := range c.Upstreams {
		u, field := &c.Upstreams[i], at("upstreams", i)
		name, err := u.check(field)
		if err != nil {
			return err
		}
		if u.Number == 0 {
			u.Number = uint64(i) + 1
		}
		if j, taken := names[name]; taken {
			return bad(field+".url", "%s is upstream %d already", name, j)
		}
		if j, taken := numbers[u.Number]; taken {
			return bad(field+".number", "%d is the number of upstream %d already", u.Number, j)
		}
		names[name], numbers[u.Number] = i, i
	}
	return nil
}

// check fills in what is left out of an upstream and gives its name.
func (u *Upstream) check(field string) (string, error) {
	t, err := ParseTarget(u.URL)
	if err != nil {
		return "", bad(field+".url", "%v", err)
	}
	if u.Weight == 0 {
		u.Weight = 1
	}
	switch {
	case u.Weight < 0 || u.Weight > pick.MaxWeight:
		return "", bad(field+".weight", "%d: it must be from 1 to %d; drain: true gives it no requests", u.Weight, pick.MaxWeight)
	case !slices.Contains([]string{"", "v1", "v2"}, u.ProxyProtocol):
		return "", bad(field+".proxy-protocol", "%q: it must be v1 or v2", clip(u.ProxyProtocol))
	case u.Host != "" && !http1.ValidHost(u.Host):
		return "", bad(field+".host", "%q cannot be sent as Host", clip(u.Host))
	case u.Number > maxNumber:
		return "", bad(field+".number", "%d: it must be at most %d", u.Number, maxNumber)
	}
	return t.Name(), nil
}

// CheckUpstream fills in what is left out of an upstream that is not in a file
// and gives its name. The error names the field.
func CheckUpstream(u *Upstream) (string, error) {
	name, err := u.check("upstream")
	if err != nil {
		return "", polymath.Errorf(polymath.InvalidArgument, "%w", err)
	}
	return name, nil
}

func (c *Config) checkUpstreamTLS() error {
	return together("upstream-tls", c.UpstreamTLS.Certificate, c.UpstreamTLS.Key, false)
}

// together checks that a certificate has a key, and a key a certificate.
func together(field, certificate, key string, must bool) error {
	switch {
	case certificate == "" && (must || key != ""):
		return bad(field+".certificate", "it is missing: certificate and key belong together")
	case key == "" && (must || certificate != ""):
		return bad(field+".key", "it is missing: certificate and key belong together")
	}
	return nil
}

func (c *Config) checkDiscovery() error {
	if len(c.Discovery) > MaxDiscovered {
		return bad("discovery", "there are %d names: at most %d may be", len(c.Discovery), MaxDiscovered)
	}
	for i := range c.Discovery {
		d, field := &c.Discovery[i], at("discovery", i)
		d.fill()
		switch {
		case d.Name == "" || len(d.Name) > 253:
			return bad(field+".name", "it has %d bytes: names have from 1 to 253", len(d.Name))
		case d.Record != RecordHost && d.Record != RecordSRV:
			return bad(field+".record", "%q: it must be A (with AAAA) or SRV", clip(d.Record))
		case d.Record == RecordSRV && d.Port != 0:
			return bad(field+".port", "SRV records have their own ports")
		case d.Record == RecordHost && (d.Port < 1 || d.Port > 65535):
			return bad(field+".port", "%d: those found by A need a port from 1 to 65535", d.Port)
		case d.Scheme != "http" && d.Scheme != "https":
			return bad(field+".scheme", "%q: it must be http or https", clip(d.Scheme))
		case d.Weight < 1 || d.Weight > pick.MaxWeight:
			return bad(field+".weight", "%d: it must be from 1 to %d", d.Weight, pick.MaxWeight)
		case d.Shortest < time.Second/10 || d.Shortest > d.Longest:
			return bad(field+".shortest", "%v: it must be from 100ms to longest, which is %v", d.Shortest, d.Longest)
		case d.Longest > MaxWait:
			return bad(field+".longest", "%v: it must be at most %v", d.Longest, MaxWait)
		case d.Most < 1 || d.Most > MaxUpstreams:
			return bad(field+".most", "%d: it must be from 1 to %d", d.Most, MaxUpstreams)
		}
		for j, server := range d.Servers {
			if _, err := netip.ParseAddrPort(server); err != nil {
				return bad(at(field+".servers", j), "%q is no address and port of a name server, such as 10.0.0.2:53", clip(server))
			}
		}
	}
	return nil
}

// checkPool asks the pool itself, which has the last word.
func (c *Config) checkPool() error {
	s, err := c.Pool()
	if err != nil {
		return err
	}
	return s.Check()
}
