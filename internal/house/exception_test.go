package house

import (
	"slices"
	"testing"
)

// exception excuses one symbol from one rule, and says why.
type exception struct {
	rule string
	path string
	name string // as the finding names it; "" is the file or its package
	why  string
}

// exceptions is the whole list. Before you add to it, try the other way out:
// split the file, name the parameters in a struct, make the variable a function.
var exceptions = []exception{}

// unexcused lists the findings no exception covers.
func unexcused(found []finding, table []exception) []finding {
	return slices.DeleteFunc(slices.Clone(found), func(f finding) bool {
		return slices.ContainsFunc(table, f.key().matches)
	})
}

// unneeded lists the exceptions that cover no finding, or give no reason.
func unneeded(found []finding, table []exception) []exception {
	return slices.DeleteFunc(slices.Clone(table), func(e exception) bool {
		return e.why != "" && slices.ContainsFunc(found, func(f finding) bool { return e.matches(f.key()) })
	})
}

// matches compares everything but the reason.
func (e exception) matches(other exception) bool {
	return e.rule == other.rule && e.path == other.path && e.name == other.name
}

func TestExceptions(t *testing.T) {
	found := []finding{{rule: "init", path: "a.go", name: "init"}}
	fits := exception{rule: "init", path: "a.go", name: "init", why: "shown here"}
	silent, stale := fits, fits
	silent.why = ""
	stale.path = "b.go"
	if got := unexcused(found, nil); len(got) != 1 {
		t.Errorf("without exceptions %d findings stand, want 1", len(got))
	}
	if got := unexcused(found, []exception{fits}); len(got) != 0 {
		t.Errorf("an exception that fits left %v", got)
	}
	if got := unexcused(found, []exception{stale}); len(got) != 1 {
		t.Errorf("an exception for another file excused the finding")
	}
	if got := unneeded(found, []exception{fits, stale, silent}); len(got) != 2 {
		t.Errorf("unneeded %v, want the stale one and the one without a reason", got)
	}
}
