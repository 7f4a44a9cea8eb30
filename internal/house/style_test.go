package house

import (
	"go/ast"
	"maps"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"
)

// The limits, in lines. They are about twice what the better half of the code
// of this field keeps to; the medians that TestStyle prints are the aim.
const (
	maxFileLines         = 500
	maxTestFileLines     = 800 // tables of cases are long and simple
	maxFunctionLines     = 70  // from "func" to the closing brace
	maxTestFunctionLines = 120
	maxParameters        = 5 // without the receiver and a context
)

// finding is one breach of one rule.
type finding struct {
	rule string
	path string
	name string // the symbol at fault; "" is the file or its package
	text string
}

// key is what an exception names.
func (f finding) key() exception { return exception{rule: f.rule, path: f.path, name: f.name} }

// inspect applies every rule of style to the given files.
func inspect(files []*source) []finding {
	var out []finding
	for _, s := range files {
		out = append(out, sizes(s)...)
		out = append(out, habits(s)...)
		if !s.isTest() {
			out = append(out, undocumented(s)...)
		}
	}
	for _, pkg := range packages(files) {
		out = append(out, packageDocument(pkg)...)
		out = append(out, mutable(pkg)...)
	}
	return out
}

// packages groups the files outside the tests by directory, in order.
func packages(files []*source) [][]*source {
	byDir := make(map[string][]*source)
	for _, s := range files {
		if !s.isTest() {
			byDir[directory(s.path)] = append(byDir[directory(s.path)], s)
		}
	}
	var out [][]*source
	for _, dir := range slices.Sorted(maps.Keys(byDir)) {
		out = append(out, byDir[dir])
	}
	return out
}

func TestStyle(t *testing.T) {
	all := sources(t)
	for _, f := range unexcused(inspect(all), exceptions) {
		t.Errorf("%s: %s: %s %s", f.path, f.rule, f.name, f.text)
	}
	for _, e := range unneeded(inspect(all), exceptions) {
		t.Errorf("exception {%s, %s, %q} excuses nothing any more: delete it", e.rule, e.path, e.name)
	}
	var files, tests, functions []int
	for _, s := range all {
		if s.isTest() {
			tests = append(tests, s.lines)
			continue
		}
		files = append(files, s.lines)
		for _, d := range s.file.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok {
				functions = append(functions, s.length(fn))
			}
		}
	}
	t.Logf("product: %d files, %d lines, median %d a file; %d functions, median %d lines", len(files), sum(files), median(files), len(functions), median(functions))
	t.Logf("tests:   %d files, %d lines, median %d a file", len(tests), sum(tests), median(tests))
}

// TestPackageNames keeps packages nouns of this domain.
func TestPackageNames(t *testing.T) {
	list, err := exec.Command("go", "list", "std").Output()
	if err != nil {
		t.Fatalf("go list std: %v", err)
	}
	std := strings.Fields(string(list))
	for _, pkg := range packages(sources(t)) {
		name := strings.TrimSuffix(pkg[0].file.Name.Name, "_test")
		if reason := badName(name, std); reason != "" {
			t.Errorf("%s: package %s: %s", directory(pkg[0].path), name, reason)
		}
	}
	for _, bad := range []string{"util", "common", "helpers", "sort", "http", "rand"} {
		if badName(bad, std) == "" {
			t.Errorf("package name %q passed", bad)
		}
	}
	if reason := badName("journal", std); reason != "" {
		t.Errorf("package name journal was refused: it %s", reason)
	}
}

// badName says what is wrong with the name of a package.
func badName(name string, std []string) string {
	switch name {
	case "util", "utils", "common", "base", "types", "helper", "helpers", "misc", "shared", "lib", "core", "model", "models":
		return "says nothing about what is inside"
	case "rpc": // the field's word for what it is; net/rpc is frozen, and nobody here uses it
		return ""
	}
	for _, p := range std {
		if path.Base(p) == name && !strings.Contains(p, "internal") && !strings.HasPrefix(p, "vendor/") {
			return "shadows " + p + " of the standard library"
		}
	}
	return ""
}

func median(n []int) int {
	if len(n) == 0 {
		return 0
	}
	slices.Sort(n)
	return n[len(n)/2]
}

func sum(n []int) int {
	total := 0
	for _, x := range n {
		total += x
	}
	return total
}
