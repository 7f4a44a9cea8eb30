package telemetry

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/polymath-run/polymath/internal/history"
	"github.com/polymath-run/polymath/internal/ledger"
)

// Node is what is read of a node. Stats is safe for concurrent use.
type Node interface {
	Stats() ledger.Stats
}

// Past is what is read of a history.
type Past interface {
	Totals() history.Counts
	Functions() []history.FunctionCounts
	Workers() int
}

// Journal is what a journal has made durable since it was opened.
type Journal struct {
	Entries uint64
	Bytes   uint64 // of the entries
	Syncs   uint64 // each for all the entries that waited
}

// Archive is how much an archive has on disk.
type Archive struct {
	Jobs    uint64 // finished
	Letters uint64 // dead ones
	Events  uint64
}

// Shard is what is read of one shard at a scrape. What is nil is left out.
// The functions must be safe for concurrent use and not wait for the disk.
type Shard struct {
	Number  uint8
	Node    Node
	History Past
	Journal func() Journal
	Archive func() Archive
}

// Watch has each scrape tell of a shard, under the label "shard". A shard must
// not be watched twice: that is a broken invariant, and panics.
func (m *Metrics) Watch(s Shard) {
	labels := prometheus.Labels{"shard": strconv.Itoa(int(s.Number))}
	prometheus.WrapRegistererWith(labels, m.registry).MustRegister(newShardCollector(s))
}

// shardCollector implements prometheus.Collector for one shard.
type shardCollector struct {
	shard Shard

	jobs, maxJobs, bytes, maxBytes, leases, sessions, workers *prometheus.Desc

	submitted, started, finished, dead *prometheus.Desc
	units, granted, ended              *prometheus.Desc

	entries, written, syncs   *prometheus.Desc
	archived, letters, events *prometheus.Desc
}

func newShardCollector(s Shard) *shardCollector {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(namespace+"_"+name, help, labels, nil)
	}
	return &shardCollector{
		shard: s,

		jobs:     desc("unfinished_jobs", "Jobs that are queued or running."),
		maxJobs:  desc("unfinished_jobs_limit", "How many unfinished jobs the shard takes."),
		bytes:    desc("unfinished_bytes", "Bytes of the inputs, cost tables and growing answers of unfinished jobs."),
		maxBytes: desc("unfinished_bytes_limit", "How many bytes of unfinished jobs the shard takes."),
		leases:   desc("leases", "Leases that are out with workers."),
		sessions: desc("sessions", "Open sessions of nodes, clients and workers."),
		workers:  desc("workers", "Open sessions of workers."),

		submitted: desc("jobs_submitted_total", "Jobs accepted since the process started, by function.", "function"),
		started:   desc("jobs_started_total", "Jobs of which a first unit was leased, by function.", "function"),
		finished:  desc("jobs_finished_total", "Jobs that ended, by function and final state.", "function", "state"),
		dead:      desc("dead_letters_total", "Units that used up their attempts, by function.", "function"),
		units:     desc("units_merged_total", "Units whose output was merged into an answer."),
		granted:   desc("leases_granted_total", "Leases granted to workers."),
		ended:     desc("leases_ended_total", "Leases that ended, by outcome.", "outcome"),

		entries: desc("journal_entries_total", "Entries this process made durable."),
		written: desc("journal_written_bytes_total", "Bytes of the entries this process made durable."),
		syncs:   desc("journal_syncs_total", "Syncs of the journal, each for all the entries that waited."),

		archived: desc("archive_jobs", "Finished jobs in the archive."),
		letters:  desc("archive_dead_letters", "Dead letters in the archive."),
		events:   desc("archive_events", "Events in the archive."),
	}
}

// Describe implements prometheus.Collector.
func (c *shardCollector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range [...]*prometheus.Desc{
		c.jobs, c.maxJobs, c.bytes, c.maxBytes, c.leases, c.sessions, c.workers,
		c.submitted, c.started, c.finished, c.dead, c.units, c.granted, c.ended,
		c.entries, c.written, c.syncs, c.archived, c.letters, c.events,
	} {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (c *shardCollector) Collect(out chan<- prometheus.Metric) {
	if c.shard.Node != nil {
		c.node(gauges(out), c.shard.Node.Stats())
	}
	if c.shard.History != nil {
		gauges(out)(c.workers, uint64(c.shard.History.Workers()))
		c.totals(counters(out), c.shard.History.Totals())
		for _, f := range c.shard.History.Functions() {
			c.function(counters(out), f.Function, &f.Counts)
		}
	}
	if c.shard.Journal != nil {
		put, j := counters(out), c.shard.Journal()
		put(c.entries, j.Entries)
		put(c.written, j.Bytes)
		put(c.syncs, j.Syncs)
	}
	if c.shard.Archive != nil {
		put, a := gauges(out), c.shard.Archive()
		put(c.archived, a.Jobs)
		put(c.letters, a.Letters)
		put(c.events, a.Events)
	}
}

// put tells one value of a metric.
type put func(d *prometheus.Desc, value uint64, labels ...string)

func gauges(out chan<- prometheus.Metric) put   { return puts(out, prometheus.GaugeValue) }
func counters(out chan<- prometheus.Metric) put { return puts(out, prometheus.CounterValue) }

func puts(out chan<- prometheus.Metric, t prometheus.ValueType) put {
	return func(d *prometheus.Desc, value uint64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, t, float64(value), labels...)
	}
}

func (c *shardCollector) node(put put, s ledger.Stats) {
	put(c.jobs, s.Jobs)
	put(c.maxJobs, s.MaxJobs)
	put(c.bytes, s.Bytes)
	put(c.maxBytes, s.MaxBytes)
	put(c.leases, uint64(s.Leases))
	put(c.sessions, uint64(s.Sessions))
}

func (c *shardCollector) totals(put put, t history.Counts) {
	put(c.units, t.Units)
	put(c.granted, t.Granted)
	put(c.ended, t.Completed, "completed")
	put(c.ended, t.Errored, "failed")
	put(c.ended, t.Returned, "returned")
	put(c.ended, t.Expired, "expired")
	put(c.ended, t.Superseded, "superseded")
}

func (c *shardCollector) function(put put, name string, t *history.Counts) {
	put(c.submitted, t.Submitted, name)
	put(c.started, t.Started, name)
	put(c.finished, t.Succeeded, name, "succeeded")
	put(c.finished, t.Failed, name, "failed")
	put(c.finished, t.Cancelled, name, "cancelled")
	put(c.dead, t.Dead, name)
}
