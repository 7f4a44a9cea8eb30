package admin

import (
	"encoding/json"
	"net/http"
	"reflect"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/polymath-run/polymath/api"
)

// route is a request that is answered: the document and the handler are made of
// the same.
type route struct {
	pattern string // "METHOD /path", as of http.ServeMux
	id      string // of the operation
	summary string
	detail  string
	in      any            // of the type of its body; nil: it has none
	out     map[int]answer // by status; what is refused is a problem
	prefer  bool           // Prefer: wait=N is understood
	do      func(http.ResponseWriter, *http.Request) error
}

// answer is what comes with a status.
type answer struct {
	text string
	body any    // of the type of its body; nil: none, or no JSON
	kind string // of a body that is no JSON
}

// routes are all there are.
func (f *face) routes() []route {
	ok := func(text string, body any) map[int]answer {
		return map[int]answer{http.StatusOK: {text: text, body: body}}
	}
	healthy := func(w http.ResponseWriter, _ *http.Request) error { return write(w, http.StatusOK, Healthy{"ok"}) }
	return []route{
		{pattern: "GET /v1/upstreams", id: "list-upstreams", summary: "List upstreams", out: ok("All upstreams.", List{}), do: f.list},
		{
			pattern: "POST /v1/upstreams", id: "add-upstream", summary: "Add an upstream",
			detail: "It lasts until the balancer ends, or until the configuration says something about it. One of this URL that is there already is configured anew.",
			in:     NewUpstream{},
			out:    map[int]answer{http.StatusOK: {text: "It was there already.", body: Upstream{}}, http.StatusCreated: {text: "It is new; Location has where it is.", body: Upstream{}}},
			do:     f.add,
		},
		{pattern: "GET /v1/upstreams/{name}", id: "get-upstream", summary: "Look at an upstream", out: ok("The upstream.", Upstream{}), do: f.one},
		{
			pattern: "PATCH /v1/upstreams/{name}", id: "change-upstream", summary: "Change weight or draining of an upstream",
			detail: "With Prefer: wait=N an upstream that is to be drained is waited for, for so many seconds at most; in_flight of the answer says whether it was in vain.",
			in:     Patch{}, out: ok("The upstream as it is then.", Upstream{}), prefer: true, do: f.change,
		},
		{
			pattern: "DELETE /v1/upstreams/{name}", id: "remove-upstream", summary: "Remove an upstream",
			detail: "What it is answering is answered.", out: map[int]answer{http.StatusNoContent: {text: "It is gone."}}, do: f.remove,
		},
		{pattern: "GET /v1/stats", id: "get-stats", summary: "Look at the balancer as a whole", out: ok("The balancer.", Stats{}), do: f.stats},
		{
			pattern: "POST /v1/reload", id: "reload", summary: "Read the configuration again",
			detail: "All of it counts, or nothing does and the problem says why.", out: ok("What has changed.", Reloaded{}), do: f.reload,
		},
		{pattern: "GET /livez", id: "get-livez", summary: "Ask whether the balancer lives", out: ok("It does.", Healthy{}), do: healthy},
		{pattern: "GET /readyz", id: "get-readyz", summary: "Ask whether an upstream is well", out: ok("One is.", Healthy{}), do: f.ready},
		{
			pattern: "GET /metrics", id: "get-metrics", summary: "Read the metrics, as Prometheus does",
			out: map[int]answer{http.StatusOK: {text: "All metrics.", kind: "text/plain"}},
		},
		{
			pattern: "GET /openapi.json", id: "get-document", summary: "Read this document",
			out: map[int]answer{http.StatusOK: {text: "OpenAPI 3.1.", kind: "application/json"}},
		},
	}
}

// document describes routes in OpenAPI 3.1.
func document(all []route) *huma.OpenAPI {
	schemas := huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer)
	doc := &huma.OpenAPI{
		OpenAPI: "3.1.0",
		Info: &huma.Info{
			Title: "Polymath balancer", Version: "1",
			Description: "See what a balancer does, and change who its upstreams are. docs/operations/balancer.md has the rest.",
			License:     &huma.License{Name: "Apache 2.0", Identifier: "Apache-2.0"},
		},
		Components: &huma.Components{Schemas: schemas},
	}
	for i := range all {
		doc.AddOperation(all[i].operation(schemas))
	}
	return doc
}

// operation describes a route.
func (r *route) operation(schemas huma.Registry) *huma.Operation {
	method, path, _ := strings.Cut(r.pattern, " ")
	op := &huma.Operation{
		Method: method, Path: path, OperationID: r.id, Summary: r.summary, Description: r.detail, Tags: []string{"balancer"},
		Responses: map[string]*huma.Response{"default": {Description: "What went wrong.", Content: content(schemas, api.ProblemType, api.Problem{})}},
	}
	text := &huma.Schema{Type: huma.TypeString}
	if strings.Contains(path, "{name}") {
		op.Parameters = append(op.Parameters, &huma.Param{
			Name: "name", In: "path", Required: true, Schema: text, Example: "http:%2F%2F10.0.0.1:8080",
			Description: "The upstream's URL, escaped as one segment of a path.",
		})
	}
	if r.prefer {
		op.Parameters = append(op.Parameters, &huma.Param{
			Name: "Prefer", In: "header", Schema: text, Example: "wait=30",
			Description: "wait=N: how many seconds to wait for, at most " + strconv.Itoa(int(MaxWait.Seconds())) + ".",
		})
	}
	if r.in != nil {
		op.RequestBody = &huma.RequestBody{Required: true, Content: content(schemas, "application/json", r.in)}
	}
	for status, a := range r.out {
		response := &huma.Response{Description: a.text}
		switch {
		case a.body != nil:
			response.Content = content(schemas, "application/json", a.body)
		case a.kind != "":
			response.Content = map[string]*huma.MediaType{a.kind: {}}
		}
		op.Responses[strconv.Itoa(status)] = response
	}
	return op
}

// content is a body of the type of a value.
func content(schemas huma.Registry, kind string, value any) map[string]*huma.MediaType {
	return map[string]*huma.MediaType{kind: {Schema: schemas.Schema(reflect.TypeOf(value), true, "")}}
}

// published is the document as it is served.
func published(all []route) []byte {
	text, err := json.MarshalIndent(document(all), "", "  ")
	if err != nil {
		panic("admin: the document cannot be written: " + err.Error()) // it is the same each time
	}
	return append(text, '\n')
}
