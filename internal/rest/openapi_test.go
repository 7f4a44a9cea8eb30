package rest_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"

	"github.com/polymath-run/polymath/api"
	"github.com/polymath-run/polymath/internal/rest"
)

// golden is the published documentation.
const golden = "../../api/openapi.json"

var update = flag.Bool("update", false, "write api/openapi.json anew")

// TestDocumentIsPublished keeps api/openapi.json what the server says. Run
// with -update after a change that is meant.
func TestDocumentIsPublished(t *testing.T) {
	served := handle(t.Context(), rest.New(newFake(), rest.Options{}), "GET", "/openapi.json", "")
	text := append(served.body, '\n')
	if *update {
		must(t, os.WriteFile(golden, text, 0o644))
	}
	want, err := os.ReadFile(golden)
	must(t, err)
	if !bytes.Equal(text, want) {
		t.Error("the documentation changed: look at it, then go test ./internal/rest -run Published -update")
	}
}

// operations are all the operations of a document, by "METHOD path".
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

// TestDocumentSaysEverything: each operation, parameter and field is
// described, ids are unique, and nothing refers to what is not there.
func TestDocumentSaysEverything(t *testing.T) {
	doc := rest.Document(rest.New(newFake(), rest.Options{}))
	ids := make(map[string]bool)
	for name, op := range operations(doc) {
		if op.Summary == "" || op.OperationID == "" || ids[op.OperationID] || len(op.Tags) != 1 {
			t.Errorf("%s: id %q, summary %q, tags %v", name, op.OperationID, op.Summary, op.Tags)
		}
		ids[op.OperationID] = true
		for _, p := range op.Parameters {
			if p.Description == "" {
				t.Errorf("%s: parameter %s is not described", name, p.Name)
			}
		}
		if op.Responses["default"] == nil || op.Responses["default"].Content[api.ProblemType] == nil {
			t.Errorf("%s: problems are not documented: %v", name, slices.Collect(maps.Keys(op.Responses)))
		}
	}
	for name, s := range doc.Components.Schemas.Map() {
		for field, p := range s.Properties {
			if p.Description == "" {
				t.Errorf("%s.%s is not described", name, field)
			}
		}
	}
	text, err := json.Marshal(doc)
	must(t, err)
	for _, part := range strings.Split(string(text), `"$ref":"#/components/schemas/`)[1:] {
		name, _, _ := strings.Cut(part, `"`)
		if doc.Components.Schemas.Map()[name] == nil {
			t.Errorf("a reference to %s leads nowhere", name)
		}
	}
	if strings.Contains(string(text), "$schema") {
		t.Error("a body has a $schema")
	}
}

// TestDocumentIsValidToOthers asks a validator that is not ours, where one is
// installed.
func TestDocumentIsValidToOthers(t *testing.T) {
	if exec.CommandContext(t.Context(), "python3", "-c", "import openapi_spec_validator").Run() != nil {
		t.Skip("openapi-spec-validator for Python is not installed; TestDocumentIsValid holds what breaks in practice")
	}
	if out, err := exec.CommandContext(t.Context(), "python3", "-m", "openapi_spec_validator", golden).CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

// keywords are what a schema of OpenAPI 3.1 may say here, and the words for
// types of JSON Schema 2020-12.
var keywords = []string{
	"$ref", "additionalProperties", "default", "description", "enum", "examples", "format", "items", "maxItems",
	"maxLength", "maximum", "minItems", "minLength", "minimum", "oneOf", "pattern", "properties", "required", "type",
}

// TestDocumentIsValid holds the published file to the rules of OpenAPI 3.1.0
// that documents break in practice.
func TestDocumentIsValid(t *testing.T) {
	text, err := os.ReadFile(golden)
	must(t, err)
	type object = map[string]any
	var doc object
	must(t, json.Unmarshal(text, &doc))
	info := doc["info"].(object)
	if doc["openapi"] != "3.1.0" || info["title"] == "" || info["version"] == "" {
		t.Errorf("openapi %v, info %v", doc["openapi"], info)
	}
	for path, item := range doc["paths"].(object) {
		for method, op := range item.(object) {
			op := op.(object)
			name := method + " " + path
			params := make(map[string]bool)
			list, _ := op["parameters"].([]any)
			for _, p := range list {
				p := p.(object)
				key := p["in"].(string) + " " + p["name"].(string)
				if params[key] || p["in"] == "path" && p["required"] != true {
					t.Errorf("%s: parameter %s is there twice, or not required in a path", name, key)
				}
				params[key] = true
			}
			for _, part := range strings.Split(path, "{")[1:] {
				part, _, _ = strings.Cut(part, "}")
				if !params["path "+part] {
					t.Errorf("%s: the path has an undeclared %s", name, part)
				}
			}
			responses := op["responses"].(object)
			for status, r := range responses {
				if d, _ := r.(object)["description"].(string); d == "" {
					t.Errorf("%s: answer %s has no description", name, status)
				}
			}
			if len(responses) < 2 {
				t.Errorf("%s: answers %v", name, responses)
			}
		}
	}
	var check func(where string, s object)
	check = func(where string, s object) {
		for k, v := range s {
			if !slices.Contains(keywords, k) {
				t.Errorf("%s: %q is no keyword", where, k)
			}
			switch v := v.(type) {
			case object:
				if k != "properties" && k != "default" {
					check(where+"."+k, v)
					continue
				}
				for name, p := range v {
					check(where+"."+name, p.(object))
				}
			case []any:
				for _, p := range v {
					if p, ok := p.(object); ok && k == "oneOf" {
						check(where+"."+k, p)
					}
				}
			}
		}
	}
	for name, s := range doc["components"].(object)["schemas"].(object) {
		check(name, s.(object))
	}
}

// TestExamplesAreValid: every example is what its schema allows, and the whole
// of a body made of them is, too.
func TestExamplesAreValid(t *testing.T) {
	h := rest.New(newFake(), rest.Options{})
	doc := rest.Document(h)
	validate := func(name string, s *huma.Schema, v any) {
		t.Helper()
		text, err := json.Marshal(v) // as a client reads it
		must(t, err)
		var plain any
		must(t, json.Unmarshal(text, &plain))
		var result huma.ValidateResult
		huma.Validate(doc.Components.Schemas, s, huma.NewPathBuffer(nil, 0), huma.ModeWriteToServer, plain, &result)
		for _, err := range result.Errors {
			t.Errorf("%s: %v in %s", name, err, text)
		}
	}
	for name, s := range doc.Components.Schemas.Map() {
		for field, p := range s.Properties {
			for _, e := range p.Examples {
				validate(name+"."+field, p, e)
			}
		}
		validate(name, s, rest.Sample(h, s))
	}
	for name, op := range operations(doc) {
		for _, p := range op.Parameters {
			if p.Schema.Default == nil && len(p.Schema.Examples) == 0 && p.Example == nil {
				t.Errorf("%s: parameter %s has no example", name, p.Name)
			}
			for _, e := range p.Schema.Examples {
				validate(name+" "+p.Name, p.Schema, e)
			}
		}
	}
}

// TestTypesReadTheirExamples: the Go types of the API read what the
// documentation shows, and write it back.
func TestTypesReadTheirExamples(t *testing.T) {
	h := rest.New(newFake(), rest.Options{})
	schemas := rest.Document(h).Components.Schemas
	for name, s := range schemas.Map() {
		typ := schemas.TypeFromRef("#/components/schemas/" + name)
		text, err := json.Marshal(rest.Sample(h, s))
		must(t, err)
		v := reflect.New(typ)
		dec := json.NewDecoder(bytes.NewReader(text))
		dec.DisallowUnknownFields()
		if err := dec.Decode(v.Interface()); err != nil {
			t.Errorf("%s: %v of %s", name, err, text)
			continue
		}
		back, err := json.Marshal(v.Interface())
		must(t, err)
		var want, got any
		must(t, json.Unmarshal(text, &want))
		must(t, json.Unmarshal(back, &got))
		if missing := absent(want, got); missing != "" {
			t.Errorf("%s: %s is lost: %s became %s", name, missing, text, back)
		}
	}
}

// absent names a field of want that got lacks, unless it is empty.
func absent(want, got any) string {
	w, ok := want.(map[string]any)
	if !ok {
		return ""
	}
	g, _ := got.(map[string]any)
	for k, v := range w {
		if _, there := g[k]; !there && v != nil && v != false && v != "" && v != 0.0 {
			return k
		}
	}
	return ""
}

func TestPage(t *testing.T) {
	a := handle(t.Context(), rest.New(newFake(), rest.Options{}), "GET", "/api", "")
	page := string(a.body)
	if a.status != http.StatusOK || strings.Contains(page, "<script") || strings.Contains(page, "http://") || strings.Contains(page, "https://") {
		t.Errorf("%d: a page with scripts, or from elsewhere", a.status)
	}
	if !strings.Contains(a.header.Get("Content-Security-Policy"), "default-src 'none'") {
		t.Error("no policy")
	}
	for name := range operations(rest.Document(rest.New(newFake(), rest.Options{}))) {
		_, path, _ := strings.Cut(name, " ")
		if !strings.Contains(page, path) {
			t.Errorf("%s is missing", path)
		}
	}
}
