package rest_test

import (
	"testing"

	"github.com/danielgtaylor/huma/v2"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/api"
	"github.com/polymath-run/polymath/internal/function/input"
	"github.com/polymath-run/polymath/internal/function/remote"
	"github.com/polymath-run/polymath/internal/rest"
	"github.com/polymath-run/polymath/internal/service"
)

// TestDocumentedLimits: a limit that is published is the one that is kept, by
// whoever keeps it: tags of structs cannot name constants.
func TestDocumentedLimits(t *testing.T) {
	doc := rest.Document(rest.New(newFake(), rest.Options{}))
	for _, c := range []struct {
		schema, field string
		low, high     float64 // of a number, of the bytes of a text, of the items of a list
	}{
		{"Submit", "function", 1, polymath.MaxNameBytes},
		{"Submit", "queue", 0, polymath.MaxNameBytes},
		{"Submit", "priority", polymath.MinPriority, polymath.MaxPriority},
		{"Submit", "attempts", 0, polymath.MaxAttempts},
		{"Submit", "key", 0, service.MaxKeyBytes},
		{"Join", "name", 1, polymath.MaxNameBytes},
		{"Join", "functions", 1, remote.MaxFunctions},
		{"Declaration", "name", 1, polymath.MaxNameBytes},
		{"Declaration", "summary", 0, remote.MaxSummaryBytes},
		{"Declaration", "longest_run_seconds", 0, remote.MaxLongestRun},
		{"Exchange", "wait_seconds", 0, api.MaxWaitSeconds},
		{"Complete", "values", 0, input.MaxElements},
		{"Fail", "error", 0, 0}, // longer ones are cut, and nothing else of the exchange is lost
	} {
		s := doc.Components.Schemas.Map()[c.schema].Properties[c.field]
		if s == nil {
			t.Errorf("there is no %s.%s", c.schema, c.field)
			continue
		}
		if low, high := limits(s); low != c.low || high != c.high {
			t.Errorf("%s.%s is published as from %v to %v, and is from %v to %v", c.schema, c.field, low, high, c.low, c.high)
		}
	}
	for name, p := range map[string]*huma.Param{
		"page":   parameter(doc, "/v1/jobs", "limit"),
		"tenant": parameter(doc, "/v1/jobs", "tenant"),
	} {
		low, high := limits(p.Schema)
		if want := map[string][2]float64{"page": {1, api.MaxPage}, "tenant": {0, polymath.MaxNameBytes}}[name]; want != [2]float64{low, high} {
			t.Errorf("%s is published as from %v to %v, and is from %v", name, low, high, want)
		}
	}
}

// limits are those of a schema, whatever they are of; 0 for none.
func limits(s *huma.Schema) (low, high float64) {
	for _, n := range []*int{s.MinLength, s.MinItems} {
		if n != nil {
			low = float64(*n)
		}
	}
	for _, n := range []*int{s.MaxLength, s.MaxItems} {
		if n != nil {
			high = float64(*n)
		}
	}
	if s.Minimum != nil {
		low = *s.Minimum
	}
	if s.Maximum != nil {
		high = *s.Maximum
	}
	return low, high
}

func parameter(doc *huma.OpenAPI, path, name string) *huma.Param {
	for _, p := range doc.Paths[path].Get.Parameters {
		if p.Name == name {
			return p
		}
	}
	return &huma.Param{Schema: &huma.Schema{}}
}
