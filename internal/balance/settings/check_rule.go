package settings

import (
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/polymath-run/polymath/internal/balance"
	"github.com/polymath-run/polymath/internal/balance/forward"
	"github.com/polymath-run/polymath/internal/balance/guard"
	"github.com/polymath-run/polymath/internal/balance/health"
	"github.com/polymath-run/polymath/internal/balance/http1"
	"github.com/polymath-run/polymath/internal/balance/limit"
	"github.com/polymath-run/polymath/internal/balance/pick"
)

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
	case len(h.Path) > health.MaxPath:
		return bad("health.path", "it has %d bytes: at most %d may be", len(h.Path), health.MaxPath)
	}
	if h.Interval != 0 {
		if err := within("health.interval", h.Interval, health.MinInterval); err != nil {
			return err
		}
	}
	if h.Interval != 0 || h.Timeout != 0 {
		if err := within("health.timeout", h.Timeout, time.Millisecond); err != nil {
			return err
		}
	}
	return first(
		between("health.from", h.From, 100, 599),
		between("health.to", h.To, h.From, 599),
		between("health.rise", h.Rise, 1, health.MaxCount),
		between("health.fall", h.Fall, 1, health.MaxCount),
		within("health.slow-start", h.SlowStart, 0),
	)
}

// checkCare checks what keeps the balancer from making things worse.
func (c *Config) checkCare() error {
	e := &c.Ejection
	if e.Errors != 0 || e.Window != 0 {
		if err := within("ejection.window", e.Window, time.Second); err != nil {
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
		within("ejection.slow-least", e.SlowLeast, 0),
		within("ejection.for", e.For, health.MinInterval),
		within("ejection.longest", e.Longest, e.For),
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
	if most := l.Concurrency.Most; most != 0 {
		if err := first(
			between("limits.concurrency.most", most, 0, balance.MaxInFlight),
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
		between("rate-limit-keys", c.RateLimitKeys, 1, limit.MaxKeys),
	)
}

func (c *Config) checkTimeouts() error {
	t := &c.Timeouts
	if t.Field != "" && !http1.Replaceable(t.Field) {
		return bad("timeouts.field", "%q is no name of a header field, or of one that means something else: choose one such as X-Request-Timeout", clip(t.Field))
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
	return c.checkRateLimits()
}

func (c *Config) checkRateLimits() error {
	if len(c.RateLimits) > limit.MaxRules {
		return bad("rate-limits", "there are %d: at most %d may be", len(c.RateLimits), limit.MaxRules)
	}
	for i := range c.RateLimits {
		r, field := &c.RateLimits[i], at("rate-limits", i)
		r.fill()
		if _, err := r.Build(); err != nil {
			name, text := limitFault(err)
			return bad(field+name, "%s", text)
		}
		for j := range i {
			if c.RateLimits[j].Name == r.Name {
				return bad(field+".name", "%s is the name of limit %d already", r.Name, j)
			}
		}
	}
	return nil
}

// limitFault is the field of a rate limit that an error of package limit begins
// with, and what is wrong with it.
func limitFault(err error) (field, text string) {
	text = err.Error()
	word, rest, _ := strings.Cut(text, " ")
	word = strings.TrimSuffix(word, ":")
	if index(reflect.TypeFor[RateLimit](), word) < 0 {
		return "", text
	}
	return "." + word, strings.TrimPrefix(rest, "is ")
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

// within checks a duration of what is known of upstreams.
func within(field string, d, least time.Duration) error {
	if d < least || d > health.MaxInterval {
		return bad(field, "%v: it must be from %v to %v", d, least, health.MaxInterval)
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
