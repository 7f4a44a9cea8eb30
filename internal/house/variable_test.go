package house

import (
	"go/ast"
	"go/token"
	"go/types"
	"slices"
	"strings"
)

// constants are calls whose results nobody can change, or never does.
var constants = []string{
	"errors.New", "fmt.Errorf", "polymath.Errorf",
	"regexp.MustCompile", "regexp.MustCompilePOSIX",
	"crc32.MakeTable", "crc64.MakeTable",
	"base32.NewEncoding", "base64.NewEncoding",
	"template.Must", "strings.NewReplacer",
}

// mutable finds package variables that hold state: a map, slice, pointer,
// channel, function or lock, the result of an unknown call, or anything the
// package assigns to or takes the address of. Left are interface assertions,
// embedded files, error values, and arrays and structs used as constants.
func mutable(pkg []*source) []finding {
	names := resolve(pkg)
	var out []finding
	for _, s := range pkg {
		for _, d := range s.file.Decls {
			group, ok := d.(*ast.GenDecl)
			if !ok || group.Tok != token.VAR || embedded(group.Doc) {
				continue
			}
			for _, spec := range group.Specs {
				if v, ok := spec.(*ast.ValueSpec); ok && !embedded(v.Doc) {
					out = append(out, judge(names, s, v)...)
				}
			}
		}
	}
	return out
}

// scope knows which identifiers of a package mean its own declarations.
type scope struct {
	files   []*source
	declare *types.Scope
	uses    map[*ast.Ident]types.Object
}

// resolve type-checks a package without its imports: enough to tell a package
// variable from a local of the same name, and what our own types are made of.
func resolve(pkg []*source) *scope {
	info := &types.Info{Uses: make(map[*ast.Ident]types.Object)}
	// Missing imports, and files for several systems side by side, are
	// errors to a compiler and of no interest here.
	conf := types.Config{Error: func(error) {}}
	files := make([]*ast.File, len(pkg))
	for i, s := range pkg {
		files[i] = s.file
	}
	checked, _ := conf.Check(directory(pkg[0].path), pkg[0].fset, files, info)
	return &scope{files: pkg, declare: checked.Scope(), uses: info.Uses}
}

// refers reports whether an expression is the package variable or a part of it.
func (c *scope) refers(e ast.Expr, name string) bool {
	for {
		switch x := e.(type) {
		case *ast.Ident:
			return x.Name == name && c.uses[x] == c.declare.Lookup(name)
		case *ast.IndexExpr:
			e = x.X
		case *ast.SelectorExpr:
			e = x.X
		case *ast.ParenExpr:
			e = x.X
		default:
			return false
		}
	}
}

// assigned reports whether any function of the package changes the variable.
func (c *scope) assigned(name string) bool {
	found := false
	for _, s := range c.files {
		ast.Inspect(s.file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.AssignStmt:
				for _, left := range n.Lhs {
					found = found || c.refers(left, name)
				}
			case *ast.IncDecStmt:
				found = found || c.refers(n.X, name)
			case *ast.UnaryExpr:
				found = found || n.Op == token.AND && c.refers(n.X, name)
			}
			return !found
		})
	}
	return found
}

// fixed reports whether a variable is plainly a value, by its type where our
// own code spells it, else by how the declaration reads.
func (c *scope) fixed(name string, typ, value ast.Expr) bool {
	if isConstant(value) {
		return true
	}
	obj := c.declare.Lookup(name)
	if obj == nil || obj.Type() == types.Typ[types.Invalid] {
		return reads(typ, value)
	}
	t := obj.Type().Underlying()
	for {
		array, ok := t.(*types.Array)
		if !ok {
			break
		}
		t = array.Elem().Underlying()
	}
	switch t := t.(type) {
	case *types.Struct:
		return true
	case *types.Basic:
		return t.Kind() != types.Invalid || reads(typ, value)
	default:
		return false
	}
}

// judge looks at the names of one specification.
func judge(c *scope, s *source, v *ast.ValueSpec) []finding {
	var out []finding
	for i, name := range v.Names {
		var value ast.Expr
		if i < len(v.Values) {
			value = v.Values[i]
		}
		text := ""
		switch {
		case name.Name == "_":
		case !c.fixed(name.Name, v.Type, value):
			text = "may change while the program runs: make it a constant, a function, or a field of something"
		case c.assigned(name.Name):
			text = "is assigned to or has its address taken"
		}
		if text != "" {
			out = append(out, finding{"variable", s.path, name.Name, text})
		}
	}
	return out
}

func embedded(doc *ast.CommentGroup) bool {
	if doc == nil {
		return false
	}
	for _, c := range doc.List {
		if strings.HasPrefix(c.Text, "//go:embed ") {
			return true
		}
	}
	return false
}

// reads judges a declaration by its words, where a type or a function of
// another package is in it: what cannot be told counts as state.
func reads(typ, value ast.Expr) bool {
	switch v := value.(type) {
	case nil:
		return isValue(typ)
	case *ast.BasicLit, *ast.BinaryExpr:
		return true
	case *ast.CompositeLit:
		return isValue(v.Type)
	default:
		return false
	}
}

// isValue reports whether a type expression spells an array of values, a basic
// type, or a named type that is not one of the packages of locks and counters.
func isValue(typ ast.Expr) bool {
	switch t := typ.(type) {
	case *ast.Ident:
		return true
	case *ast.ArrayType:
		return t.Len != nil && isValue(t.Elt)
	case *ast.StructType:
		return true
	case *ast.SelectorExpr:
		x, ok := t.X.(*ast.Ident)
		return ok && x.Name != "sync" && x.Name != "atomic"
	default:
		return false
	}
}

// isConstant reports whether an expression calls, first in its chain, a
// function of the list, or takes a table of the standard library.
func isConstant(e ast.Expr) bool {
	call, ok := e.(*ast.CallExpr)
	if !ok {
		return isSelector(e, "crc32", "IEEETable")
	}
	switch fn := call.Fun.(type) {
	case *ast.Ident:
		return fn.Name == "Errorf" // within the root package
	case *ast.SelectorExpr:
		if isConstant(fn.X) {
			return true
		}
		x, ok := fn.X.(*ast.Ident)
		return ok && slices.Contains(constants, x.Name+"."+fn.Sel.Name)
	default:
		return false
	}
}
