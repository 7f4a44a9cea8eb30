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
	"github.com/polymath-run/polymath/internal/balance"
	"github.com/polymath-run/polymath/internal/balance/forward"
	"github.com/polymath-run/polymath/internal/balance/guard"
	"github.com/polymath-run/polymath/internal/balance/health"
	"github.com/polymath-run/polymath/internal/balance/limit"
	"github.com/polymath-run/polymath/internal/balance/pick"
)

// Bounds of single fields.
const (
	maxConnections = 1_000_000
	maxSample      = 1_000_000
	whole          = 100 // percent
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
		if l.TLS.Certificate == "" || l.TLS.Key == "" {
			return bad(field+".tls", "certificate and key belong together: one is missing")
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
	case strings.ContainsAny(u.Host, " \t\r\n\x00/"):
		return "", bad(field+".host", "%q cannot be sent as Host", clip(u.Host))
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
	if t := &c.UpstreamTLS; (t.Certificate == "") != (t.Key == "") {
		return bad("upstream-tls", "certificate and key belong together: one is missing")
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

func (c *Config) checkPolicy() error {
	if _, err := pick.New(c.Policy.Name); err != nil {
		return bad("policy.name", "%s", strings.TrimPrefix(err.Error(), "pick: "))
	}
	if len(c.Key) > MaxKeySources {
		return bad("key", "there are %d sources: at most %d may be", len(c.Key), MaxKeySources)
	}
	for i, text := range c.Key {
		if _, err := pick.ParseSource(text); err != nil {
			return bad(at("key", i), "%s", strings.TrimPrefix(err.Error(), "pick: "))
		}
	}
	return first(
		span("policy.decay", c.Policy.Decay, 0),
		between("policy.points", c.Policy.Points, 0, pick.MaxPoints),
		between("policy.bound", c.Policy.Bound, 0, pick.MaxBound),
		oneOf("policy.hash", c.Policy.Hash, "", "classic", "mixed"),
		oneOf("policy.probe", c.Policy.Probe, "", "linear", "quadratic"),
	)
}

func (c *Config) checkHealth() error {
	h := &c.Health
	switch {
	case h.Path != "" && (h.Path[0] != '/' || strings.ContainsFunc(h.Path, func(r rune) bool { return r <= ' ' || r >= 0x7f })):
		return bad("health.path", "%q: it must begin with / and have no blanks, such as /health", clip(h.Path))
	case h.Interval == 0:
		return nil
	}
	return first(
		span("health.interval", h.Interval, health.MinInterval),
		span("health.timeout", h.Timeout, time.Millisecond),
		between("health.from", h.From, 100, 599),
		between("health.to", h.To, h.From, 599),
		between("health.rise", h.Rise, 1, health.MaxCount),
		between("health.fall", h.Fall, 1, health.MaxCount),
		span("health.slow-start", h.SlowStart, 0),
	)
}

// checkCare checks what keeps the balancer from making things worse.
func (c *Config) checkCare() error {
	e := &c.Ejection
	if e.Errors > 0 {
		if err := span("ejection.window", e.Window, time.Second); err != nil {
			return err
		}
	}
	if e.SlowFactor != 0 && (e.SlowFactor < 1 || e.SlowFactor > health.MaxCount) {
		return bad("ejection.slow-factor", "%v: it must be from 1 to %d, or 0 for none", e.SlowFactor, health.MaxCount)
	}
	return first(
		between("ejection.errors", e.Errors, 0, health.MaxCount),
		between("ejection.error-percent", e.ErrorPercent, 0, whole),
		between("ejection.server-errors", e.ServerErrors, 0, health.MaxCount),
		span("ejection.slow-least", e.SlowLeast, 0),
		span("ejection.for", e.For, health.MinInterval),
		span("ejection.longest", e.Longest, e.For),
		between("ejection.most", e.Most, 0, whole),
		between("ejection.panic", e.Panic, 0, whole),
		between("ejection.successes", e.Successes, 1, health.MaxCount),
		between("retries.most", c.Retries.Most, 0, forward.MaxAttempts-1),
		between("retries.percent", c.Retries.Percent, 0, guard.MaxPercent),
		between("retries.floor", c.Retries.Floor, 0, guard.MaxLeast),
		c.checkStatuses(),
		between("hedging.percentile", c.Hedging.Percentile, 0, whole-1),
		span("hedging.least", c.Hedging.Least, 0),
		between("hedging.percent", c.Hedging.Percent, 0, guard.MaxPercent),
		between("hedging.floor", c.Hedging.Floor, 0, guard.MaxLeast),
		between("breaker.failures", c.Breaker.Failures, 0, health.MaxCount),
		span("breaker.open", c.Breaker.Open, health.MinInterval),
		between("breaker.successes", c.Breaker.Successes, 1, health.MaxCount),
	)
}

func (c *Config) checkStatuses() error {
	if n := len(c.Retries.Statuses); n > balance.MaxStatuses {
		return bad("retries.statuses", "there are %d: at most %d may be", n, balance.MaxStatuses)
	}
	for i, status := range c.Retries.Statuses {
		if err := between(at("retries.statuses", i), status, 400, 599); err != nil {
			return err
		}
	}
	return nil
}

func (c *Config) checkLimits() error {
	l := &c.Limits
	if most := l.Concurrency.Most; most > 0 {
		if err := first(
			between("limits.concurrency.least", l.Concurrency.Least, 1, most),
			between("limits.concurrency.first", l.Concurrency.First, l.Concurrency.Least, most),
		); err != nil {
			return err
		}
	} else {
		l.Concurrency = Concurrency{}
	}
	return first(
		between("limits.connections", l.Connections, 1, maxConnections),
		between("limits.idle", l.Idle, 1, maxConnections),
		between("limits.per-upstream", l.PerUpstream, 0, balance.MaxInFlight),
		between("limits.concurrency.most", l.Concurrency.Most, 0, balance.MaxInFlight),
		between("rate-limit-keys", c.RateLimitKeys, 1, limit.MaxKeys),
	)
}

func (c *Config) checkTimeouts() error {
	t := &c.Timeouts
	if strings.ContainsAny(t.Field, " \t\r\n,;=:\"") {
		return bad("timeouts.field", "%q is no name of a header field", clip(t.Field))
	}
	return first(
		span("timeouts.head", t.Head, time.Millisecond),
		span("timeouts.body", t.Body, time.Millisecond),
		span("timeouts.connect", t.Connect, time.Millisecond),
		span("timeouts.first-byte", t.FirstByte, time.Millisecond),
		span("timeouts.answer", t.Answer, time.Millisecond),
		span("timeouts.keep-alive", t.KeepAlive, time.Millisecond),
		span("timeouts.idle", t.Idle, time.Millisecond),
		span("timeouts.write", t.Write, time.Millisecond),
		span("timeouts.tunnel", t.Tunnel, time.Millisecond),
		span("timeouts.request", t.Request, 0),
		span("timeouts.drain", t.Drain, 0),
	)
}

func (c *Config) checkRest() error {
	if len(c.TrustedProxies) > MaxPrefixes {
		return bad("trusted-proxies", "there are %d networks: at most %d may be", len(c.TrustedProxies), MaxPrefixes)
	}
	if err := first(
		oneOf("access-log.form", c.AccessLog.Form, Off, FormJSON, FormCombined),
		between("access-log.every", c.AccessLog.Every, 1, maxSample),
	); err != nil {
		return err
	}
	if c.Watch != 0 {
		if err := span("watch", c.Watch, time.Second/10); err != nil {
			return err
		}
	}
	if len(c.RateLimits) > limit.MaxRules {
		return bad("rate-limits", "there are %d: at most %d may be", len(c.RateLimits), limit.MaxRules)
	}
	for i := range c.RateLimits {
		r, field := &c.RateLimits[i], at("rate-limits", i)
		r.fill()
		if _, err := r.Build(); err != nil {
			return bad(field, "%v", err)
		}
		for j := range i {
			if c.RateLimits[j].Name == r.Name {
				return bad(field+".name", "%s is the name of limit %d already", r.Name, j)
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

// oneOf checks a word.
func oneOf(field, word string, words ...string) error {
	if slices.Contains(words, word) {
		return nil
	}
	known := strings.Join(slices.DeleteFunc(words, func(w string) bool { return w == "" }), ", ")
	return bad(field, "%q: it must be one of %s", clip(word), known)
}

// first is the first error.
func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// between checks a number.
func between(field string, n, least, most int) error {
	if n < least || n > most {
		return bad(field, "%d: it must be from %d to %d", n, least, most)
	}
	return nil
}

// span checks a duration.
func span(field string, d, least time.Duration) error {
	if d < least || d > MaxWait {
		return bad(field, "%v: it must be from %v to %v", d, least, MaxWait)
	}
	return nil
}
