package functiontest

import (
	"encoding/json"
	"strings"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/function"
)

// maxErrorText is how long the text of a refusal may be, in bytes: what
// somebody sent may be repeated in it, but not at length.
const maxErrorText = 500

// refusals gives a function every bad input that follows from its description.
func refusals(t reporter, f function.Function) {
	d := f.Describe()
	for _, input := range []string{
		``, ` `, `null`, `true`, `7`, `"x"`, `[]`, `[{}]`, `{`, `{]`, `{"`, "\x00", "\xff",
		`{"a":`, `{"a":1`, `{"a" 1}`, `{1:2}`, `{"a":tru}`, `{"a":"\x"}`, `{"` + strings.Repeat("a", 30_000) + `":1}`,
		d.Example.Input + `{}`, d.Example.Input + `,`, strings.Repeat(`[`, 30_000), strings.Repeat(`{"a":`, 10_000),
	} {
		Refused(t, f, input, "")
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal([]byte(d.Example.Input), &fields); err != nil {
		t.Fatalf("the input of the example: %v", err)
	}
	Refused(t, f, with(fields, "no_such_field", `1`), "no_such_field")
	Refused(t, f, with(fields, "", `1`), "unknown")
	for _, p := range d.Params {
		if p.Required {
			Refused(t, f, without(fields, p.Name), p.Name)
		}
		for _, value := range badValues(p.Type) {
			Refused(t, f, with(fields, p.Name, value), p.Name)
		}
		if value, given := fields[p.Name]; given {
			twice := strings.TrimSuffix(with(fields, p.Name, string(value)), "}") + `,"` + p.Name + `":` + string(value) + `}`
			Refused(t, f, twice, p.Name)
			Refused(t, f, with(fields, strings.ToUpper(p.Name), `1`), strings.ToUpper(p.Name))
		}
	}
}

// Refused checks that an input is refused as it should be: by an
// InvalidArgument or TooLarge error whose text names what was wrong.
func Refused(t reporter, f function.Function, input, names string) {
	t.Helper()
	_, _, err := f.Plan([]byte(input))
	switch {
	case err == nil:
		t.Errorf("%.100s: planned", input)
	case !refusal(err):
		t.Errorf("%.100s: code %v: %v", input, polymath.CodeOf(err), err)
	case !strings.Contains(err.Error(), names):
		t.Errorf("%.100s: %q does not name %q", input, err, names)
	case len(err.Error()) > maxErrorText:
		t.Errorf("%.100s: an error of %d bytes", input, len(err.Error()))
	case programmers(err.Error()):
		t.Errorf("%.100s: the text is for programmers: %v", input, err)
	}
}

// programmers reports whether a text names what only the program knows.
func programmers(text string) bool {
	for _, word := range []string{"json:", "strconv.", "time:", "Go ", "unmarshal", "math/big", "EOF", "RawMessage"} {
		if strings.Contains(text, word) {
			return true
		}
	}
	return false
}

// refusal reports whether an error is one Plan may return.
func refusal(err error) bool {
	code := polymath.CodeOf(err)
	return code == polymath.InvalidArgument || code == polymath.TooLarge
}

// badValues lists values that are wrong for a type, whatever the function.
func badValues(kind function.Type) []string {
	const huge, hugePower = `1e1000000000`, `"2^1000000000"`
	long := `"` + strings.Repeat("x", 30_000) + `"`
	switch kind {
	case function.Integer:
		return []string{`null`, `true`, `"NaN"`, `"Infinity"`, `""`, `"x"`, `1.5`, `[1]`, `{}`, huge, hugePower, long}
	case function.Decimal:
		return []string{`null`, `true`, `"NaN"`, `"-Inf"`, `""`, `"1/3"`, `[1]`, `{}`, huge, hugePower, long}
	case function.Text:
		return []string{`null`, `true`, `1`, `[]`, `{}`, huge}
	case function.Flag:
		return []string{`null`, `1`, `"true"`, `[]`, huge, long}
	case function.Integers:
		return []string{`null`, `1`, `"1,2"`, `[]`, `{}`, `[null]`, `["x"]`, `[1.5]`, `[[1]]`, `[` + huge + `]`, huge, long, `[` + long + `]`}
	case function.Pairs:
		return []string{`null`, `1`, `[]`, `{}`, `[1]`, `[[1]]`, `[[1,2,3]]`, `[["x",1]]`, `[[1,null]]`, `[[1,` + huge + `]]`}
	case function.Duration:
		return []string{`null`, `1`, `""`, `"1"`, `"x"`, `"-1s"`, `[]`, huge, long, `"9999999999999h"`}
	default:
		return []string{`null`}
	}
}

// with writes an object of fields with one of them set.
func with(fields map[string]json.RawMessage, name, value string) string {
	parts := []string{}
	for key, v := range fields {
		if key != name {
			parts = append(parts, quoted(key)+`:`+string(v))
		}
	}
	return `{` + strings.Join(append(parts, quoted(name)+`:`+value), `,`) + `}`
}

// without writes an object of fields without one of them.
func without(fields map[string]json.RawMessage, name string) string {
	parts := []string{}
	for key, v := range fields {
		if key != name {
			parts = append(parts, quoted(key)+`:`+string(v))
		}
	}
	return `{` + strings.Join(parts, `,`) + `}`
}

func quoted(s string) string {
	data, _ := json.Marshal(s)
	return string(data)
}
