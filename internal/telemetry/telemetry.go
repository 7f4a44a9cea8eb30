// Package telemetry tells Prometheus, and the log, what a process does.
//
//	node, history, journal, archive ◀── read at a scrape ──┐
//	Go runtime, process             ◀── read at a scrape ──┼── Handler: GET /metrics
//	HTTP: requests, streams ── counted as they happen ─────┘
//
// Nothing of the product depends on it: parts count for themselves, and what
// they counted is read when somebody asks, so that a process nobody watches
// pays for none of it.
//
// Every label has a bounded number of values. Those that come from users, the
// names of functions, are bounded by package history.
package telemetry

import (
	"net/http"
	"runtime"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

const (
	namespace = "polymath"
	// maxScrapes is how many scrapes are answered at a time: two servers that
	// watch each other's back, and a person.
	maxScrapes = 4
)

// Metrics are what a process tells Prometheus. Its methods are safe for
// concurrent use.
type Metrics struct {
	registry *prometheus.Registry
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
	inFlight prometheus.Gauge
	streams  *prometheus.GaugeVec
	opened   *prometheus.CounterVec
}

// New makes the metrics of a process, which has a version of the program.
func New(version string) *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: namespace, Subsystem: "http", Name: "requests_total",
			Help: "HTTP requests answered, by route and status code; \"aborted\" where the handler broke off.",
		}, []string{"route", "code"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: namespace, Subsystem: "http", Name: "request_duration_seconds",
			Help:    "Time from the head of a request to the end of its answer, by route; without streams.",
			Buckets: buckets(),
		}, []string{"route"}),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{
			Namespace: namespace, Subsystem: "http", Name: "requests_in_flight",
			Help: "HTTP requests being answered, streams among them.",
		}),
		streams: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Namespace: namespace, Subsystem: "http", Name: "streams",
			Help: "Streams that are open, from their first byte, by kind.",
		}, []string{"kind"}),
		opened: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: namespace, Subsystem: "http", Name: "streams_opened_total",
			Help: "Streams that were opened, by kind.",
		}, []string{"kind"}),
	}
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Namespace: namespace, Name: "build_info",
		Help:        "Always 1; the labels say which program this is.",
		ConstLabels: prometheus.Labels{"version": version, "go": runtime.Version()},
	})
	build.Set(1)
	m.registry.MustRegister(
		m.requests, m.duration, m.inFlight, m.streams, m.opened, build,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	for _, kind := range [...]string{events, calls, upgraded} { // shown before the first opens
		m.streams.WithLabelValues(kind)
		m.opened.WithLabelValues(kind)
	}
	return m
}

// buckets are the upper bounds of the latency histogram in seconds: from half
// of what a durable submission takes on a good disk to the longest a client
// may ask to wait.
func buckets() []float64 {
	return []float64{0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60}
}

// Handler answers GET /metrics in the formats Prometheus knows.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{
		MaxRequestsInFlight: maxScrapes,
		ErrorHandling:       promhttp.ContinueOnError,
		Registry:            m.registry,
	})
}
