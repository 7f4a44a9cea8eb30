package house

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// module is the path of the main module; bench and tools are modules below it.
const module = "github.com/polymath-run/polymath"

// root is the repository seen from this package, where tests run.
const root = "../.."

// source is one Go file of the repository.
type source struct {
	path  string // slash-separated, from the root of the repository
	lines int
	fset  *token.FileSet // shared by the files of a package
	file  *ast.File
}

// directory is where a file lies, and "" for the root of the repository.
func directory(file string) string {
	if d := path.Dir(file); d != "." {
		return d
	}
	return ""
}

func (s *source) isTest() bool { return strings.HasSuffix(s.path, "_test.go") }

// length counts the lines from the first to the last of a node.
func (s *source) length(n ast.Node) int {
	return s.fset.Position(n.End()).Line - s.fset.Position(n.Pos()).Line + 1
}

// parse reads one Go file.
func parse(fset *token.FileSet, name string, text []byte) (*source, error) {
	file, err := parser.ParseFile(fset, name, text, parser.ParseComments)
	if err != nil {
		return nil, err
	}
	lines := bytes.Count(text, []byte("\n"))
	return &source{path: name, lines: lines, fset: fset, file: file}, nil
}

// paths lists every file of the repository that git tracks or would track.
// The walk, and not git alone, is what tells the test cache that a file was
// added; without git, or outside a checkout, the walk is all there is.
func paths(t *testing.T) []string {
	t.Helper()
	var walked []string
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && d.Name() == ".git":
			return filepath.SkipDir
		case d.Type().IsRegular():
			rel, err := filepath.Rel(root, name)
			walked = append(walked, filepath.ToSlash(rel))
			return err
		default:
			return nil
		}
	})
	if err != nil {
		t.Fatalf("walk the repository: %v", err)
	}
	list := exec.Command("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	list.Dir = root
	out, err := list.Output()
	if err != nil {
		t.Logf("git ls-files: %v; every file below the root counts as part of the repository", err)
		return walked
	}
	known := make(map[string]bool)
	for name := range strings.SplitSeq(string(out), "\x00") {
		known[name] = true
	}
	return slices.DeleteFunc(walked, func(name string) bool { return !known[name] })
}

// sources parses every Go file a person wrote; test data is not code.
func sources(t *testing.T) []*source {
	t.Helper()
	var all []*source
	fset := token.NewFileSet()
	for _, name := range paths(t) {
		if !strings.HasSuffix(name, ".go") || strings.Contains("/"+name, "/testdata/") {
			continue
		}
		s, err := parse(fset, name, read(t, name))
		if err != nil {
			t.Errorf("%v", err)
			continue
		}
		if !ast.IsGenerated(s.file) {
			all = append(all, s)
		}
	}
	if len(all) < 10 {
		t.Fatalf("found %d Go files below %s: this is not the whole repository", len(all), root)
	}
	return all
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// fabricate parses Go text that a self-test made up.
func fabricate(t *testing.T, name, text string) *source {
	t.Helper()
	s, err := parse(token.NewFileSet(), name, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return s
}
