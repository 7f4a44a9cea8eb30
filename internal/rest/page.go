package rest

import (
	"bytes"
	"cmp"
	_ "embed"
	"encoding/json"
	"html/template"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

//go:embed page.html
var pageText string

// pagePolicy lets the page show JobPath and nothing else: it has no script.
const pagePolicy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// pages serves the documentation: for programs at /openapi.json, for people
// at /api. Both are written once, from what the operations said of themselves.
func (f *face) pages() {
	document, err := json.MarshalIndent(f.api.OpenAPI(), "", "  ")
	if err != nil {
		panic("rest: the documentation cannot be written: " + err.Error())
	}
	var page bytes.Buffer
	if err := template.Must(template.New("page").Parse(pageText)).Execute(&page, chapters(f.api.OpenAPI())); err != nil {
		panic("rest: the page cannot be written: " + err.Error())
	}
	f.mux.HandleFunc("GET /openapi.json", serve("application/json", document))
	f.mux.HandleFunc("GET /api", serve("text/html; charset=utf-8", page.Bytes()))
}

func serve(media string, body []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", media)
		w.Header().Set("Content-Security-Policy", pagePolicy)
		_, _ = w.Write(body) // the reader may be gone
	}
}

// chapter is the operations of one tag.
type chapter struct {
	Name       string
	Operations []section
}

// section is one operation.
type section struct {
	Method, Path, Summary, Description string
	Params                             []*huma.Param
	Body                               string // what a body looks like; "" for none
	Answers                            []answer
}

// answer is one status and what a body with it looks like.
type answer struct{ Status, Media, Body string }

// chapters orders the operations for the page.
func chapters(doc *huma.OpenAPI) []chapter {
	var out []chapter
	for _, path := range sortedKeys(doc.Paths) {
		item := doc.Paths[path]
		for _, op := range []*huma.Operation{item.Get, item.Post, item.Patch, item.Delete} {
			if op == nil {
				continue
			}
			i := slices.IndexFunc(out, func(c chapter) bool { return c.Name == op.Tags[0] })
			if i < 0 {
				i = len(out)
				out = append(out, chapter{Name: op.Tags[0]})
			}
			out[i].Operations = append(out[i].Operations, describe(doc.Components.Schemas, op))
		}
	}
	slices.SortStableFunc(out, func(a, b chapter) int { return cmp.Compare(rank(a.Name), rank(b.Name)) })
	return out
}

// rank puts first what people look for first.
func rank(tag string) int {
	return slices.Index([]string{"jobs", "events", "dead letters", "queues", "workers", "server"}, tag)
}

func describe(schemas huma.Registry, op *huma.Operation) section {
	s := section{Method: op.Method, Path: op.Path, Summary: op.Summary, Description: op.Description, Params: op.Parameters}
	if op.RequestBody != nil {
		s.Body = sketch(schemas, op.RequestBody.Content["application/json"].Schema)
	}
	for _, status := range sortedKeys(op.Responses) {
		for media, content := range op.Responses[status].Content {
			a := answer{Status: status, Media: media}
			if media == "application/json" {
				a.Body = sketch(schemas, content.Schema)
			}
			if !strings.Contains(media, "problem") {
				s.Answers = append(s.Answers, a)
			}
		}
	}
	return s
}

// sketch is a value as a schema's examples have it, indented.
func sketch(schemas huma.Registry, s *huma.Schema) string {
	text, err := json.MarshalIndent(example(schemas, s), "", "  ")
	if err != nil {
		panic("rest: an example cannot be written: " + err.Error())
	}
	return string(text)
}

// example puts the examples of a schema's parts together.
func example(schemas huma.Registry, s *huma.Schema) any {
	switch {
	case s.Ref != "":
		return example(schemas, schemas.SchemaFromRef(s.Ref))
	case len(s.Examples) > 0:
		return s.Examples[0]
	case len(s.OneOf) > 0:
		return example(schemas, s.OneOf[0])
	case s.Type == huma.TypeArray:
		return []any{example(schemas, s.Items)}
	case s.Type == huma.TypeObject:
		out := map[string]any{}
		for name, p := range s.Properties {
			out[name] = example(schemas, p)
		}
		return out
	case s.Type == huma.TypeInteger, s.Type == huma.TypeNumber:
		return 0
	case s.Type == huma.TypeBoolean:
		return false
	default:
		return ""
	}
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
