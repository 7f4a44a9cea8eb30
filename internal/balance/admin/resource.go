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
	Status string `json:"status" doc:"Always ok." enum:"ok"`
}

// NewUpstream is the body of an addition. Its fields are those of the
// configuration.
type NewUpstream struct {
	URL           string `json:"url" doc:"Where it is: http or https, host and port, no path." example:"http://10.0.0.3:8080"`
	Weight        *int   `json:"weight,omitempty" doc:"Its share beside the others; left out: 1." minimum:"1" maximum:"1000"`
	Host          string `json:"host,omitempty" doc:"Sent as Host in place of the client's."`
	HTTP2         bool   `json:"http2,omitempty" doc:"Speak HTTP/2 with it."`
	ProxyProtocol string `json:"proxy_protocol,omitempty" doc:"Begin each connection to it with who the client is." enum:"v1,v2"`
	Number        uint64 `json:"number,omitempty" doc:"Its number in the policy slot-map; left out: the first that is free." maximum:"4503599627370495"`
}

// Patch changes an upstream. What is left out stays.
type Patch struct {
	Weight *int  `json:"weight,omitempty" doc:"Its share beside the others; 0: no requests." minimum:"0" maximum:"1000"`
	Drain  *bool `json:"drain,omitempty" doc:"true: no new requests; false: again."`
}

// Upstream is one upstream and what it does. Rates, errors and latencies are of
// the last ten to twenty seconds; counts are since it came.
type Upstream struct {
	Name       string            `json:"name" doc:"Its URL in one form."`
	Address    string            `json:"address" doc:"Its address and port, as they were found."`
	Origin     string            `json:"origin" doc:"file, added, or the name it was discovered by."`
	State      string            `json:"state" doc:"Whether it gets requests." enum:"up,warming,trial,ejected,down,draining,leaving"`
	Why        string            `json:"why,omitempty" doc:"Why it is in this state."`
	Breaker    string            `json:"breaker" doc:"Whether it is left alone as it failed every time." enum:"closed,open,half-open"`
	Weight     int               `json:"weight" doc:"Its share beside the others."`
	Number     uint64            `json:"number" doc:"Its number in the policy slot-map."`
	InFlight   int               `json:"in_flight" doc:"Requests it is answering."`
	Rate       float64           `json:"rate" doc:"Attempts a second, of the last ten to twenty seconds."`
	ErrorRate  float64           `json:"errors" doc:"Of these, failed ones a second."`
	P50        float64           `json:"p50_ms" doc:"Half of its answers begin within so many milliseconds."`
	P99        float64           `json:"p99_ms" doc:"99 of 100 of its answers begin within so many milliseconds."`
	Requests   uint64            `json:"requests" doc:"Attempts since it came."`
	Answers    map[string]uint64 `json:"answers" doc:"Answers since it came, by class of status: 2xx."`
	Failures   map[string]uint64 `json:"failures" doc:"Attempts without a whole answer since it came, by how they ended: unreached, broken, late, cut, unusable or abandoned."`
	Ejections  uint64            `json:"ejections" doc:"Times it was ejected for its answers."`
	Opened     uint64            `json:"breaker_opened" doc:"Times its breaker has opened."`
	Received   uint64            `json:"received_bytes" doc:"Bytes of bodies to it."`
	Sent       uint64            `json:"sent_bytes" doc:"Bytes of bodies from it."`
	BackMillis float64           `json:"back_ms,omitempty" doc:"Milliseconds until its ejection ends."`
}

// List is all upstreams.
type List struct {
	Items []Upstream `json:"items" doc:"All upstreams." nullable:"false"`
}

// Stats is the balancer as a whole.
type Stats struct {
	Requests       uint64            `json:"requests" doc:"Requests of clients since the start."`
	Answers        map[string]uint64 `json:"answers" doc:"Answers to them, by class of status: 2xx; none where there was none."`
	Rate           float64           `json:"rate" doc:"Requests a second, of the last ten seconds."`
	InFlight       int               `json:"in_flight" doc:"Requests under way."`
	Limit          int               `json:"limit" doc:"How many may be, now; 0: no limit."`
	Upstreams      int               `json:"upstreams" doc:"How many upstreams there are."`
	Available      int               `json:"available" doc:"How many of them take requests."`
	Panicking      bool              `json:"panicking" doc:"Too few are well: all are used."`
	Retries        uint64            `json:"retries" doc:"Attempts after a failed one."`
	RetriesRefused uint64            `json:"retries_refused" doc:"Retries the budget did not allow."`
	Hedges         uint64            `json:"hedges" doc:"Attempts beside a slow one."`
	HedgesRefused  uint64            `json:"hedges_refused" doc:"Hedges the budget did not allow."`
	RateLimited    uint64            `json:"rate_limited" doc:"Requests refused by a rate limit."`
	RateLimits     map[string]uint64 `json:"rate_limits" doc:"Of these, by limit."`
	RateKeys       int               `json:"rate_limit_keys" doc:"Clients and keys that are remembered."`
	Overloaded     uint64            `json:"overloaded" doc:"Requests refused by the limit of those under way."`
	Nobody         uint64            `json:"nobody" doc:"Times no upstream was left."`
	LogLines       uint64            `json:"log_lines" doc:"Lines of the access log."`
	LogDropped     uint64            `json:"log_dropped" doc:"Lines there was no room for."`
	LogLost        uint64            `json:"log_lost" doc:"Lines that could not be written."`
	Reloads        uint64            `json:"reloads" doc:"Times the configuration was read again."`
	ReloadsFailed  uint64            `json:"reloads_failed" doc:"Of these, times it was wrong."`
	Configured     time.Time         `json:"configured" doc:"When the configuration in force was read."`
	Leaving        int               `json:"leaving" doc:"Addresses, or earlier settings of one, that have connections left."`
}

// Reloaded is what a reading of the configuration has changed.
type Reloaded struct {
	Added   []string `json:"added" doc:"Upstreams that came." nullable:"false"`
	Removed []string `json:"removed" doc:"Upstreams that went." nullable:"false"`
	Tuned   []string `json:"tuned" doc:"Upstreams whose weight, number or draining has changed." nullable:"false"`
	Fields  []string `json:"fields" doc:"Other fields of the file that have changed." nullable:"false"`
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
