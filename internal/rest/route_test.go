package rest_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/polymath-run/polymath/internal/rest"
)

// TestRoot leads a browser to the page of the API.
func TestRoot(t *testing.T) {
	w := httptest.NewRecorder()
	rest.New(nil, rest.Options{}).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", http.NoBody))
	if w.Code != http.StatusFound || w.Header().Get("Location") != "/api" {
		t.Errorf("%d, to %q", w.Code, w.Header().Get("Location"))
	}
}

// TestPattern: whoever stands before the API learns from the request which
// pattern took it, so that requests can be counted without their ids.
func TestPattern(t *testing.T) {
	api := rest.New(nil, rest.Options{Version: "1.2.3", Log: slog.New(slog.DiscardHandler)})
	mux := http.NewServeMux()
	mux.Handle("/", api)
	for _, c := range []struct{ path, want string }{
		{"/openapi.json", "GET /openapi.json"},
		{"/v1/jobs/nonsense", "GET /v1/jobs/{id}"},
		{"/unknown", ""},
	} {
		r := httptest.NewRequest(http.MethodGet, c.path, http.NoBody)
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, r)
		if r.Pattern != c.want {
			t.Errorf("%s: pattern %q, want %q; %d %s", c.path, r.Pattern, c.want, w.Code, w.Body)
		}
	}
}
