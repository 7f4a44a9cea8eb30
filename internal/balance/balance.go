// Package balance decides where requests go: which upstream, whether at all,
// and whether again.
//
//	forwarder ──Begin──► limits ──► admitted, or refused
//	          ──Pick───► pick.Policy over whom health and guard let through
//	          ──Done───► health, breaker, policy, counts
//	          ──Retry──► safe? within the budget? somebody left?
//	          ──End────► counts, access log
//
//	configuration, discovery, admin ──Set, Add, Remove, Drain, Weight──► Pool
//	health.Prober ──Due, Checked──► Pool
//
// A Pool is forward's Director. Everything it decides with is a state machine of
// values in pick, health and guard; the Pool is the one lock around them, and
// brings them the time. DESIGN.md has the laws.
package balance

import (
	"fmt"
	"slices"
	"time"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/balance/forward"
	"github.com/polymath-run/polymath/internal/balance/guard"
	"github.com/polymath-run/polymath/internal/balance/health"
	"github.com/polymath-run/polymath/internal/balance/http1"
	"github.com/polymath-run/polymath/internal/balance/pick"
)

const (
	// MaxTimeout is the longest time for one exchange.
	MaxTimeout = 24 * time.Hour

	// MaxInFlight is the most requests in flight that a limit may be set to.
	MaxInFlight = 1_000_000

	// MaxStatuses is the most statuses that are tried again.
	MaxStatuses = 16

	// MaxKeys is the most places a key is looked for in.
	MaxKeys = 8

	percent = 100
)

// Upstream is one server, as it is configured.
type Upstream struct {
	// Server is where it is and how it is spoken to; its Data is the Pool's. As
	// long as nothing of it changes (TLS by pointer) what is known of the
	// upstream stays.
	Server forward.Upstream
	Weight int    // 0 to pick.MaxWeight; 0 takes nothing
	Number uint64 // of the slot map
	Drain  bool   // takes nothing new
}

// Policy names a policy and what it is made with; zeros are the defaults.
type Policy struct {
	Name   string        // one of pick.Names
	Decay  time.Duration // of peak-ewma
	Points int           // of ring and bounded-ring, per unit of weight
	Bound  int           // of bounded-ring, in percent above the mean
	Hash   string        // of slot-map: classic, mixed
	Probe  string        // of slot-map: linear, quadratic
}

// build makes the policy.
func (c Policy) build() (pick.Policy, error) {
	switch c.Name {
	case "peak-ewma":
		return pick.NewPeakEWMA(c.Decay), nil
	case "ring":
		return pick.NewRing(c.Points)
	case "bounded-ring":
		return pick.NewBoundedRing(c.Points, c.Bound)
	case "slot-map":
		return c.slotMap()
	default:
		return pick.New(c.Name)
	}
}

func (c Policy) slotMap() (pick.Policy, error) {
	name, way := c.Hash, c.Probe
	if name == "" {
		name = "classic"
	}
	if way == "" {
		way = "linear"
	}
	hash, err := pick.NamedSlotHash(name)
	if err != nil {
		return nil, err
	}
	probe, err := pick.NamedProbe(way)
	if err != nil {
		return nil, err
	}
	return pick.NewSlotMap(hash, probe)
}

// keyed reports whether the policy goes by key. Its weights are places of keys,
// and stay steady: there is no slow start.
func (c Policy) keyed() bool {
	switch c.Name {
	case "ring", "bounded-ring", "maglev", "rendezvous", "slot-map":
		return true
	default:
		return false
	}
}

// Retry says what is tried again.
type Retry struct {
	Most     int   // further attempts of one exchange; 0: none; at most forward.MaxAttempts - 1
	Statuses []int // of upstreams that count as failures to be tried again, if the request is idempotent
	Share    guard.Share
}

// Settings is how a Pool decides. It can be exchanged as a whole.
type Settings struct {
	Policy Policy
	Keys   []pick.Source // of policies by key: the first that a request has; else it goes anywhere

	Health  health.Rule
	Breaker guard.BreakerRule
	Retry   Retry
	Hedge   guard.HedgeRule
	Limit   guard.LimitRule // of the balancer as a whole

	PerUpstream int           // most requests in flight to each; 0: no limit
	Timeout     time.Duration // of one exchange with all its attempts; 0: none

	// TimeoutField is a field in which a client says how long it waits, and in
	// which upstreams are told how long is left; "": none.
	TimeoutField string
}

// Defaults is how a Pool decides that was told nothing.
func Defaults() Settings {
	return Settings{
		Policy:  Policy{Name: "peak-ewma"},
		Health:  health.Defaults(),
		Breaker: guard.BreakerRule{Failures: guard.DefaultFailures, Open: guard.DefaultOpen, Successes: 1},
		Retry: Retry{
			Most:     2,
			Statuses: []int{502, 503, 504},
			Share:    guard.Share{Percent: guard.DefaultPercent, Least: guard.DefaultLeast},
		},
		Hedge: guard.HedgeRule{Least: guard.DefaultHedgeLeast, Share: guard.Share{Percent: 5, Least: 1}},
		Limit: guard.LimitRule{First: guard.DefaultLimitFirst, Least: guard.DefaultLimitLeast, Most: guard.DefaultLimitMost},
	}
}

// Check holds settings to their limits.
func (s *Settings) Check() error {
	if err := s.Health.Check(); err != nil {
		return err
	}
	if !slices.Contains(pick.Names(), s.Policy.Name) {
		return refuse("no policy is called %q: choose one of %v", s.Policy.Name, pick.Names())
	}
	for _, n := range []struct {
		name              string
		value, least, top int
	}{
		{"number of retries", s.Retry.Most, 0, forward.MaxAttempts - 1},
		{"number of statuses that are tried again", len(s.Retry.Statuses), 0, MaxStatuses},
		{"retry budget, in percent,", s.Retry.Share.Percent, 0, guard.MaxPercent},
		{"least number of retries a second", s.Retry.Share.Least, 0, guard.MaxLeast},
		{"hedging percentile", s.Hedge.Percentile, 0, percent - 1},
		{"hedging budget, in percent,", s.Hedge.Share.Percent, 0, guard.MaxPercent},
		{"least number of hedges a second", s.Hedge.Share.Least, 0, guard.MaxLeast},
		{"failures that open a breaker", s.Breaker.Failures, 0, health.MaxCount},
		{"successes that close a breaker", s.Breaker.Successes, 1, health.MaxCount},
		{"requests in flight to one upstream", s.PerUpstream, 0, MaxInFlight},
		{"most requests in flight", s.Limit.Most, 0, MaxInFlight},
		{"least limit of requests in flight", s.Limit.Least, min(1, s.Limit.Most), s.Limit.Most},
		{"first limit of requests in flight", s.Limit.First, s.Limit.Least, s.Limit.Most},
		{"number of key sources", len(s.Keys), 0, MaxKeys},
	} {
		if n.value < n.least || n.value > n.top {
			return refuse("the %s is %d: choose one from %d to %d", n.name, n.value, n.least, n.top)
		}
	}
	for _, d := range []struct {
		name  string
		value time.Duration
	}{
		{"time a breaker is open", s.Breaker.Open}, {"timeout of an exchange", s.Timeout},
		{"shortest hedging delay", s.Hedge.Least}, {"decay of peak-ewma", s.Policy.Decay},
	} {
		if d.value < 0 || d.value > MaxTimeout {
			return refuse("the %s is %v: choose one from 0 to %v", d.name, d.value, MaxTimeout)
		}
	}
	if s.TimeoutField != "" && !http1.Replaceable(s.TimeoutField) {
		return refuse("%q cannot be the field of timeouts: choose one that means nothing else, such as X-Request-Timeout", s.TimeoutField)
	}
	for _, status := range s.Retry.Statuses {
		if status < 400 || status > 599 {
			return refuse("status %d cannot be tried again: choose from 400 to 599", status)
		}
	}
	return nil
}

func refuse(format string, args ...any) error {
	return polymath.Errorf(polymath.InvalidArgument, format, args...)
}

// check holds a list of upstreams to what all policies ask of it.
func check(list []Upstream) error {
	for i, u := range list {
		if !u.Server.Address.IsValid() {
			return refuse("upstream %d, %q, has no address", i, u.Server.Name)
		}
	}
	return nil
}

// invalid gives an error of a policy its code.
func invalid(err error) error {
	return polymath.Errorf(polymath.InvalidArgument, "%s: %w", "these upstreams cannot be used", err)
}

// retryAfter is the refusal of whom nobody can be found for, to be tried again
// in so many seconds.
func retryAfter(seconds int) *forward.Refusal {
	r := forward.Nobody()
	r.Header = fmt.Sprintf("Retry-After: %d\r\n", seconds)
	return r
}

// overloaded is the refusal of who comes over the limit.
func overloaded() *forward.Refusal {
	return &forward.Refusal{
		Status: 503, Header: "Retry-After: 1\r\n", Title: "the balancer is overloaded",
		Detail: "more requests are under way than are answered in good time; try again later",
	}
}
