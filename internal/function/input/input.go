// Package input reads the JSON object a function is called with, and refuses
// whatever a person may have got wrong in it: a field that is unknown, missing
// or given twice, a value of the wrong type, anything behind the object. Each
// refusal is an InvalidArgument error that names the field.
//
// What is known and what is required comes from the function's description,
// so that its help and its checks cannot disagree.
package input

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/function"
	"github.com/polymath-run/polymath/internal/number"
)

// MaxElements bounds a list, so that its answers, a line of seven bytes or
// more each, fit one inline output.
const MaxElements = 8_000

// Object is an input object: its fields, not yet read.
type Object map[string]json.RawMessage

// Parse reads an object whose fields are params.
func Parse(data []byte, params []function.Param) (Object, error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	if open, err := dec.Token(); err != nil || open != json.Delim('{') {
		return nil, bad("the input must be a JSON object, such as {%s}", sketch(params))
	}
	o := make(Object, len(params))
	for dec.More() {
		if err := o.readField(dec, params); err != nil {
			return nil, err
		}
	}
	if _, err := dec.Token(); err != nil {
		return nil, malformed(err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, bad("there is something behind the input object")
	}
	for _, p := range params {
		if _, given := o[p.Name]; p.Required && !given {
			return nil, bad("field %q is missing: %s", p.Name, p.Doc)
		}
	}
	return o, nil
}

// readField reads one name and its value.
func (o Object) readField(dec *json.Decoder, params []function.Param) error {
	token, err := dec.Token()
	if err != nil {
		return malformed(err)
	}
	name := token.(string) // More was true inside an object: a name or an error
	known := slices.ContainsFunc(params, func(p function.Param) bool { return p.Name == name })
	if !known {
		return bad("field %.80q is unknown; there are %s", name, names(params))
	}
	if _, twice := o[name]; twice {
		return bad("field %q is given twice", name)
	}
	var value json.RawMessage
	if err := dec.Decode(&value); err != nil {
		return malformed(err)
	}
	if string(value) == "null" {
		return bad("field %q is null: leave it out instead", name)
	}
	o[name] = value
	return nil
}

// Has reports whether a field was given.
func (o Object) Has(name string) bool {
	_, given := o[name]
	return given
}

// Read reads a field into a value that knows its own JSON, such as a
// number.Integer. A field that was not given leaves it as it is.
func (o Object) Read(name string, into json.Unmarshaler) error {
	value, given := o[name]
	if !given {
		return nil
	}
	return Wrap(into.UnmarshalJSON(value), name)
}

// Uint64 reads a whole number from 0 to most; missing if it was not given.
func (o Object) Uint64(name string, missing, most uint64) (uint64, error) {
	value, given := o[name]
	if !given {
		return missing, nil
	}
	n, err := Uint64(value, most)
	return n, Wrap(err, name)
}

// Count reads a field that must be given: a whole number from 1 to most.
func (o Object) Count(name string, most uint64) (uint64, error) {
	n, err := between(o[name], 1, most)
	return n, Wrap(err, name)
}

// Uint64 reads a whole number from 0 to most.
func Uint64(value json.RawMessage, most uint64) (uint64, error) { return between(value, 0, most) }

func between(value json.RawMessage, least, most uint64) (uint64, error) {
	var n number.Integer
	if err := n.UnmarshalJSON(value); err != nil {
		return 0, err
	}
	v, ok := n.Uint64()
	if !ok || v < least || v > most {
		return 0, bad("%s is out of range: whole numbers from %d to %d are taken", n.Clip(), least, most)
	}
	return v, nil
}

// Choice reads a field that must be one of the given texts; the first of them
// is what a field not given means.
func (o Object) Choice(name string, texts ...string) (string, error) {
	value, given := o[name]
	if !given {
		return texts[0], nil
	}
	var text string
	if err := json.Unmarshal(value, &text); err != nil || !slices.Contains(texts, text) {
		return "", bad("field %q is %.40s: it must be %s", name, value, either(texts))
	}
	return text, nil
}

// either lists what there is to choose from: a, b or c.
func either(texts []string) string {
	last := len(texts) - 1
	if last == 0 {
		return texts[0]
	}
	return strings.Join(texts[:last], ", ") + " or " + texts[last]
}

// Duration reads a duration from 0 to most in Go's syntax; missing if it was
// not given.
func (o Object) Duration(name string, missing, most time.Duration) (time.Duration, error) {
	value, given := o[name]
	if !given {
		return missing, nil
	}
	var text string
	err := json.Unmarshal(value, &text)
	d, syntax := time.ParseDuration(text)
	if err != nil || syntax != nil || d < 0 || d > most {
		return 0, bad("field %q is %.40s: it must be a duration from 0 to %s, such as \"1.5s\" or \"200ms\"", name, value, short(most))
	}
	return d, nil
}

// short writes a duration without the units of which there are none: 1h, not
// 1h0m0s.
func short(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// List splits a field into the elements of its array: 1 to MaxElements.
func (o Object) List(name string) ([]json.RawMessage, error) {
	elements, err := Array(o[name])
	switch {
	case err != nil:
		return nil, Wrap(err, name)
	case len(elements) == 0:
		return nil, bad("field %q is an empty list: give at least one element", name)
	case len(elements) > MaxElements:
		return nil, bad("field %q has %d elements: at most %d are taken; split it over several jobs",
			name, len(elements), MaxElements)
	}
	return elements, nil
}

// Array splits a JSON array of any length.
func Array(value json.RawMessage) ([]json.RawMessage, error) {
	var elements []json.RawMessage
	if err := json.Unmarshal(value, &elements); err != nil || elements == nil {
		return nil, bad("%.40s is no list: write it like [1, 2, 3]", value)
	}
	return elements, nil
}

// Element names an element of a list for Wrap: numbers[3].
func Element(name string, i int) string { return name + "[" + strconv.Itoa(i) + "]" }

// Canonical writes the canonical form of an input.
func Canonical(v any) ([]byte, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return nil, polymath.Errorf(polymath.Internal, "write the canonical input: %w", err)
	}
	if len(data) > polymath.MaxInlineBytes {
		return nil, polymath.Errorf(polymath.TooLarge,
			"written out, the input is longer than %d bytes; split it over several jobs", polymath.MaxInlineBytes)
	}
	return data, nil
}

// Wrap puts the name of a field, such as "to" or "numbers[3]", before an
// error about its value. It keeps nil.
func Wrap(err error, name string) error {
	if err == nil {
		return nil
	}
	return polymath.Errorf(polymath.CodeOf(err), "field %q: %w", name, err)
}

func bad(format string, args ...any) error {
	return polymath.Errorf(polymath.InvalidArgument, format, args...)
}

func malformed(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return bad("the input is no well-formed JSON: it ends early")
	}
	return bad("the input is no well-formed JSON: %v", err)
}

// names lists the fields for an error text.
func names(params []function.Param) string {
	all := make([]string, len(params))
	for i, p := range params {
		all[i] = p.Name
	}
	return strings.Join(all, ", ")
}

// sketch shows what an object with these fields looks like.
func sketch(params []function.Param) string {
	all := make([]string, len(params))
	for i, p := range params {
		all[i] = `"` + p.Name + `":…`
	}
	return strings.Join(all, ",")
}
