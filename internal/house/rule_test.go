package house

import (
	"fmt"
	"go/ast"
	"go/token"
	"slices"
	"strings"
)

// sizes holds a file and its functions to the limits.
func sizes(s *source) []finding {
	fileLimit, functionLimit := maxFileLines, maxFunctionLines
	if s.isTest() {
		fileLimit, functionLimit = maxTestFileLines, maxTestFunctionLines
	}
	var out []finding
	if s.lines > fileLimit {
		out = append(out, finding{"file-length", s.path, "", fmt.Sprintf("has %d lines, limit %d", s.lines, fileLimit)})
	}
	for _, d := range s.file.Decls {
		fn, ok := d.(*ast.FuncDecl)
		if !ok {
			continue
		}
		if n := s.length(fn); n > functionLimit {
			out = append(out, finding{"function-length", s.path, symbol(fn), fmt.Sprintf("has %d lines, limit %d", n, functionLimit)})
		}
		if n := parameters(fn.Type); n > maxParameters {
			out = append(out, finding{"parameters", s.path, symbol(fn), fmt.Sprintf("has %d parameters, limit %d: a struct names them", n, maxParameters)})
		}
	}
	return out
}

// parameters counts what a caller has to decide: a context it only passes on.
func parameters(fn *ast.FuncType) int {
	n := 0
	for _, field := range fn.Params.List {
		if isSelector(field.Type, "context", "Context") {
			continue
		}
		n += max(1, len(field.Names))
	}
	return n
}

// symbol is the name of a function, with its receiver's type before a dot.
func symbol(fn *ast.FuncDecl) string {
	if r := receiver(fn); r != "" {
		return r + "." + fn.Name.Name
	}
	return fn.Name.Name
}

// receiver is the name of the type a method belongs to, without its arguments.
func receiver(fn *ast.FuncDecl) string {
	if fn.Recv == nil || len(fn.Recv.List) == 0 {
		return ""
	}
	expr := fn.Recv.List[0].Type
	for {
		switch e := expr.(type) {
		case *ast.StarExpr:
			expr = e.X
		case *ast.IndexExpr:
			expr = e.X
		case *ast.IndexListExpr:
			expr = e.X
		case *ast.Ident:
			return e.Name
		default:
			return ""
		}
	}
}

// habits finds what hides work (init) or makes tests slow and flaky (Sleep).
func habits(s *source) []finding {
	var out []finding
	for _, d := range s.file.Decls {
		fn, ok := d.(*ast.FuncDecl)
		if !ok {
			continue
		}
		if fn.Recv == nil && fn.Name.Name == "init" {
			out = append(out, finding{"init", s.path, "init", "runs before anybody asked: wire by hand"})
		}
		if s.isTest() && sleeps(fn) {
			out = append(out, finding{"sleep", s.path, symbol(fn), "sleeps: wait for a signal, or use testing/synctest"})
		}
	}
	return out
}

func sleeps(fn *ast.FuncDecl) bool {
	found := false
	ast.Inspect(fn, func(n ast.Node) bool {
		if e, ok := n.(ast.Expr); ok && isSelector(e, "time", "Sleep") {
			found = true
		}
		return !found
	})
	return found
}

// spoken are methods whose contract the standard library wrote: error and
// errors.Unwrap, sort.Interface and container/heap.
var spoken = []string{"Error", "Unwrap", "Len", "Less", "Swap", "Push", "Pop"}

// undocumented finds exported declarations without a comment.
func undocumented(s *source) []finding {
	var out []finding
	report := func(name string) {
		out = append(out, finding{"document", s.path, name, "is exported without a comment"})
	}
	for _, d := range s.file.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			visible := d.Name.IsExported() && (d.Recv == nil || ast.IsExported(receiver(d)))
			known := d.Recv != nil && slices.Contains(spoken, d.Name.Name)
			if visible && !known && d.Doc == nil {
				report(symbol(d))
			}
		case *ast.GenDecl:
			if d.Doc != nil && d.Tok != token.TYPE {
				continue // one comment speaks for the group
			}
			for _, spec := range d.Specs {
				for _, name := range bare(spec, d.Doc != nil && !d.Lparen.IsValid()) {
					report(name)
				}
			}
		}
	}
	return out
}

// bare lists the exported names of a specification nobody commented.
func bare(spec ast.Spec, documented bool) []string {
	switch spec := spec.(type) {
	case *ast.TypeSpec:
		if spec.Name.IsExported() && !documented && spec.Doc == nil && spec.Comment == nil {
			return []string{spec.Name.Name}
		}
	case *ast.ValueSpec:
		if documented || spec.Doc != nil || spec.Comment != nil {
			return nil
		}
		var names []string
		for _, n := range spec.Names {
			if n.IsExported() {
				names = append(names, n.Name)
			}
		}
		return names
	}
	return nil
}

// packageDocument wants one comment that says what a package is for.
func packageDocument(pkg []*source) []finding {
	name := pkg[0].file.Name.Name
	opening := "Package " + name + " "
	for _, s := range pkg {
		if s.file.Doc == nil {
			continue
		}
		if text := s.file.Doc.Text(); name == "main" || strings.HasPrefix(text, opening) {
			return nil
		}
	}
	return []finding{{"package-document", pkg[0].path, "", fmt.Sprintf("belongs to a package without a comment that begins %q", opening)}}
}

func isSelector(e ast.Expr, pkg, name string) bool {
	sel, ok := e.(*ast.SelectorExpr)
	if !ok || sel.Sel.Name != name {
		return false
	}
	x, ok := sel.X.(*ast.Ident)
	return ok && x.Name == pkg
}
