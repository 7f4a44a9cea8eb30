package admin_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/api"
	"github.com/polymath-run/polymath/internal/balance/admin"
)

// golden is the published document.
const golden = "../../../api/openapi-balance.json"

var update = flag.Bool("update", false, "write api/openapi-balance.json anew")

func newFace(f *fake) http.Handler { return admin.New(f, "test", slog.New(slog.DiscardHandler)) }

// do asks a handler.
func do(h http.Handler, method, path, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// TestDocumentIsPublished keeps the published document what a balancer says of
// itself. Run with -update after a change that is meant.
func TestDocumentIsPublished(t *testing.T) {
	served := do(newFace(&fake{}), http.MethodGet, "/openapi.json", "")
	if got := served.Header().Get("Content-Type"); served.Code != http.StatusOK || got != "application/json" {
		t.Fatalf("%d, %s", served.Code, got)
	}
	if *update {
		if err := os.WriteFile(golden, served.Body.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(served.Body.Bytes(), want) {
		t.Error("the document changed: look at it, then go test ./internal/balance/admin -run Published -update")
	}
	if exec.CommandContext(t.Context(), "python3", "-c", "import openapi_spec_validator").Run() == nil {
		if out, err := exec.CommandContext(t.Context(), "python3", "-m", "openapi_spec_validator", golden).CombinedOutput(); err != nil {
			t.Errorf("%v: %s", err, out)
		}
	}
}

// operations are those of a document, by "METHOD /path".
func operations(doc *huma.OpenAPI) map[string]*huma.Operation {
	all := make(map[string]*huma.Operation)
	for path, item := range doc.Paths {
		for _, op := range []*huma.Operation{item.Get, item.Post, item.Patch, item.Delete} {
			if op != nil {
				all[op.Method+" "+path] = op
			}
		}
	}
	return all
}

// TestDocumentSaysEverything: operations and fields are described, and ids are
// unique.
func TestDocumentSaysEverything(t *testing.T) {
	doc := admin.Document(newFace(&fake{}))
	ids := make(map[string]bool)
	for name, op := range operations(doc) {
		if op.Summary == "" || op.OperationID == "" || ids[op.OperationID] || op.Responses["default"].Content[api.ProblemType] == nil {
			t.Errorf("%s: id %q, summary %q", name, op.OperationID, op.Summary)
		}
		ids[op.OperationID] = true
	}
	for name, s := range doc.Components.Schemas.Map() {
		for field, p := range s.Properties {
			if p.Description == "" {
				t.Errorf("%s.%s is not described", name, field)
			}
		}
	}
}

// TestAnswersAreDocumented asks everything there is: each status is documented,
// and each body is what its schema allows.
func TestAnswersAreDocumented(t *testing.T) {
	f := &fake{}
	h := newFace(f)
	doc := admin.Document(h)
	all := operations(doc)
	seen := make(map[string]bool)
	ask := func(operation, path, body string) {
		t.Helper()
		method, pattern, _ := strings.Cut(operation, " ")
		if path == "" {
			path = pattern
		}
		op := all[operation]
		if op == nil {
			t.Fatalf("%s is not documented", operation)
		}
		a := do(h, method, path, body)
		said, documented := op.Responses[strconv.Itoa(a.Code)]
		kind, _, _ := strings.Cut(a.Header().Get("Content-Type"), ";")
		if kind == api.ProblemType {
			said = op.Responses["default"]
		} else if !documented {
			t.Errorf("%s: %d is not documented", operation, a.Code)
			return
		}
		seen[operation+strconv.Itoa(a.Code)] = true
		media := said.Content[kind]
		if media == nil {
			if a.Body.Len() > 0 {
				t.Errorf("%s: a body of %s is not documented", operation, kind)
			}
			return
		}
		if media.Schema == nil {
			return
		}
		if op.RequestBody != nil && kind != api.ProblemType {
			valid(t, doc, operation, op.RequestBody.Content["application/json"].Schema, body)
		}
		valid(t, doc, operation, media.Schema, a.Body.String())
	}
	const add = `{"url":"http://a:1","weight":2,"http2":true,"number":3}`
	ask("POST /v1/upstreams", "", add)
	ask("POST /v1/upstreams", "", add)
	ask("POST /v1/upstreams", "", `{"url":"ftp://a"}`)
	ask("GET /v1/upstreams", "", "")
	ask("GET /v1/upstreams/{name}", admin.Path("http://a:1"), "")
	ask("GET /v1/upstreams/{name}", admin.Path("http://b:1"), "")
	ask("PATCH /v1/upstreams/{name}", admin.Path("http://a:1"), `{"weight":0,"drain":true}`)
	ask("DELETE /v1/upstreams/{name}", admin.Path("http://a:1"), "")
	for _, simple := range []string{"GET /v1/stats", "POST /v1/reload", "GET /livez", "GET /readyz", "GET /metrics", "GET /openapi.json"} {
		ask(simple, "", "")
	}
	f.failure = polymath.Errorf(polymath.Unavailable, "no upstream is well")
	ask("GET /readyz", "", "")
	for name, op := range all {
		for _, status := range slices.Sorted(maps.Keys(op.Responses)) {
			if status != "default" && !seen[name+status] {
				t.Errorf("%s is documented to answer %s, and never did", name, status)
			}
		}
	}
}

// valid holds a body to a schema.
func valid(t *testing.T, doc *huma.OpenAPI, name string, s *huma.Schema, text string) {
	t.Helper()
	var plain any
	if err := json.NewDecoder(io.LimitReader(strings.NewReader(text), 1<<20)).Decode(&plain); err != nil {
		t.Errorf("%s: %v in %s", name, err, text)
		return
	}
	var result huma.ValidateResult
	huma.Validate(doc.Components.Schemas, s, huma.NewPathBuffer(nil, 0), huma.ModeReadFromServer, plain, &result)
	for _, err := range result.Errors {
		t.Errorf("%s: %v in %s", name, err, text)
	}
}
