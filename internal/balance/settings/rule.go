package settings

import (
	"time"

	"github.com/polymath-run/polymath/internal/balance"
	"github.com/polymath-run/polymath/internal/balance/guard"
	"github.com/polymath-run/polymath/internal/balance/health"
)

// Policy chooses among the upstreams. In a file it may be its name alone; the
// other fields belong to single policies, and 0 and "" are their defaults.
type Policy struct {
	Name   string        `yaml:"name"`
	Decay  time.Duration `yaml:"decay"`  // of peak-ewma: the mean lifetime of a latency
	Points int           `yaml:"points"` // of ring and bounded-ring, per unit of weight
	Bound  int           `yaml:"bound"`  // of bounded-ring, percent above the mean
	Hash   string        `yaml:"hash"`   // of slot-map: classic or mixed
	Probe  string        `yaml:"probe"`  // of slot-map: linear or quadratic
}

// UnmarshalText lets a policy be its name alone.
func (p *Policy) UnmarshalText(text []byte) error {
	p.Name = string(text)
	return nil
}

// Health is how upstreams are asked whether they are well, and how one that is
// well again comes back.
type Health struct {
	Interval time.Duration `yaml:"interval"` // 0: nobody is asked, and only what requests show counts
	Timeout  time.Duration `yaml:"timeout"`
	Path     string        `yaml:"path"` // asked for with GET; "": a connection that comes about is enough
	From     int           `yaml:"from"` // statuses that are well
	To       int           `yaml:"to"`
	Rise     int           `yaml:"rise"` // checks in a row until it is up
	Fall     int           `yaml:"fall"` // checks in a row until it is down
	// SlowStart is how long an upstream that is back takes until it gets its
	// whole share; 0: it gets it at once.
	SlowStart time.Duration `yaml:"slow-start"`
}

// Ejection leaves upstreams alone whose answers are bad, whatever their checks
// say.
type Ejection struct {
	Errors       int           `yaml:"errors"` // within Window; 0: they are not counted
	ErrorPercent int           `yaml:"error-percent"`
	Window       time.Duration `yaml:"window"`
	ServerErrors int           `yaml:"server-errors"` // in a row; 0: they are not counted
	// SlowFactor ejects whoever takes so many times as long as the others; 0:
	// latency is not compared.
	SlowFactor float64       `yaml:"slow-factor"`
	SlowLeast  time.Duration `yaml:"slow-least"` // and so much longer
	For        time.Duration `yaml:"for"`        // at first; twice as long each time in a row
	Longest    time.Duration `yaml:"longest"`
	Most       int           `yaml:"most"` // percent of the upstreams that may be ejected at a time
	// Panic is the percent of upstreams that must be well: with fewer, all are
	// used, since the few would be crushed; 0: never.
	Panic     int `yaml:"panic"`
	Successes int `yaml:"successes"` // of trials in a row that end an ejection
}

// Retries are further attempts of a request that failed and may safely be made
// again.
type Retries struct {
	Most     int   `yaml:"most"`     // of one request; 0: none
	Statuses []int `yaml:"statuses"` // that are tried again where a request is idempotent
	Percent  int   `yaml:"percent"`  // of the requests that may be retried
	Floor    int   `yaml:"floor"`    // a second, whatever the requests are
}

// Hedging is a second attempt beside the first that is slow.
type Hedging struct {
	Percentile int           `yaml:"percentile"` // of recent latencies, after which the second begins; 0: never
	Least      time.Duration `yaml:"least"`      // and not before
	Percent    int           `yaml:"percent"`    // of the requests that may be hedged
	Floor      int           `yaml:"floor"`      // a second, whatever the requests are
}

// Breaker leaves an upstream alone that fails every time.
type Breaker struct {
	Failures  int           `yaml:"failures"` // in a row; 0: there is no breaker
	Open      time.Duration `yaml:"open"`     // until it is tried again
	Successes int           `yaml:"successes"`
}

// Concurrency bounds all requests in flight, between Least and Most, by how
// latency moves; Most 0: there is no bound.
type Concurrency struct {
	First int `yaml:"first"`
	Least int `yaml:"least"`
	Most  int `yaml:"most"`
}

// Pool is how the pool decides. c has passed Check.
func (c *Config) Pool() (balance.Settings, error) {
	h, e := &c.Health, &c.Ejection
	keys, err := c.sources()
	return balance.Settings{
		Policy: balance.Policy(c.Policy),
		Keys:   keys,
		Health: health.Rule{
			Interval: h.Interval, Timeout: h.Timeout, Path: h.Path, From: h.From, To: h.To, Rise: h.Rise, Fall: h.Fall,
			Errors: e.Errors, ErrorPercent: e.ErrorPercent, Window: e.Window, ServerErrors: e.ServerErrors,
			SlowFactor: e.SlowFactor, SlowLeast: e.SlowLeast, EjectFor: e.For, EjectMost: e.Longest, Ejected: e.Most,
			Panic: e.Panic, Successes: e.Successes, SlowStart: h.SlowStart,
		},
		Breaker: guard.BreakerRule(c.Breaker),
		Retry: balance.Retry{
			Most: c.Retries.Most, Statuses: c.Retries.Statuses, Share: guard.Share{Percent: c.Retries.Percent, Least: c.Retries.Floor},
		},
		Hedge: guard.HedgeRule{
			Percentile: c.Hedging.Percentile, Least: c.Hedging.Least, Share: guard.Share{Percent: c.Hedging.Percent, Least: c.Hedging.Floor},
		},
		Limit:        guard.LimitRule(c.Limits.Concurrency),
		PerUpstream:  c.Limits.PerUpstream,
		Timeout:      c.Timeouts.Request,
		TimeoutField: c.Timeouts.Field,
	}, err
}

// decide takes over how a pool decides.
func (c *Config) decide(s balance.Settings) {
	h := &s.Health
	c.Policy = Policy(s.Policy)
	c.Health = Health{
		Interval: h.Interval, Timeout: h.Timeout, Path: h.Path, From: h.From, To: h.To, Rise: h.Rise, Fall: h.Fall, SlowStart: h.SlowStart,
	}
	c.Ejection = Ejection{
		Errors: h.Errors, ErrorPercent: h.ErrorPercent, Window: h.Window, ServerErrors: h.ServerErrors,
		SlowFactor: h.SlowFactor, SlowLeast: h.SlowLeast, For: h.EjectFor, Longest: h.EjectMost, Most: h.Ejected,
		Panic: h.Panic, Successes: h.Successes,
	}
	c.Breaker = Breaker(s.Breaker)
	c.Retries = Retries{Most: s.Retry.Most, Statuses: s.Retry.Statuses, Percent: s.Retry.Share.Percent, Floor: s.Retry.Share.Least}
	c.Hedging = Hedging{Percentile: s.Hedge.Percentile, Least: s.Hedge.Least, Percent: s.Hedge.Share.Percent, Floor: s.Hedge.Share.Least}
	c.Limits.Concurrency, c.Limits.PerUpstream = Concurrency(s.Limit), s.PerUpstream
	c.Timeouts.Request, c.Timeouts.Field = s.Timeout, s.TimeoutField
}
