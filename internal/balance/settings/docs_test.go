package settings

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

// page is where the fields are told to those who write files.
var page = filepath.Join("..", "..", "..", "docs", "operations", "balancer.md")

// rows are the fields of a type with their defaults, as the page has them.
func rows(field string, v reflect.Value) (out []string) {
	for i, name := range names(v.Type()) {
		place, value := join(field, name), v.Field(i)
		for value.Kind() == reflect.Pointer || value.Kind() == reflect.Slice && value.Type().Elem().Kind() == reflect.Struct && value.Type().Elem().PkgPath() != "net/netip" {
			value = reflect.New(value.Type().Elem()).Elem() // one item, with nothing said
		}
		if value.Kind() == reflect.Struct {
			out = append(out, rows(place, value)...)
			continue
		}
		out = append(out, fmt.Sprintf("| `%s` | %s |", place, said(value)))
	}
	return out
}

// said is a default as the page has it.
func said(v reflect.Value) string {
	switch {
	case v.IsZero() || v.Kind() == reflect.Slice && v.Len() == 0:
		return "-"
	case v.Type() == reflect.TypeFor[time.Duration]():
		text := v.Interface().(time.Duration).String()
		text = strings.TrimSuffix(strings.TrimSuffix(text, "0s"), "0m")
		if text == "" || !strings.ContainsAny(text[len(text)-1:], "smh") {
			text = v.Interface().(time.Duration).String() // 10s, not 1
		}
		return text
	case v.Kind() == reflect.Slice:
		return strings.Trim(strings.ReplaceAll(fmt.Sprint(v.Interface()), " ", ", "), "[]")
	default:
		return fmt.Sprint(v.Interface())
	}
}

// TestPage: every field has its row, with its default, and every file the page
// shows is one.
func TestPage(t *testing.T) {
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows("", reflect.ValueOf(*Default())) {
		if !strings.Contains(string(text), row) {
			t.Errorf("%s has no row %s", page, row)
		}
	}
	files := 0
	for i, block := range strings.Split(string(text), "```") {
		if file, ok := strings.CutPrefix(block, "yaml\n"); ok && i%2 == 1 {
			files++
			if _, err := Parse([]byte(file)); err != nil {
				t.Errorf("%s shows a file that is refused: %v:\n%s", page, err, file)
			}
		}
	}
	if files == 0 {
		t.Errorf("%s shows no file", page)
	}
}
