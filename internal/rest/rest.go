// Package rest is the HTTP and JSON face of the server: resources below /v1,
// described at /openapi.json and shown at /api.
//
//	request ─> Guard: whose page, which host ─> mux ─> huma: parameters
//	                                                        │
//	       problem+json <── refuse <── error ──┐            ▼
//	       JSON, events <──────────────────────┴── operation ─> Backend
//
// It decides nothing about jobs. It parses, bounds, waits and writes: a body
// is refused by the very documentation that is published, every wait has a
// limit and a place that can be full, and every error, the mux's own as well,
// is a problem of RFC 9457.
package rest

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/api"
	"github.com/polymath-run/polymath/internal/problem"
)

// Bounds of what is open at a time.
const (
	maxWaiting = 10_000 // requests that wait for a job or for work
	maxStreams = 1_000  // event streams
)

// Options are the choices of a face.
type Options struct {
	Version string       // of the server
	Log     *slog.Logger // nil: none
	// Stopping ends when the server is about to: who waits is answered with
	// what there is, and streams end. nil: never.
	Stopping context.Context

	maxWaiting, maxStreams int64 // 0: the constants; small in tests
}

// face is a Backend over HTTP.
type face struct {
	backend Backend
	options Options
	api     huma.API
	mux     *http.ServeMux
	waiting gate
	streams gate
	large   sync.Mutex // held while a large body is checked
}

// New makes the handler of a Backend: everything below /v1, /openapi.json,
// /api, /livez and /readyz. It is to be wrapped in Guard.
func New(b Backend, o Options) http.Handler {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Stopping == nil {
		o.Stopping = context.Background()
	}
	f := &face{backend: b, options: o, mux: http.NewServeMux()}
	f.waiting.most, f.streams.most = maxWaiting, maxStreams
	if o.maxWaiting > 0 {
		f.waiting.most = o.maxWaiting
	}
	if o.maxStreams > 0 {
		f.streams.most = o.maxStreams
	}
	f.api = humago.New(f.mux, f.config())
	f.api.UseMiddleware(patch)
	f.mux.Handle("GET /{$}", http.RedirectHandler("/api", http.StatusFound)) // whoever looks with a browser
	f.jobOperations()
	f.detailOperations()
	f.letterOperations()
	f.workerOperations()
	f.queueOperations()
	f.stateOperations()
	f.streamOperations()
	f.pages()
	return f
}

func (f *face) config() huma.Config {
	schemas := huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer)
	schemas.RegisterTypeAlias(reflect.TypeFor[api.Count](), reflect.TypeFor[count]())
	schemas.RegisterTypeAlias(reflect.TypeFor[huma.ErrorModel](), reflect.TypeFor[api.Problem]())
	return huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info: &huma.Info{
				Title: "Polymath", Version: "1",
				Description: "Hand in calculations, follow them, read their answers. docs/api.md shows how, task by task.",
				License:     &huma.License{Name: "Apache 2.0", Identifier: "Apache-2.0"},
			},
			Components: &huma.Components{Schemas: schemas},
		},
		Formats: map[string]huma.Format{ // json is what problem+json is written in
			"application/json": {Marshal: marshal, Unmarshal: json.Unmarshal},
			"json":             {Marshal: marshal, Unmarshal: json.Unmarshal},
		},
		DefaultFormat: "application/json",
		Transformers:  []huma.Transformer{translated},
	}
}

// marshal writes JSON as it is read by people: < stays <.
func marshal(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// count is how an api.Count is documented.
type count struct{}

// Schema implements huma.SchemaProvider.
func (count) Schema(huma.Registry) *huma.Schema {
	zero, most := 0.0, float64(1<<53)
	return &huma.Schema{OneOf: []*huma.Schema{
		{Type: huma.TypeInteger, Format: "int64", Minimum: &zero, Maximum: &most},
		{Type: huma.TypeString, Pattern: "^[0-9]{1,20}$"},
	}}
}

// call is a request and where its answer goes.
type call struct {
	request *http.Request
	writer  http.ResponseWriter
}

// deadline is when the body must have arrived; zero: any time. Where it is not
// supported, as in a test, there is nobody to wait for.
func (c *call) deadline(t time.Time) {
	_ = http.NewResponseController(c.writer).SetReadDeadline(t)
}

type callKey struct{}

// callOf finds the call an operation belongs to.
func callOf(ctx context.Context) *call {
	return ctx.Value(callKey{}).(*call)
}

// ServeHTTP answers one request.
func (f *face) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	if handler, pattern := f.mux.Handler(r); pattern == "" {
		r.Pattern = "" // not that of a mux around this one
		problem.Unrouted(w, r, handler, "/openapi.json lists what there is")
		return
	}
	c := &call{writer: w}
	if r.ContentLength != 0 { // also one that no operation reads: the server skips it when it answers
		c.deadline(time.Now().Add(bodyLimit))
	}
	c.request = r.WithContext(context.WithValue(r.Context(), callKey{}, c))
	defer func() { r.Pattern = c.request.Pattern }() // for whoever counts requests by it
	f.mux.ServeHTTP(w, c.request)
}

// gate has room for so many.
type gate struct {
	most int64
	in   atomic.Int64
}

// enter takes a place, which leave gives back; what names the places.
func (g *gate) enter(what string) error {
	if g.in.Add(1) <= g.most {
		return nil
	}
	g.in.Add(-1)
	return polymath.Errorf(polymath.Overloaded, "there are %d %s already, as many as there may be: try again later", g.most, what)
}

func (g *gate) leave() { g.in.Add(-1) }

// operate registers an operation. body, where not nil, is a value of the type
// its body has, for the documentation: the operation reads it by JobPath.
func operate[I, O any](f *face, op huma.Operation, body any, do func(context.Context, *I) (*O, error)) {
	op.RejectUnknownQueryParameters = true
	op.OperationID = strings.ToLower(strings.ReplaceAll(op.Summary, " ", "-"))
	if op.Responses != nil { // huma documents problems of those without only
		op.Responses["default"] = f.problemResponse()
	}
	huma.Register(f.api, op, func(ctx context.Context, in *I) (*O, error) {
		out, err := do(ctx, in)
		if err != nil {
			return nil, f.refuse(ctx, err)
		}
		return out, nil
	})
	if body != nil {
		f.documentBody(&op, body)
	}
}

// problemResponse documents what every operation may answer.
func (f *face) problemResponse() *huma.Response {
	schema := f.api.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[api.Problem](), true, "")
	return &huma.Response{
		Description: "Error", Content: map[string]*huma.MediaType{api.ProblemType: {Schema: schema}},
	}
}

// documentBody adds the body to the documentation. huma does not read it: it
// would leave a deadline on the connection and name places less exactly.
func (f *face) documentBody(op *huma.Operation, body any) {
	schemas := f.api.OpenAPI().Components.Schemas
	schema := schemas.Schema(reflect.TypeOf(body), true, "")
	if op.OperationID == "submit-jobs" {
		one, most := 1, api.MaxSubmits
		schema = &huma.Schema{OneOf: []*huma.Schema{schema, {
			Type: huma.TypeArray, Items: schema, MinItems: &one, MaxItems: &most,
		}}}
	}
	documented := f.operation(op)
	documented.RequestBody = &huma.RequestBody{
		Required: true, Content: map[string]*huma.MediaType{"application/json": {Schema: schema}},
	}
}

// operation finds an operation in the documentation.
func (f *face) operation(op *huma.Operation) *huma.Operation {
	item := f.api.OpenAPI().Paths[op.Path]
	switch op.Method {
	case http.MethodGet:
		return item.Get
	case http.MethodPost:
		return item.Post
	case http.MethodPatch:
		return item.Patch
	default:
		return item.Delete
	}
}

// read reads the body of a request.
func read[T any](ctx context.Context, f *face) (v T, err error) {
	data, err := readBody(ctx)
	if err != nil {
		return v, err
	}
	err = f.decode(data, "", &v)
	return v, err
}
