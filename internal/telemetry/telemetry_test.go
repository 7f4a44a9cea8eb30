package telemetry

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"go.uber.org/goleak"

	"github.com/polymath-run/polymath/internal/history"
	"github.com/polymath-run/polymath/internal/ledger"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type stats ledger.Stats

func (s stats) Stats() ledger.Stats { return ledger.Stats(s) }

// past is a history in which a job of each of n functions was submitted.
func past(n int) *history.History {
	h := history.New(1)
	for i := range n {
		h.Observe(1, &ledger.Effects{Events: []ledger.Event{{Kind: ledger.JobQueued, Name: fmt.Sprint("f", i)}}})
	}
	h.Observe(1, &ledger.Effects{
		Ended:  []ledger.Ended{{Outcome: ledger.Completed, Units: 7}, {Outcome: ledger.Expired}},
		Events: []ledger.Event{{Kind: ledger.JobSucceeded, Name: "f0"}, {Kind: ledger.UnitDead, Name: "f0"}},
	})
	return h
}

// full is the metrics of a process that has everything.
func full() *Metrics {
	m := New("1.2.3")
	for n := range uint8(2) {
		m.Watch(Shard{
			Number: n, Node: stats{Jobs: 3, MaxJobs: 10, Leases: 2, Sessions: 4}, History: past(1),
			Journal: func() Journal { return Journal{Entries: 5, Bytes: 600, Syncs: 2} },
			Archive: func() Archive { return Archive{Jobs: 8, Letters: 1, Events: 30} },
		})
	}
	return m
}

// scrape is what Prometheus reads.
func scrape(t *testing.T, m *Metrics) string {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if w.Code != http.StatusOK {
		t.Fatalf("status %d: %s", w.Code, w.Body)
	}
	return w.Body.String()
}

// samples checks that lines are in what was scraped.
func samples(t *testing.T, text string, want ...string) {
	t.Helper()
	lines := strings.Split(text, "\n")
	for _, w := range want {
		if !slices.Contains(lines, w) {
			name, _, _ := strings.Cut(w, "{")
			t.Errorf("no sample %s among\n%s", w, strings.Join(slices.DeleteFunc(slices.Clone(lines), func(s string) bool {
				return !strings.HasPrefix(s, name)
			}), "\n"))
		}
	}
}

// TestNames: G21, metrics are named as Prometheus asks for.
func TestNames(t *testing.T) {
	m := full()
	m.HTTP(http.NotFoundHandler(), silent(), plainPath).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil))
	text := scrape(t, m)
	problems, err := promlint.New(strings.NewReader(text)).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
	for line := range strings.Lines(text) {
		name := strings.TrimPrefix(line, "# TYPE ")
		known := slices.ContainsFunc([]string{namespace + "_", "go_", "process_", "promhttp_"}, func(p string) bool {
			return strings.HasPrefix(name, p)
		})
		if name != line && !known {
			t.Errorf("whose metric is %s", name)
		}
	}
}

// TestValues: each source is told under the name that fits it.
func TestValues(t *testing.T) {
	samples(t, scrape(t, full()),
		`polymath_unfinished_jobs{shard="0"} 3`,
		`polymath_unfinished_jobs_limit{shard="1"} 10`,
		`polymath_leases{shard="0"} 2`,
		`polymath_sessions{shard="0"} 4`,
		`polymath_workers{shard="0"} 0`,
		`polymath_jobs_submitted_total{function="f0",shard="0"} 1`,
		`polymath_jobs_finished_total{function="f0",shard="1",state="succeeded"} 1`,
		`polymath_dead_letters_total{function="f0",shard="0"} 1`,
		`polymath_units_merged_total{shard="0"} 7`,
		`polymath_leases_ended_total{outcome="completed",shard="0"} 1`,
		`polymath_leases_ended_total{outcome="expired",shard="0"} 1`,
		`polymath_leases_ended_total{outcome="returned",shard="0"} 0`,
		`polymath_journal_entries_total{shard="0"} 5`,
		`polymath_journal_written_bytes_total{shard="0"} 600`,
		`polymath_journal_syncs_total{shard="0"} 2`,
		`polymath_archive_jobs{shard="0"} 8`,
		`polymath_archive_dead_letters{shard="0"} 1`,
		`polymath_archive_events{shard="0"} 30`,
	)
}

// TestLabelsAreBounded: however many functions users name, what is scraped
// does not grow with them.
func TestLabelsAreBounded(t *testing.T) {
	m := New("1.2.3")
	m.Watch(Shard{History: past(20 * history.MaxFunctions)})
	text := scrape(t, m)
	if n := strings.Count(text, "\npolymath_jobs_submitted_total{"); n != history.MaxFunctions+1 {
		t.Errorf("%d functions, want %d", n, history.MaxFunctions+1)
	}
	samples(t, text, fmt.Sprintf(`polymath_jobs_submitted_total{function="other",shard="0"} %d`, 19*history.MaxFunctions))
}

// TestOnlyWhatThereIs: a shard without sources has no samples, and no zeros.
func TestOnlyWhatThereIs(t *testing.T) {
	m := New("1.2.3")
	m.Watch(Shard{})
	if text := scrape(t, m); strings.Contains(text, "shard=") {
		t.Errorf("samples of nothing: %s", text)
	}
}
