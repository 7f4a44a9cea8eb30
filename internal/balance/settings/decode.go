package settings

import (
	"bytes"
	"encoding"
	"errors"
	"fmt"
	"io"
	"math"
	"net/netip"
	"reflect"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/spelling"
)

// maxDepth bounds how deep a file may be nested: deeper than any field is.
const maxDepth = 16

// Parse reads a configuration over the defaults and checks all of it. The error
// names the line and the field.
func Parse(text []byte) (*Config, error) {
	r, err := ParseOver(text, nil)
	if err != nil {
		return nil, err
	}
	return r.Config, nil
}

// Reading is a Config and where it stands in its file.
type Reading struct {
	*Config

	lines places
}

// ParseOver is Parse with something that stands above the file and is said
// before it is checked; nil: nothing.
func ParseOver(text []byte, above func(*Config) error) (*Reading, error) {
	r := &Reading{Config: Default()}
	var err error
	if r.lines, err = decode(text, r.Config); err != nil {
		return nil, err
	}
	if above != nil {
		file := Default()
		if _, err := decode(text, file); err != nil {
			return nil, err
		}
		if err := above(r.Config); err != nil {
			return nil, &aboveFault{err}
		}
		r.lines.forget("", reflect.ValueOf(*file), reflect.ValueOf(*r.Config))
	}
	if err := r.Check(); err != nil {
		return nil, r.Explain(err)
	}
	return r, nil
}

// Explain adds to an error about a field the line where the field stands; to
// another, or where the file does not have it, nothing.
func (r *Reading) Explain(err error) error {
	f, ok := errors.AsType[*fault](err)
	if !ok {
		return err
	}
	switch line, known := r.lines.of(f.field); {
	case line > 0:
		return polymath.Errorf(polymath.CodeOf(err), "line %d: %w", line, err)
	case known:
		return &aboveFault{err}
	}
	return err
}

// aboveFault is what is wrong with something that stands above a file.
type aboveFault struct{ error }

// Unwrap gives what is wrong.
func (f *aboveFault) Unwrap() error { return f.error }

// IsAbove reports whether an error is about what stands above a file, and not
// about the file.
func IsAbove(err error) bool {
	_, ok := errors.AsType[*aboveFault](err)
	return ok
}

// places are the lines that fields begin at; 0: what counts is not in the file.
type places map[string]int

// of is the line of a field, or of what it would stand in, if that is known; 0:
// what counts is not in the file.
func (p places) of(field string) (line int, known bool) {
	for field != "" {
		if line, ok := p[field]; ok {
			return line, true
		}
		cut := strings.LastIndexAny(field, ".[")
		if cut < 0 {
			break
		}
		field = field[:cut]
	}
	return 0, false
}

// forget takes out the fields that something above the file says otherwise.
func (p places) forget(field string, file, now reflect.Value) {
	if p == nil || reflect.DeepEqual(file.Interface(), now.Interface()) {
		return
	}
	if now.Kind() == reflect.Struct {
		for i, name := range names(now.Type()) {
			p.forget(join(field, name), file.Field(i), now.Field(i))
		}
		return
	}
	for known := range p {
		if strings.HasPrefix(known, field+".") || strings.HasPrefix(known, field+"[") {
			delete(p, known)
		}
	}
	p[field] = 0
}

// decode reads YAML into a value with tags, strictly.
func decode(text []byte, into any) (places, error) {
	if len(text) > MaxFileBytes {
		return nil, polymath.Errorf(polymath.InvalidArgument, "it has %d bytes, more than %d", len(text), MaxFileBytes)
	}
	d := yaml.NewDecoder(bytes.NewReader(text))
	var document, more yaml.Node
	switch err := d.Decode(&document); {
	case errors.Is(err, io.EOF): // nothing in it
		return nil, nil
	case err != nil:
		return nil, unreadable(err)
	}
	if err := d.Decode(&more); !errors.Is(err, io.EOF) {
		return nil, polymath.Errorf(polymath.InvalidArgument, "there is a second document, or something that is no YAML, behind the first")
	}
	r := reader{lines: make(places)}
	if len(document.Content) == 0 {
		return r.lines, nil
	}
	return r.lines, r.read(document.Content[0], reflect.ValueOf(into).Elem(), "")
}

// unreadable is the error for what is no YAML. The library names the line but
// where it is the first.
func unreadable(err error) error {
	what, ok := strings.CutPrefix(err.Error(), "yaml: ")
	switch {
	case strings.HasPrefix(what, "unknown anchor"): // wherever it is
		return polymath.Errorf(polymath.InvalidArgument, "%s: anchors and aliases are not understood: write it out", what)
	case ok && !strings.HasPrefix(what, "line "):
		return polymath.Errorf(polymath.InvalidArgument, "yaml: line 1: %s", what)
	default:
		return polymath.Errorf(polymath.InvalidArgument, "%w", err)
	}
}

// reader walks a file and a type side by side.
type reader struct {
	lines places
	depth int
}

// read reads a node into a value. field names the place for people.
func (r *reader) read(n *yaml.Node, v reflect.Value, field string) error {
	if r.depth++; r.depth > maxDepth {
		return wrong(n, field, "it is nested too deep")
	}
	defer func() { r.depth-- }()
	r.lines[field] = n.Line
	switch {
	case n.Kind == yaml.AliasNode || n.Anchor != "":
		return wrong(n, field, "anchors and aliases are not understood: write it out")
	case n.Kind == yaml.ScalarNode && n.Tag == "!!null":
		return nil // as if it were left out
	case v.Kind() == reflect.Pointer:
		if v.IsNil() {
			v.Set(reflect.New(v.Type().Elem()))
		}
		return r.read(n, v.Elem(), field)
	}
	if n.Kind == yaml.ScalarNode {
		if _, network := reflect.TypeAssert[*netip.Prefix](v.Addr()); network {
			return r.scalar(n, v, field)
		}
		if u, ok := reflect.TypeAssert[encoding.TextUnmarshaler](v.Addr()); ok {
			if err := u.UnmarshalText([]byte(n.Value)); err != nil {
				return wrong(n, field, "%q: %v", clip(n.Value), err)
			}
			return nil
		}
	}
	switch v.Kind() {
	case reflect.Struct:
		return r.fields(n, v, field)
	case reflect.Slice:
		return r.list(n, v, field)
	default:
		return r.scalar(n, v, field)
	}
}

// fields reads a mapping into a struct.
func (r *reader) fields(n *yaml.Node, v reflect.Value, field string) error {
	if n.Kind != yaml.MappingNode {
		return wrong(n, field, "it must have fields: %s", strings.Join(names(v.Type()), ", "))
	}
	seen := make(map[string]int)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		at := index(v.Type(), key.Value)
		switch {
		case key.Kind != yaml.ScalarNode || at < 0:
			return wrong(key, field, "there is no field %q: %s", clip(key.Value), spelling.Hint(key.Value, names(v.Type())))
		case seen[key.Value] > 0:
			return wrong(key, field, "%s is there already, in line %d", key.Value, seen[key.Value])
		}
		seen[key.Value] = key.Line
		if err := r.read(value, v.Field(at), join(field, key.Value)); err != nil {
			return err
		}
		// What is 0 would be as if it were left out.
		if why := v.Type().Field(at).Tag.Get("zero"); why != "" && value.Tag != "!!null" && v.Field(at).IsZero() {
			return wrong(value, join(field, key.Value), "0: %s", why)
		}
	}
	return nil
}

// list reads a sequence, or one value that stands for a list of one.
func (r *reader) list(n *yaml.Node, v reflect.Value, field string) error {
	items := []*yaml.Node{n}
	if n.Kind == yaml.SequenceNode {
		items = n.Content
	}
	out := reflect.MakeSlice(v.Type(), len(items), len(items))
	for i, item := range items {
		place := field
		if n.Kind == yaml.SequenceNode {
			place = fmt.Sprintf("%s[%d]", field, i)
		}
		if item.Tag == "!!null" {
			return wrong(item, place, "it is empty")
		}
		if err := r.read(item, out.Index(i), place); err != nil {
			return err
		}
	}
	v.Set(out)
	return nil
}

// scalar reads a plain value.
func (r *reader) scalar(n *yaml.Node, v reflect.Value, field string) error {
	if n.Kind != yaml.ScalarNode {
		return wrong(n, field, "it must be one value")
	}
	text := strings.TrimSpace(n.Value)
	switch p := v.Addr().Interface().(type) {
	case *netip.Prefix:
		network, err := ParseNetwork(text)
		if err != nil {
			return wrong(n, field, "%q is no network: %v", clip(text), err)
		}
		*p = network
	case *time.Duration:
		d, err := time.ParseDuration(text)
		if err != nil {
			return wrong(n, field, "%q is no duration: write it with its unit, such as 500ms, 10s or 2m", clip(text))
		}
		*p = d
	case *string:
		*p = n.Value
	case *bool:
		switch text {
		case "true":
			*p = true
		case "false":
			*p = false
		default:
			return wrong(n, field, "%q is neither true nor false", clip(text))
		}
	case *float64:
		f, err := strconv.ParseFloat(text, 64)
		if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
			return wrong(n, field, "%q is no number", clip(text))
		}
		*p = f
	case *int, *int64, *uint64:
		i, err := strconv.ParseInt(strings.ReplaceAll(text, "_", ""), 10, 53)
		if err != nil || v.Kind() == reflect.Uint64 && i < 0 {
			return wrong(n, field, "%q is no whole number here", clip(text))
		}
		if v.Kind() == reflect.Uint64 {
			v.SetUint(uint64(i))
		} else {
			v.SetInt(i)
		}
	default:
		panic("settings: a field has a type that is not read: " + v.Type().String())
	}
	return nil
}

// ParseNetwork reads a network, or an address that is one alone.
func ParseNetwork(text string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(text); err == nil && a.Zone() == "" {
		a = a.Unmap()
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(text)
	if err != nil {
		return p, errors.New("write it as 10.0.0.0/8, or as one address")
	}
	return p.Masked(), nil
}

// names are the fields of a struct as they are written.
func names(t reflect.Type) (out []string) {
	for f := range t.Fields() {
		out = append(out, f.Tag.Get("yaml"))
	}
	return out
}

// index finds a field by its name in a file, or -1.
func index(t reflect.Type, name string) int {
	for i := range t.NumField() {
		if t.Field(i).Tag.Get("yaml") == name {
			return i
		}
	}
	return -1
}

func join(field, name string) string {
	if field == "" {
		return name
	}
	return field + "." + name
}

// wrong is an error about a node.
func wrong(n *yaml.Node, field, format string, args ...any) error {
	place := ""
	if field != "" {
		place = field + ": "
	}
	return polymath.Errorf(polymath.InvalidArgument, "line %d: %s%s", n.Line, place, fmt.Sprintf(format, args...))
}

// maxShown bounds what is repeated of a bad value.
const maxShown = 60

func clip(text string) string {
	if len(text) > maxShown {
		return text[:maxShown-3] + "..."
	}
	return text
}
