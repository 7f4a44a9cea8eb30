package admin

import (
	"net/http"
	"runtime"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/polymath-run/polymath/internal/balance"
)

const (
	namespace  = "polymath"
	subsystem  = "balance"
	maxScrapes = 4 // at a time
)

// metrics answers GET /metrics in the formats Prometheus knows.
func metrics(b Backend, version string) http.Handler {
	registry := prometheus.NewRegistry()
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Namespace: namespace, Name: "build_info", Help: "Always 1; the labels say which program this is.",
		ConstLabels: prometheus.Labels{"version": version, "go": runtime.Version()},
	})
	build.Set(1)
	registry.MustRegister(
		newCollector(b), build, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{MaxRequestsInFlight: maxScrapes, Registry: registry})
}

// collector reads the balancer at a scrape: what counts anyway is not counted
// twice, and who is not scraped pays nothing.
type collector struct {
	backend Backend
	totals  []total

	answers, limited, available, panicking                     *prometheus.Desc
	up, weight, inFlight, attempts, upAnswers, failures, bytes *prometheus.Desc
	latency, ejections, opened                                 *prometheus.Desc
}

// total is a number of the balancer as a whole.
type total struct {
	desc *prometheus.Desc
	kind prometheus.ValueType
	read func(*Look) float64
}

func newDesc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(prometheus.BuildFQName(namespace, subsystem, name), help, labels, nil)
}

func newCollector(b Backend) *collector {
	const upstream = "upstream"
	c := &collector{
		backend:   b,
		answers:   newDesc("answers_total", "Answers to clients, by class of status; \"none\" where the client got none.", "class"),
		limited:   newDesc("rate_limited_total", "Requests refused by a rate limit, by limit.", "limit"),
		available: newDesc("upstreams_available", "Upstreams that take requests now."),
		panicking: newDesc("panicking", "1 while so few upstreams are well that all are used."),
		up:        newDesc("upstream_state", "1 for the state the upstream is in.", upstream, "state"),
		weight:    newDesc("upstream_weight", "Weight of the upstream.", upstream),
		inFlight:  newDesc("upstream_requests_in_flight", "Requests the upstream is answering.", upstream),
		attempts:  newDesc("upstream_attempts_total", "Requests sent to the upstream, retries and hedges among them.", upstream),
		upAnswers: newDesc("upstream_answers_total", "Answers of the upstream, by class of status.", upstream, "class"),
		failures:  newDesc("upstream_failures_total", "Attempts that got no whole answer, by how they ended.", upstream, "kind"),
		bytes:     newDesc("upstream_body_bytes_total", "Bytes of bodies to and from the upstream.", upstream, "direction"),
		latency:   newDesc("upstream_latency_seconds", "Time to the head of an answer of the upstream.", upstream),
		ejections: newDesc("upstream_ejections_total", "Times the upstream was ejected for its answers.", upstream),
		opened:    newDesc("upstream_breaker_opened_total", "Times the breaker of the upstream has opened.", upstream),
	}
	counter, gauge := prometheus.CounterValue, prometheus.GaugeValue
	for _, t := range []struct {
		name, help string
		kind       prometheus.ValueType
		read       func(*Look) float64
	}{
		{"requests_total", "Requests of clients.", counter, func(l *Look) float64 { return float64(l.Pool.Requests) }},
		{"requests_in_flight", "Requests of clients that are under way.", gauge, func(l *Look) float64 { return float64(l.Pool.InFlight) }},
		{"concurrency_limit", "Most requests in flight now; 0: no limit.", gauge, func(l *Look) float64 { return float64(l.Pool.Limit) }},
		{"overloaded_total", "Requests refused by the limit of requests in flight.", counter, func(l *Look) float64 { return float64(l.Pool.Overloaded) }},
		{"nobody_total", "Times no upstream was left.", counter, func(l *Look) float64 { return float64(l.Pool.Nobody) }},
		{"retries_total", "Attempts after a failed one.", counter, func(l *Look) float64 { return float64(l.Pool.Retries) }},
		{"retries_refused_total", "Retries the budget did not allow.", counter, func(l *Look) float64 { return float64(l.Pool.RetriesRefused) }},
		{"hedges_total", "Attempts beside a slow one.", counter, func(l *Look) float64 { return float64(l.Pool.Hedges) }},
		{"hedges_refused_total", "Hedges the budget did not allow.", counter, func(l *Look) float64 { return float64(l.Pool.HedgesRefused) }},
		{"rate_limit_keys", "Clients and keys that are remembered for rate limits.", gauge, func(l *Look) float64 { return float64(l.Keys.Keys) }},
		{"rate_limit_forgotten_total", "Of them, those forgotten to make room.", counter, func(l *Look) float64 { return float64(l.Keys.Forgotten) }},
		{"log_lines_total", "Lines of the access log.", counter, func(l *Look) float64 { return float64(l.Access.Lines) }},
		{"log_dropped_total", "Lines there was no room for.", counter, func(l *Look) float64 { return float64(l.Access.Dropped) }},
		{"log_lost_total", "Lines that could not be written.", counter, func(l *Look) float64 { return float64(l.Access.Lost) }},
		{"reloads_total", "Times the configuration was read.", counter, func(l *Look) float64 { return float64(l.Reloads.Done) }},
		{"leaving_listeners", "Addresses, or earlier settings of one, that have connections left.", gauge, func(l *Look) float64 { return float64(l.Leaving) }},
		{"reloads_failed_total", "Of them, times it was wrong.", counter, func(l *Look) float64 { return float64(l.Reloads.Failed) }},
	} {
		c.totals = append(c.totals, total{newDesc(t.name, t.help), t.kind, t.read})
	}
	return c
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(to chan<- *prometheus.Desc) {
	for i := range c.totals {
		to <- c.totals[i].desc
	}
	for _, d := range []*prometheus.Desc{
		c.answers, c.limited, c.available, c.panicking, c.up, c.weight, c.inFlight, c.attempts, c.upAnswers, c.failures, c.bytes,
		c.latency, c.ejections, c.opened,
	} {
		to <- d
	}
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(to chan<- prometheus.Metric) {
	look := c.backend.Look()
	count := func(d *prometheus.Desc, n uint64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), labels...)
	}
	gauge := func(d *prometheus.Desc, n float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, n, labels...)
	}
	for i := range c.totals {
		t := &c.totals[i]
		to <- prometheus.MustNewConstMetric(t.desc, t.kind, t.read(&look))
	}
	for i, n := range look.Pool.Answers {
		count(c.answers, n, class(i))
	}
	for _, r := range look.Limits {
		count(c.limited, r.Requests, r.Name)
	}
	panicking := 0.0
	if look.Pool.Panicking {
		panicking = 1
	}
	gauge(c.panicking, panicking)
	gauge(c.available, float64(look.Pool.Available))
	for i := range look.Pool.Upstreams {
		u := &look.Pool.Upstreams[i]
		if u.State == leaving {
			continue // one of its name may have come again
		}
		gauge(c.up, 1, u.Name, u.State)
		gauge(c.weight, float64(u.Weight), u.Name)
		gauge(c.inFlight, float64(u.InFlight), u.Name)
		count(c.attempts, u.Picked, u.Name)
		for class, n := range classes(u.Answers[:]) {
			count(c.upAnswers, n, u.Name, class)
		}
		for kind, word := range kinds() {
			if word != "" {
				count(c.failures, u.Failures[kind], u.Name, word)
			}
		}
		count(c.bytes, u.Received, u.Name, "to")
		count(c.bytes, u.Sent, u.Name, "from")
		count(c.ejections, u.Ejections, u.Name)
		count(c.opened, u.Opened, u.Name)
		to <- histogram(c.latency, u)
	}
}

// histogram is the latency of an upstream.
func histogram(d *prometheus.Desc, u *balance.UpstreamStats) prometheus.Metric {
	buckets := make(map[float64]uint64, balance.LatencyBuckets)
	var all uint64
	for i, n := range u.Latencies {
		all += n
		if i < balance.LatencyBuckets-1 { // the last one has no bound
			buckets[balance.LatencyBound(i).Seconds()] = all
		}
	}
	return prometheus.MustNewConstHistogram(d, all, u.LatencySum.Seconds(), buckets, u.Name)
}
