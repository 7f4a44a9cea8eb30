package server

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestMetricSumsItsLabels(t *testing.T) {
	h := http.NewServeMux()
	h.HandleFunc("GET /metrics", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`# HELP polymath_syncs_total Syncs.
# TYPE polymath_syncs_total counter
polymath_syncs_total{shard="0"} 40
polymath_syncs_total{shard="1",note="a } b"} 2 1700000000
polymath_syncs_total_bytes 7
polymath_bad x
`))
	})
	web := httptest.NewServer(h)
	defer web.Close()
	s := &Server{URL: web.URL}
	if got, err := s.Metric(t.Context(), "polymath_syncs_total"); got != 42 || err != nil {
		t.Errorf("Metric = %v, %v", got, err)
	}
	for _, name := range []string{"polymath_bad", "polymath_missing"} {
		if got, err := s.Metric(t.Context(), name); err == nil {
			t.Errorf("%s = %v", name, got)
		}
	}
	if err := s.ready(t.Context()); err == nil {
		t.Error("404 is not ready")
	}
}
