package rest

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/api"
	"github.com/polymath-run/polymath/internal/problem"
)

// Bounds of a body.
const (
	maxDepth  = 64               // arrays and objects within each other
	bodyLimit = 30 * time.Second // how long a body may take to arrive
)

// readBody reads the JSON of a request, not yet parsed.
func readBody(ctx context.Context) ([]byte, error) {
	c := callOf(ctx)
	r := c.request
	if err := checkMedia(r.Header); err != nil {
		return nil, err
	}
	tooLarge := polymath.Errorf(polymath.TooLarge, "the body has more than %d bytes: send less at a time", api.MaxBodyBytes)
	if r.ContentLength > api.MaxBodyBytes {
		return nil, tooLarge
	}
	data, err := io.ReadAll(http.MaxBytesReader(c.writer, r.Body, api.MaxBodyBytes))
	var slow net.Error
	switch {
	case err == nil:
		// Left standing, the deadline would end a request that waits for its job.
		c.deadline(time.Time{})
		return data, nil
	case errors.As(err, new(*http.MaxBytesError)):
		return nil, tooLarge
	case errors.As(err, &slow) && slow.Timeout():
		c.writer.Header().Set("Connection", "close")
		// 504 would say that somebody behind this server was slow.
		return nil, &refusal{Problem: *problem.New(r, http.StatusRequestTimeout, fmt.Sprintf("the body did not arrive within %v", bodyLimit))}
	default:
		return nil, invalid("the body ended early: %v", err)
	}
}

func checkMedia(h http.Header) error {
	refuse := func(format string, args ...any) error {
		return polymath.Errorf(polymath.UnsupportedMedia, format, args...)
	}
	if coding := h.Get("Content-Encoding"); coding != "" && coding != "identity" {
		return refuse("Content-Encoding %.40q is not taken: send the body as it is", coding)
	}
	given := h.Get("Content-Type")
	if given == "" {
		return refuse("the Content-Type is missing: say application/json")
	}
	media, params, err := mime.ParseMediaType(given)
	if err != nil || media != "application/json" {
		return refuse("Content-Type %.80q is not taken: say application/json", given)
	}
	if charset := params["charset"]; charset != "" && !strings.EqualFold(charset, "utf-8") {
		return refuse("charset %.40q is not taken: JSON is UTF-8", charset)
	}
	return nil
}

func invalid(format string, args ...any) error {
	return polymath.Errorf(polymath.InvalidArgument, format, args...)
}

// largeBody is from how many bytes on a body waits for its turn to be read.
// While it is checked it takes up to thirty times its size in memory.
const largeBody = 256 << 10

// decode reads JSON by the documentation of this face, one large body at a
// time.
func (f *face) decode(data []byte, where string, v any) error {
	if len(data) > largeBody {
		f.large.Lock()
		defer f.large.Unlock()
	}
	return decode(f.api.OpenAPI().Components.Schemas, data, where, v)
}

// decode reads the one JSON value in data into v, a pointer, and refuses what
// the documentation of its type refuses. where names the value in errors; ""
// for the body as a whole.
func decode(schemas huma.Registry, data []byte, where string, v any) error {
	if err := checkShape(data); err != nil {
		return err
	}
	loose, err := loosen(data)
	if err != nil {
		return syntax(data, err)
	}
	schema := schemas.Schema(reflect.TypeOf(v).Elem(), true, "")
	if loose, err = survey(schemas, schema, loose, where); err != nil {
		return err
	}
	var result huma.ValidateResult
	path := huma.NewPathBuffer(make([]byte, 0, 64), 0)
	if where != "" {
		path.Push(where)
	}
	huma.Validate(schemas, schema, path, huma.ModeWriteToServer, loose, &result)
	if len(result.Errors) > 0 {
		return violation(result.Errors)
	}
	if err := json.Unmarshal(data, v); err != nil {
		return syntax(data, err)
	}
	return nil
}

// loosen reads JSON whose numbers stay text: not all of them are doubles.
func loosen(data []byte) (loose any, err error) {
	if err := json.Unmarshal(data, new(json.RawMessage)); err != nil { // a Decoder takes no offence at what follows
		return nil, err
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	err = dec.Decode(&loose)
	return loose, err
}

// survey gives the numbers of a value the form in which the documentation is
// held against them; those of an input, whose fields it does not know, stay as
// they are. It refuses a field that the documentation does not know, by
// exactly its name: huma and encoding/json take names in any case, so that a
// field could be given twice, once to be checked and once to be used.
func survey(schemas huma.Registry, s *huma.Schema, v any, where string) (any, error) {
	for s.Ref != "" {
		s = schemas.SchemaFromRef(s.Ref)
	}
	var err error
	switch v := v.(type) {
	case json.Number:
		return double(s, v, where)
	case map[string]any:
		if s.AdditionalProperties != false {
			break
		}
		for _, name := range sortedKeys(v) {
			at := strings.TrimPrefix(where+"."+name, ".")
			p := s.Properties[name]
			if p == nil {
				return nil, invalid("field %.80q is unknown", at)
			}
			if v[name], err = survey(schemas, p, v[name], at); err != nil {
				return nil, err
			}
		}
	case []any:
		for i := range v {
			if s.Items == nil {
				break
			}
			if v[i], err = survey(schemas, s.Items, v[i], fmt.Sprintf("%s[%d]", where, i)); err != nil {
				return nil, err
			}
		}
	}
	return v, nil
}

// double is a number as the documentation is held against it; one that it says
// nothing of stays as it is.
func double(s *huma.Schema, text json.Number, where string) (any, error) {
	if s.Type == "" && len(s.OneOf) == 0 {
		return text, nil
	}
	n, err := text.Float64()
	if err != nil {
		return nil, invalid("%s: %.40s is too large a number", cmp.Or(where, "the body"), text)
	}
	return n, nil
}

// checkShape refuses nesting that is no use to anybody, with its place.
func checkShape(data []byte) error {
	depth, quoted := 0, false
	for i := 0; i < len(data); i++ {
		switch b := data[i]; {
		case quoted && b == '\\':
			i++
		case b == '"':
			quoted = !quoted
		case quoted:
		case b == '[' || b == '{':
			if depth++; depth > maxDepth {
				return invalid("the JSON is nested more than %d deep at %s", maxDepth, place(data, i))
			}
		case b == ']' || b == '}':
			depth--
		}
	}
	return nil
}

// syntax says where JSON cannot be read.
func syntax(data []byte, err error) error {
	var bad *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case len(bytes.TrimSpace(data)) == 0:
		return invalid("the body is empty: send JSON")
	case errors.As(err, &bad):
		return invalid("the body is no JSON: %v at %s", bad, place(data, int(bad.Offset)-1))
	case errors.As(err, &kind):
		return invalid("%s: a %.60s is no value for it", cmp.Or(kind.Field, "the body"), kind.Value)
	default:
		return invalid("the body cannot be read: %v", err)
	}
}

// place is a byte's place in words.
func place(data []byte, at int) string {
	at = max(0, min(at, len(data)))
	line := 1 + bytes.Count(data[:at], []byte{'\n'})
	return fmt.Sprintf("line %d, column %d", line, at-bytes.LastIndexByte(data[:at], '\n'))
}

// violation names what the documentation refuses, the same each time.
func violation(all []error) error {
	texts := make([]string, len(all))
	for i, err := range all {
		d := new(huma.ErrorDetail)
		if !errors.As(err, &d) {
			texts[i] = err.Error()
			continue
		}
		texts[i] = violationText(d)
	}
	slices.Sort(texts)
	if more := len(texts) - 1; more > 0 {
		return invalid("%s (and %d more)", texts[0], more)
	}
	return invalid("%s", texts[0])
}

func violationText(d *huma.ErrorDetail) string {
	where := d.Location
	if where == "" {
		where = "the body"
	}
	switch {
	case strings.HasPrefix(d.Message, "expected required property "):
		name := strings.Fields(d.Message)[3]
		if d.Location != "" {
			name = d.Location + "." + name
		}
		return fmt.Sprintf("field %q is missing", name)
	case strings.HasPrefix(d.Message, "expected value to match exactly one schema"):
		return fmt.Sprintf("%s: expected a whole number from 0, or a string of its digits", where)
	}
	text := fmt.Sprintf("%s: %s", where, d.Message)
	switch d.Value.(type) {
	case string, float64, bool, json.Number:
		value, _ := json.Marshal(d.Value) // these never fail
		text += fmt.Sprintf(", not %.80s", value)
	}
	return text
}
