package remote

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/polymath-run/polymath"
)

func declared(t *testing.T, k Kind, r polymath.Reducer) Function {
	t.Helper()
	f, err := New(Declaration{Name: "f", Kind: k, Reducer: r})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestDeclarations(t *testing.T) {
	good := Declaration{Name: "render-2_d", Kind: Range, Reducer: polymath.Max}
	if err := good.Check(); err != nil {
		t.Error(err)
	}
	for name, change := range map[string]func(*Declaration){
		"no name":         func(d *Declaration) { d.Name = "" },
		"a digit first":   func(d *Declaration) { d.Name = "2d" },
		"a capital":       func(d *Declaration) { d.Name = "Render" },
		"a long name":     func(d *Declaration) { d.Name = strings.Repeat("a", polymath.MaxNameBytes+1) },
		"a long summary":  func(d *Declaration) { d.Summary = strings.Repeat("a", MaxSummaryBytes+1) },
		"a summary":       func(d *Declaration) { d.Summary = "\xff" },
		"a strange kind":  func(d *Declaration) { d.Kind = "map" },
		"a range collect": func(d *Declaration) { d.Reducer = polymath.Collect },
		"a list sum":      func(d *Declaration) { d.Kind, d.Reducer = List, polymath.Sum },
		"no reducer":      func(d *Declaration) { d.Reducer = 0 },
		"a long unit":     func(d *Declaration) { d.Micros = MaxMicros + 1 },
		"a long silence":  func(d *Declaration) { d.LongestRun = MaxLongestRun + 1 },
	} {
		d := good
		change(&d)
		if err := d.Check(); polymath.CodeOf(err) != polymath.InvalidArgument {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestPlan(t *testing.T) {
	for _, c := range []struct {
		kind      Kind
		input     string
		canonical string
		units     uint64
		bad       string // what the error says
	}{
		{Call, ``, `{}`, 1, ""},
		{Call, ` { "b": 1, "a" : [ 2 ] } `, `{"b":1,"a":[2]}`, 1, ""},
		{Call, `[]`, "", 0, "must be a JSON object"},
		{Call, `{"a":`, "", 0, "no JSON"},
		{Call, strings.Repeat("[", 20_000), "", 0, "no JSON"},
		{Call, `{"a":"` + strings.Repeat("x", polymath.MaxInlineBytes) + `"}`, "", 0, "split it"},
		{List, `{"items": [1, "a", {}], "scale": 2}`, `{"items":[1,"a",{}],"scale":2}`, 3, ""},
		{List, `{"items": []}`, `{"items":[]}`, 0, ""},
		{List, `{}`, "", 0, "missing"},
		{List, `{"items": 3}`, "", 0, "must be a list"},
		{List, `{"items": [` + strings.Repeat("1,", 8000) + `1]}`, "", 0, "more than 8000"},
		{Range, `{"to": "1e3"}`, `{"from":0,"to":1000}`, 1001, ""},
		{Range, `{"from": 5, "to": 18446744073709551614}`, `{"from":5,"to":"18446744073709551614"}`, 18446744073709551610, ""},
		{Range, `{"from": 5, "to": 4}`, "", 0, "reversed"},
		{Range, `{"to": 18446744073709551615}`, "", 0, "to"},
		{Range, ``, "", 0, "missing"},
	} {
		r := polymath.Collect
		if c.kind == Range {
			r = polymath.Sum
		}
		canonical, plan, err := declared(t, c.kind, r).Plan([]byte(c.input))
		switch {
		case c.bad != "":
			if err == nil || !strings.Contains(err.Error(), c.bad) || len(err.Error()) > 300 {
				t.Errorf("%s %.40s: %v, want an error about %q", c.kind, c.input, err, c.bad)
			}
		case err != nil || string(canonical) != c.canonical || plan.Units != c.units || plan.Reducer != r:
			t.Errorf("%s %.40s: %s, %+v, %v", c.kind, c.input, canonical, plan, err)
		}
	}
}

// TestCostsFit: a table never overflows, and a plan without one costs a
// microsecond a unit.
func TestCostsFit(t *testing.T) {
	f := declared(t, Range, polymath.Sum)
	f.Micros = MaxMicros
	for to, points := range map[string]int{`{"to":9}`: 1, `{"to":"18446744073709551614"}`: 0} {
		if _, plan, err := f.Plan([]byte(to)); err != nil || len(plan.Costs) != points {
			t.Errorf("%s: %v, %v", to, plan.Costs, err)
		}
	}
}

func TestAnswers(t *testing.T) {
	for _, c := range []struct {
		kind                Kind
		input, result, want string
	}{
		{Call, `{}`, `{"a":1}`, `{"a":1}`},
		{Call, `{}`, ``, `null`},
		{List, `{"items":[1,2,3]}`, "0 \"a\"\n2 {}\n", `["a",null,{}]`},
		{List, `{"items":[]}`, "", `[]`},
		{Range, `{}`, "12", `12`},
		{Range, `{}`, "123456789012345678901", `"123456789012345678901"`},
		{Range, `{}`, "", `null`},
	} {
		got, err := Answer(c.kind, []byte(c.input), []byte(c.result))
		if err != nil || string(got) != c.want || !json.Valid(got) {
			t.Errorf("%s %s: %s, %v; want %s", c.kind, c.result, got, err, c.want)
		}
		job := &polymath.Job{Input: []byte(c.input), Result: []byte(c.result), Reducer: polymath.Collect}
		if c.kind == Range {
			job.Reducer = polymath.Sum
		}
		if orphan, err := Orphan(job); err != nil || string(orphan) != c.want {
			t.Errorf("orphan %s %s: %s, %v", c.kind, c.result, orphan, err)
		}
	}
}

// TestNoAnswers: what a worker of another program made up is an error in words,
// and still to be read when nobody knows what it was meant to be.
func TestNoAnswers(t *testing.T) {
	for _, c := range []struct {
		kind          Kind
		input, result string
	}{
		{Call, `{}`, `{`}, {Call, `{}`, "\xff\x00"}, {Call, `{}`, `1 2`},
		{List, `{"items":[1]}`, "0 {\n"}, {List, `{"items":[1]}`, "7 1\n"}, {List, `{"items":[1]}`, "garbage"},
	} {
		if got, err := Answer(c.kind, []byte(c.input), []byte(c.result)); polymath.CodeOf(err) != polymath.Conflict || got != nil {
			t.Errorf("%s %q: %s, %v", c.kind, c.result, got, err)
		}
		orphan, err := Orphan(&polymath.Job{Input: []byte(c.input), Result: []byte(c.result), Reducer: polymath.Collect})
		if err != nil || !json.Valid(orphan) {
			t.Errorf("orphan %s %q: %s, %v", c.kind, c.result, orphan, err)
		}
	}
}

func FuzzPlan(f *testing.F) {
	for _, s := range []string{``, `{}`, `{"items":[1,2]}`, `{"from":1,"to":2}`, `{"to":"2^40"}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for k, r := range map[Kind]polymath.Reducer{Call: polymath.Collect, List: polymath.Collect, Range: polymath.Min} {
			fn := declared(t, k, r)
			canonical, plan, err := fn.Plan([]byte(s))
			if err != nil {
				continue
			}
			again, same, err := fn.Plan(canonical)
			if err != nil || string(again) != string(canonical) || same.Units != plan.Units {
				t.Errorf("%s %q: canonical %q plans as %q, %+v, %v", k, s, canonical, again, same, err)
			}
			if k == Range {
				if _, err := fn.First(canonical); err != nil {
					t.Error(err)
				}
			}
		}
	})
}
