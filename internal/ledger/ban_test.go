package ledger

import (
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// allowedImports are packages whose every use is deterministic, but for the
// functions named in bannedFunctions.
var allowedImports = []string{
	"cmp", "container/heap", "crypto/sha256", "encoding/binary", "errors", "fmt", "math/big", "math/bits", "slices", "strconv",
	"github.com/polymath-run/polymath",
}

// bannedFunctions take the order of a map, of chance or of an unstable sort.
// slices.SortFunc and SortStableFunc stay: where elements compare as equal
// they are the same to everybody.
var bannedFunctions = []string{"maps.Keys", "maps.Values", "maps.All", "slices.Collect", "big.NewFloat", "slices.Sorted"}

// bans finds what could make two replicas differ: in the order they report.
func bans(fset *token.FileSet, files []*ast.File) ([]string, error) {
	info := &types.Info{Types: make(map[ast.Expr]types.TypeAndValue), Uses: make(map[*ast.Ident]types.Object)}
	config := types.Config{Importer: importer.ForCompiler(fset, "source", nil)}
	if _, err := config.Check("ledger", fset, files, info); err != nil {
		return nil, err
	}
	var found []string
	report := func(n ast.Node, format string, args ...any) {
		p := fset.Position(n.Pos())
		found = append(found, fmt.Sprintf("%s:%d: ", p.Filename, p.Line)+fmt.Sprintf(format, args...))
	}
	for _, f := range files {
		for _, spec := range f.Imports {
			if path, _ := strconv.Unquote(spec.Path.Value); !slices.Contains(allowedImports, path) {
				report(spec, "imports %s", path)
			}
		}
		ast.Inspect(f, func(n ast.Node) bool {
			judgeNode(info, n, report)
			return true
		})
	}
	return found, nil
}

func judgeNode(info *types.Info, n ast.Node, report func(ast.Node, string, ...any)) {
	switch n := n.(type) {
	case *ast.GoStmt:
		report(n, "starts a goroutine")
	case *ast.SelectStmt:
		report(n, "selects")
	case *ast.SendStmt, *ast.ChanType:
		report(n, "uses a channel")
	case *ast.RangeStmt:
		switch info.TypeOf(n.X).Underlying().(type) {
		case *types.Map:
			report(n, "walks a map")
		case *types.Chan:
			report(n, "uses a channel")
		}
	case *ast.SelectorExpr:
		if x, ok := n.X.(*ast.Ident); ok && slices.Contains(bannedFunctions, x.Name+"."+n.Sel.Name) {
			report(n, "uses %s.%s", x.Name, n.Sel.Name)
		}
	}
	if e, ok := n.(ast.Expr); ok {
		if t := info.TypeOf(e); t != nil {
			if b, ok := t.Underlying().(*types.Basic); ok && b.Info()&(types.IsFloat|types.IsComplex) != 0 {
				report(n, "has a floating-point number")
			}
		}
	}
}

func TestNothingIsLeftToChance(t *testing.T) {
	fset := token.NewFileSet()
	names, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	var files []*ast.File
	for _, d := range names {
		if !strings.HasSuffix(d.Name(), ".go") || strings.HasSuffix(d.Name(), "_test.go") {
			continue
		}
		f, err := parser.ParseFile(fset, d.Name(), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	found, err := bans(fset, files)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range found {
		t.Error(text)
	}
}

// TestBansCatch hands the checker one breach of each kind.
func TestBansCatch(t *testing.T) {
	for code, want := range map[string]string{
		`func f(m map[int]int) { for range m {} }`:                         "walks a map",
		`type m map[string]bool; func f(x m) { for range x {} }`:           "walks a map",
		`func f(x int) float64 { return float64(x) }`:                      "floating-point",
		`func f() { _ = 1.5 }`:                                             "floating-point",
		`func f(x float32) bool { return x > 0 }`:                          "floating-point",
		`func f() { go f() }`:                                              "goroutine",
		`func f() { select {} }`:                                           "selects",
		`func f(c chan int) { c <- 1 }`:                                    "channel",
		`func f(c chan int) { for range c {} }`:                            "channel",
		`import "time"; func f() int64 { return time.Now().Unix() }`:       "imports time",
		`import "math/rand/v2"; func f() int { return rand.Int() }`:        "imports math/rand/v2",
		`import "sort"; func f(x []int) { sort.Ints(x) }`:                  "imports sort",
		`import "os"; func f() { os.Exit(1) }`:                             "imports os",
		`import "unsafe"; func f(p *int) any { return unsafe.Pointer(p) }`: "imports unsafe",
		`import "maps"; func f(m map[int]int) any { return maps.Keys(m) }`: "uses maps.Keys",
		`func f(x []int) { for range x {} }`:                               "",
		`func f(m map[int]int) int { return m[1] }`:                        "",
	} {
		fset := token.NewFileSet()
		f, err := parser.ParseFile(fset, "bad.go", "package ledger; "+code, 0)
		if err != nil {
			t.Fatal(err)
		}
		found, err := bans(fset, []*ast.File{f})
		if err != nil {
			t.Fatalf("%s: %v", code, err)
		}
		if text := strings.Join(found, "\n"); (want == "") != (text == "") || !strings.Contains(text, want) {
			t.Errorf("%s: reported %q, want %q", code, text, want)
		}
	}
}
