package admin

import (
	"net/url"
	"strconv"
	"time"

	"github.com/polymath-run/polymath/internal/balance"
	"github.com/polymath-run/polymath/internal/balance/access"
	"github.com/polymath-run/polymath/internal/balance/forward"
	"github.com/polymath-run/polymath/internal/balance/limit"
)

// leaving is the state of an upstream that was removed and still answers.
const leaving = "leaving"

// Look is everything there is to see of a balancer.
type Look struct {
	Pool    balance.Stats
	Origins map[string]string // of upstreams, by name
	Limits  []limit.Refused
	Keys    limit.Usage
	Access  access.Stats
	Reloads Reloads
	Leaving int // addresses, or earlier settings of one, with connections left
}

// Reloads counts readings of the configuration since the start.
type Reloads struct {
	Done   uint64
	Failed uint64
	Last   time.Time // when the one in force was read
}

// Healthy is the body of /livez and /readyz.
type Healthy struct {
	Status string `json:"status"` // ok
}

// NewUpstream is the body of an addition. Its fields are those of the
// configuration.
type NewUpstream struct {
	URL           string `json:"url"`
	Weight        int    `json:"weight,omitempty"`
	Host          string `json:"host,omitempty"`
	HTTP2         bool   `json:"http2,omitempty"`
	ProxyProtocol string `json:"proxy_protocol,omitempty"`
	Number        uint64 `json:"number,omitempty"`
}

// Patch changes an upstream. What is left out stays.
type Patch struct {
	Weight *int  `json:"weight,omitempty"` // 0 takes no requests
	Drain  *bool `json:"drain,omitempty"`  // true: no new requests; false: again
}

// Upstream is one upstream and what it does. Rates, errors and latencies are of
// the last ten to twenty seconds; counts are since it came.
type Upstream struct {
	Name       string            `json:"name"`
	Address    string            `json:"address"`
	Origin     string            `json:"origin"` // file, added or the name it was discovered by
	State      string            `json:"state"`  // up, warming, trial, ejected, down, draining or leaving
	Why        string            `json:"why,omitempty"`
	Breaker    string            `json:"breaker"` // closed, open or half-open
	Weight     int               `json:"weight"`
	Number     uint64            `json:"number"`
	InFlight   int               `json:"in_flight"`
	Rate       float64           `json:"rate"`   // attempts a second
	ErrorRate  float64           `json:"errors"` // of these, failed ones
	P50        float64           `json:"p50_ms"`
	P99        float64           `json:"p99_ms"`
	Requests   uint64            `json:"requests"`
	Answers    map[string]uint64 `json:"answers"`  // by class: 2xx
	Failures   map[string]uint64 `json:"failures"` // by kind
	Ejections  uint64            `json:"ejections"`
	Opened     uint64            `json:"breaker_opened"`
	Received   uint64            `json:"received_bytes"`
	Sent       uint64            `json:"sent_bytes"`
	BackMillis float64           `json:"back_ms,omitempty"` // until an ejection ends
}

// List is all upstreams.
type List struct {
	Items []Upstream `json:"items"`
}

// Stats is the balancer as a whole.
type Stats struct {
	Requests       uint64            `json:"requests"`
	Answers        map[string]uint64 `json:"answers"` // by class: 2xx
	Rate           float64           `json:"rate"`    // requests a second, of the last ten seconds
	InFlight       int               `json:"in_flight"`
	Limit          int               `json:"limit"` // of requests in flight, now; 0: none
	Upstreams      int               `json:"upstreams"`
	Available      int               `json:"available"` // upstreams that take requests
	Panicking      bool              `json:"panicking"` // too few are well: all are used
	Retries        uint64            `json:"retries"`
	RetriesRefused uint64            `json:"retries_refused"`
	Hedges         uint64            `json:"hedges"`
	HedgesRefused  uint64            `json:"hedges_refused"`
	RateLimited    uint64            `json:"rate_limited"`
	RateLimits     map[string]uint64 `json:"rate_limits"` // refused, by limit
	RateKeys       int               `json:"rate_limit_keys"`
	Overloaded     uint64            `json:"overloaded"`
	Nobody         uint64            `json:"nobody"` // no upstream was left
	LogLines       uint64            `json:"log_lines"`
	LogDropped     uint64            `json:"log_dropped"`
	LogLost        uint64            `json:"log_lost"`
	Reloads        uint64            `json:"reloads"`
	ReloadsFailed  uint64            `json:"reloads_failed"`
	Configured     time.Time         `json:"configured"` // when the configuration in force was read
	Leaving        int               `json:"leaving"`    // addresses, or earlier settings of one, with connections left
}

// Reloaded is what a reading of the configuration has changed.
type Reloaded struct {
	Added   []string `json:"added"`
	Removed []string `json:"removed"`
	Tuned   []string `json:"tuned"`  // weight, number or draining
	Fields  []string `json:"fields"` // of the file
}

// Path is where an upstream is.
func Path(name string) string { return "/v1/upstreams/" + url.PathEscape(name) }

// kinds are the words for the ends of attempts that are failures.
func kinds() []string {
	return []string{
		forward.Unreached: "unreached", forward.Broken: "broken", forward.Late: "late",
		forward.Cut: "cut", forward.Unusable: "unusable", forward.Abandoned: "abandoned",
	}
}

// classes names counts by the first digit of a status; 0 is none.
func classes(counts []uint64) map[string]uint64 {
	out := make(map[string]uint64)
	for i, n := range counts {
		if n > 0 {
			out[class(i)] = n
		}
	}
	return out
}

func class(i int) string {
	if i == 0 {
		return "none"
	}
	return strconv.Itoa(i) + "xx"
}

// millis is a duration as people read latencies.
func millis(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// listOf shows the upstreams of a look.
func listOf(l *Look) List {
	out := List{Items: make([]Upstream, 0, len(l.Pool.Upstreams))}
	for i := range l.Pool.Upstreams {
		u := &l.Pool.Upstreams[i]
		failures := make(map[string]uint64)
		for kind, word := range kinds() {
			if word != "" && u.Failures[kind] > 0 {
				failures[word] = u.Failures[kind]
			}
		}
		out.Items = append(out.Items, Upstream{
			Name: u.Name, Address: u.Address.String(), Origin: l.Origins[u.Name], State: u.State, Why: u.Why, Breaker: u.Breaker,
			Weight: u.Weight, Number: u.Number, InFlight: u.InFlight, Rate: u.Rate, ErrorRate: u.Errors,
			P50: millis(u.P50), P99: millis(u.P99), Requests: u.Picked, Answers: classes(u.Answers[:]), Failures: failures,
			Ejections: u.Ejections, Opened: u.Opened, Received: u.Received, Sent: u.Sent, BackMillis: millis(u.Back),
		})
	}
	return out
}

// statsOf shows the whole of a look.
func statsOf(l *Look) Stats {
	p := &l.Pool
	out := Stats{
		Requests: p.Requests, Answers: classes(p.Answers[:]), Rate: p.Rate, InFlight: p.InFlight, Limit: p.Limit,
		Upstreams: len(p.Upstreams), Available: p.Available, Panicking: p.Panicking,
		Retries: p.Retries, RetriesRefused: p.RetriesRefused, Hedges: p.Hedges, HedgesRefused: p.HedgesRefused,
		RateLimited: p.RateLimited, RateLimits: make(map[string]uint64), RateKeys: l.Keys.Keys,
		Overloaded: p.Overloaded, Nobody: p.Nobody,
		LogLines: l.Access.Lines, LogDropped: l.Access.Dropped, LogLost: l.Access.Lost,
		Reloads: l.Reloads.Done, ReloadsFailed: l.Reloads.Failed, Configured: l.Reloads.Last.UTC(), Leaving: l.Leaving,
	}
	for _, r := range l.Limits {
		out.RateLimits[r.Name] = r.Requests
	}
	return out
}
