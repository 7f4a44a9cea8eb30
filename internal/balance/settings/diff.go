package settings

import (
	"reflect"
	"slices"
)

// Change is what has to be done to come from one Config to another. What is in
// none of its lists stays as it is: connections, health and what was said by
// hand.
type Change struct {
	// Added and Removed are upstreams. One that is spoken to in another way is
	// in both.
	Added, Removed []Upstream
	// Tuned are upstreams of which only weight, number or drain have changed.
	Tuned []Upstream
	// Fields are the others, by their names in a file, that differ.
	Fields []string
}

// None reports whether nothing has changed.
func (c *Change) None() bool {
	return len(c.Added)+len(c.Removed)+len(c.Tuned)+len(c.Fields) == 0
}

// Diff compares two Configs that have passed Check.
func Diff(from, to *Config) Change {
	var c Change
	old := make(map[string]*Upstream, len(from.Upstreams))
	for i := range from.Upstreams {
		old[from.Upstreams[i].Name()] = &from.Upstreams[i]
	}
	for i := range to.Upstreams {
		u := &to.Upstreams[i]
		before, known := old[u.Name()]
		delete(old, u.Name())
		switch {
		case !known:
			c.Added = append(c.Added, *u)
		case before.same(u):
		case before.untuned() == u.untuned():
			c.Tuned = append(c.Tuned, *u)
		default:
			c.Removed, c.Added = append(c.Removed, *before), append(c.Added, *u)
		}
	}
	for i := range from.Upstreams {
		if u := &from.Upstreams[i]; old[u.Name()] == u {
			c.Removed = append(c.Removed, *u)
		}
	}
	a, b := reflect.ValueOf(from).Elem(), reflect.ValueOf(to).Elem()
	for i, name := range names(a.Type()) {
		if name != "upstreams" && !reflect.DeepEqual(a.Field(i).Interface(), b.Field(i).Interface()) {
			c.Fields = append(c.Fields, name)
		}
	}
	return c
}

// Has reports whether any of these fields differ.
func (c *Change) Has(fields ...string) bool {
	return slices.ContainsFunc(fields, func(f string) bool { return slices.Contains(c.Fields, f) })
}

// Name is what the upstream is called everywhere; "" where its URL is none.
func (u *Upstream) Name() string {
	t, err := ParseTarget(u.URL)
	if err != nil {
		return ""
	}
	return t.Name()
}

// same reports whether two upstreams of one name do not differ.
func (u *Upstream) same(o *Upstream) bool {
	return u.untuned() == o.untuned() && u.Weight == o.Weight && u.Number == o.Number && u.Drain == o.Drain
}

// untuned is the upstream without what can change while it is used. Its URL is
// in one form.
func (u *Upstream) untuned() Upstream {
	out := *u
	out.URL, out.Weight, out.Number, out.Drain = u.Name(), 0, 0, false
	return out
}
