package disktest

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/printer"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// mutant is the package without one sync.
type mutant struct {
	where  string // file:line: the call
	file   string
	source []byte
}

// mutants returns one mutant for each call of Sync and SyncDir in the package.
func mutants(t *testing.T) []mutant {
	t.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var all []mutant
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		for i := 0; ; i++ {
			where, source := without(t, file, i)
			if source == nil {
				break
			}
			all = append(all, mutant{where, file, source})
		}
	}
	return all
}

// without returns a file whose i-th call of a sync is replaced by success.
func without(t *testing.T, file string, i int) (where string, source []byte) {
	t.Helper()
	set := token.NewFileSet()
	tree, err := parser.ParseFile(set, file, nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	found := false
	ast.Inspect(tree, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		method, ok := call.Fun.(*ast.SelectorExpr)
		if !ok || method.Sel.Name != "Sync" && method.Sel.Name != "SyncDir" {
			return true
		}
		if i == 0 {
			var text bytes.Buffer
			_ = printer.Fprint(&text, set, call) // a call prints, or the name is missing from a message
			where = set.Position(call.Pos()).String() + ": " + text.String()
			call.Fun, call.Args, found = ast.NewIdent("error"), []ast.Expr{ast.NewIdent("nil")}, true
		}
		i--
		return true
	})
	if !found {
		return "", nil
	}
	var out bytes.Buffer
	if err := printer.Fprint(&out, set, tree); err != nil {
		t.Fatal(err)
	}
	return where, out.Bytes()
}

// EverySyncMatters takes each call of Sync and SyncDir out of the package under
// test in turn, runs its other tests, short, with the given arguments, and
// expects them to fail: a sync that nobody misses is either slow or untested.
// The package has at least so many of them.
func EverySyncMatters(t *testing.T, least int, args ...string) {
	t.Helper()
	if testing.Short() {
		t.Skip("SKIPPED in -short: not shown that every Sync and SyncDir is needed")
	}
	all := mutants(t)
	if len(all) < least {
		t.Fatalf("found only %d calls of Sync and SyncDir: the search is broken", len(all))
	}
	if out, err := testMutant(t, nil, args); err != nil {
		t.Fatalf("the tests fail without any mutation:\n%s", out)
	}
	for _, m := range all {
		out, err := testMutant(t, &m, args)
		var exit *exec.ExitError
		switch {
		case err == nil:
			t.Errorf("no test misses the sync at %s", m.where)
		case !errors.As(err, &exit) || !bytes.Contains(out, []byte("--- FAIL: ")):
			t.Errorf("mutant of %s was not tested: %v\n%s", m.where, err, out)
		default:
			t.Logf("missed as it should be: %s", m.where)
		}
	}
}

// testMutant runs the other tests of the package, short, with a mutant in place.
func testMutant(t *testing.T, m *mutant, args []string) ([]byte, error) {
	t.Helper()
	replace := map[string]string{}
	if m != nil {
		path, err := filepath.Abs(m.file)
		if err != nil {
			t.Fatal(err)
		}
		replace[path] = filepath.Join(t.TempDir(), m.file)
		if err := os.WriteFile(replace[path], m.source, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	list := filepath.Join(t.TempDir(), "overlay.json")
	if err := os.WriteFile(list, overlay, 0o600); err != nil {
		t.Fatal(err)
	}
	command := []string{"test", "-short", "-count=1", "-failfast", "-timeout=90s", "-vet=off", "-overlay", list, "."}
	return exec.CommandContext(t.Context(), "go", append(command, args...)...).CombinedOutput()
}
