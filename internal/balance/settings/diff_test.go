package settings

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func urls(list []Upstream) (out []string) {
	for i := range list {
		out = append(out, list[i].Name())
	}
	return out
}

func TestDiff(t *testing.T) {
	const base = "upstreams: [http://a:1, http://b:1, {url: http://c:1, weight: 2}]\n"
	for _, c := range []struct {
		to   string
		want string
	}{
		{base, "[] [] [] []"},
		{"upstreams: [HTTP://A:1/, http://b:1, {url: http://c:1, weight: 2}]", "[] [] [] []"},
		{"upstreams: [http://a:1, http://b:1, {url: http://c:1, weight: 3}]", "[] [] [http://c:1] []"},
		{"upstreams: [{url: http://a:1, drain: true}, http://b:1, {url: http://c:1, weight: 2}]", "[] [] [http://a:1] []"},
		{"upstreams: [{url: http://a:1, host: x}, http://b:1, {url: http://c:1, weight: 2}]", "[http://a:1] [http://a:1] [] []"},
		{"upstreams: [{url: http://b:1, number: 2}, {url: http://c:1, weight: 2, number: 3}, {url: http://d:1, number: 1}]", "[http://d:1] [http://a:1] [] []"},
		{base + "policy: ring\nhealth: {path: /h}\n", "[] [] [] [policy health]"},
		{base + "policy: peak-ewma\ntimeouts: {connect: 5s}\n", "[] [] [] []"},
	} {
		from, to := parse(t, base), parse(t, c.to)
		d := Diff(from, to)
		if got := fmt.Sprint(urls(d.Added), urls(d.Removed), urls(d.Tuned), d.Fields); got != c.want {
			t.Errorf("%s: %s, want %s", c.to, got, c.want)
		}
		if d.None() != (c.want == "[] [] [] []") || d.Has("policy") != slices.Contains(d.Fields, "policy") {
			t.Errorf("%s: None %v, Has %v", c.to, d.None(), d.Has("policy"))
		}
	}
}

// TestDiffIsEnough: whoever has what the first Config says and does what Diff
// says has what the second says, and what is in both was not touched.
func TestDiffIsEnough(t *testing.T) {
	draw := func(t *rapid.T, label string) *Config {
		c := Default()
		for i := range 6 {
			if rapid.Bool().Draw(t, label) {
				c.Upstreams = append(c.Upstreams, Upstream{
					URL: fmt.Sprintf("http://%c:1", 'a'+i), Number: uint64(i + 1),
					Weight: rapid.IntRange(1, 2).Draw(t, label), HTTP2: rapid.Bool().Draw(t, label),
				})
			}
		}
		return c
	}
	rapid.Check(t, func(t *rapid.T) {
		from, to := draw(t, "from"), draw(t, "to")
		have := make(map[string]Upstream)
		for _, u := range from.Upstreams {
			have[u.Name()] = u
		}
		d := Diff(from, to)
		for _, u := range d.Removed {
			if have[u.Name()] != u {
				t.Fatalf("%+v is taken away, and is not there", u)
			}
			delete(have, u.Name())
		}
		for _, u := range d.Added {
			if _, there := have[u.Name()]; there {
				t.Fatalf("%+v comes, and is there", u)
			}
			have[u.Name()] = u
		}
		for _, u := range d.Tuned {
			before, there := have[u.Name()]
			if !there || before == u {
				t.Fatalf("%+v is tuned from %+v", u, before)
			}
			have[u.Name()] = u
		}
		want := make(map[string]Upstream)
		for _, u := range to.Upstreams {
			want[u.Name()] = u
		}
		if !maps.Equal(have, want) {
			t.Fatalf("got %+v, want %+v", have, want)
		}
	})
}
