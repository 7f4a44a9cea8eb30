package house

import (
	"slices"
	"strings"
	"testing"
)

// TestRulesCatchBreaches hands every rule of style a breach, and what comes
// closest to one without being it.
func TestRulesCatchBreaches(t *testing.T) {
	const document = "// Package a is made up.\npackage a\n"
	for _, c := range []struct {
		name, path, text string
		want             []string // "rule symbol", in any order
	}{
		{"clean", "a.go", document + "// F does it.\nfunc F() {}\n", nil},

		{"file at the limit", "a.go", document + strings.Repeat("\n", maxFileLines-2), nil},
		{"file beyond it", "a.go", document + strings.Repeat("\n", maxFileLines-1), []string{"file-length "}},
		{"test file has more room", "a_test.go", document + strings.Repeat("\n", maxFileLines-1), nil},
		{"test file beyond its own", "a_test.go", document + strings.Repeat("\n", maxTestFileLines), []string{"file-length "}},

		{"function at the limit", "a.go", document + "func f() {" + strings.Repeat("\n", maxFunctionLines-1) + "}\n", nil},
		{"function beyond it", "a.go", document + "func (x *T[K]) f() {" + strings.Repeat("\n", maxFunctionLines) + "}\n", []string{"function-length T.f"}},
		{"test function has more room", "a_test.go", document + "func f() {" + strings.Repeat("\n", maxFunctionLines) + "}\n", nil},

		{"five parameters and a context", "a.go", document + "func f(ctx context.Context, a, b, c, d, e int) {}\n", nil},
		{"six parameters", "a.go", document + "func f(a, b, c int, d, e, f string) {}\n", []string{"parameters f"}},
		{"six without names", "a.go", document + "func f(int, int, int, int, int, int) {}\n", []string{"parameters f"}},

		{"no package comment", "a.go", "package a\n", []string{"package-document "}},
		{"package comment of another", "a.go", "// Package b is.\npackage a\n", []string{"package-document "}},
		{"a command begins as it likes", "a.go", "// Polymath counts.\npackage main\n", nil},

		{"exported function", "a.go", document + "func F() {}\n", []string{"document F"}},
		{"exported method", "a.go", document + "// T is.\ntype T int\nfunc (t T) M() {}\n", []string{"document T.M"}},
		{"method of a hidden type", "a.go", document + "type t int\nfunc (t t) M() {}\n", nil},
		{"method the standard library explains", "a.go", document + "// T is.\ntype T int\nfunc (t T) Error() string { return \"\" }\n", nil},
		{"exported type", "a.go", document + "type T int\n", []string{"document T"}},
		{"exported type in a group", "a.go", document + "// Some types.\ntype (\n\tT int\n)\n", []string{"document T"}},
		{"constants under one comment", "a.go", document + "// The limits.\nconst (\n\tA = 1\n\tB = 2\n)\n", nil},
		{"constants beside comments", "a.go", document + "const (\n\tA = 1 // bytes\n\tB = 2\n)\n", []string{"document B"}},
		{"tests explain themselves", "a_test.go", document + "func F() {}\n", nil},

		{"init", "a.go", document + "func init() {}\n", []string{"init init"}},
		{"a method named init", "a.go", document + "func (t t) init() {}\n", nil},
		{"sleep in a test", "a_test.go", document + "func f() { g(time.Sleep) }\n", []string{"sleep f"}},
		{"sleep in the product", "a.go", document + "func f() { time.Sleep(1) }\n", nil},

		{"map", "a.go", document + "var v = map[int]int{}\n", []string{"variable v"}},
		{"slice", "a.go", document + "var v []int\n", []string{"variable v"}},
		{"pointer", "a.go", document + "var v = &T{}\n", []string{"variable v"}},
		{"array of slices", "a.go", document + "var v [2][]int\n", []string{"variable v"}},
		{"named map", "a.go", document + "type m map[int]int\nvar v m\n", []string{"variable v"}},
		{"lock", "a.go", document + "var v sync.Mutex\n", []string{"variable v"}},
		{"unknown call", "a.go", document + "var v = f()\n", []string{"variable v"}},
		{"pointer from a call", "a.go", document + "func f() *int { return nil }\nvar v = f()\n", []string{"variable v"}},
		{"array from a call", "a.go", document + "func f() [2]int { return [2]int{} }\nvar v = f()\n", nil},
		{"interface", "a.go", document + "type i interface{ m() }\nvar v i\n", []string{"variable v"}},
		{"duration", "a.go", document + "var v = 5 * time.Second\n", nil},
		{"assigned", "a.go", document + "var v = 1\nfunc f() { v = 2 }\n", []string{"variable v"}},
		{"counted", "a.go", document + "var v [2]int\nfunc f() { v[0]++ }\n", []string{"variable v"}},
		{"address taken", "a.go", document + "type t struct{ n int }\nvar v t\nfunc f() *int { return &v.n }\n", []string{"variable v"}},
		{"local of the same name", "a.go", document + "var v = 1\nfunc f() { v := 1; v = 2; _ = v }\n", nil},
		{"array used as a table", "a.go", document + "var v = [...]string{\"a\"}\n", nil},
		{"sentinel", "a.go", document + "var v = errors.New(\"no\")\n", nil},
		{"assertion", "a.go", document + "var _ I = (*T)(nil)\n", nil},
		{"embedded", "a.go", document + "//go:embed a.txt\nvar v []byte\n", nil},
		{"compiled once", "a.go", document + "var v = base32.NewEncoding(s).WithPadding(p)\n", nil},
		{"tests keep their tables", "a_test.go", document + "var v = []int{1}\n", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			for _, f := range inspect([]*source{fabricate(t, c.path, c.text)}) {
				got = append(got, f.rule+" "+f.name)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("found %q, want %q", got, c.want)
			}
		})
	}
}
