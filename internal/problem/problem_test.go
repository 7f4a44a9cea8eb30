package problem_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/polymath-run/polymath/api"
	"github.com/polymath-run/polymath/internal/problem"
)

// TestUnrouted: what a mux says itself is a problem too, but for a redirect,
// which stays one.
func TestUnrouted(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /jobs", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("GET /tree/", func(http.ResponseWriter, *http.Request) {})
	for _, c := range []struct {
		method, path string
		status       int
		header, in   string
		want         api.Problem
	}{
		{"GET", "/nowhere", http.StatusNotFound, "", "", api.Problem{
			Type: "urn:polymath:problem:not_found", Title: "Not Found", Status: http.StatusNotFound,
			Detail: "there is nothing at this path: /jobs is", Instance: "/nowhere", Code: "not_found",
		}},
		{"POST", "/jobs", http.StatusMethodNotAllowed, "GET, HEAD", "Allow", api.Problem{
			Type: "urn:polymath:problem:invalid_argument", Title: "Method Not Allowed", Status: http.StatusMethodNotAllowed,
			Detail: "POST is not for this path: use GET, HEAD", Instance: "/jobs", Code: "invalid_argument",
		}},
		{"GET", "/tree", http.StatusTemporaryRedirect, "/tree/", "Location", api.Problem{}},
	} {
		r := httptest.NewRequest(c.method, c.path, http.NoBody)
		handler, _ := mux.Handler(r)
		w := httptest.NewRecorder()
		problem.Unrouted(w, r, handler, "/jobs is")
		if w.Code != c.status || w.Header().Get(c.in) != c.header {
			t.Errorf("%s %s: %d %v", c.method, c.path, w.Code, w.Header())
		}
		if c.want == (api.Problem{}) {
			continue
		}
		var got api.Problem
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || got != c.want {
			t.Errorf("%s %s: %+v, %v, want %+v", c.method, c.path, got, err, c.want)
		}
		if media := w.Header().Get("Content-Type"); media != api.ProblemType {
			t.Errorf("%s %s: it is %s", c.method, c.path, media)
		}
	}
}
