package pick

import (
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"
)

// facts is a request of the standard library.
type facts struct {
	header http.Header
	target string
	client string
}

func (f facts) Header(name string) string {
	separator := ", "
	if name == "Cookie" {
		separator = "; "
	}
	return strings.Join(f.header.Values(name), separator)
}

func (f facts) Target() string { return f.target }

func (f facts) Client() netip.Addr {
	a, err := netip.ParseAddr(f.client)
	if err != nil {
		return netip.Addr{}
	}
	return a
}

func TestSourceKey(t *testing.T) {
	request := facts{
		header: http.Header{
			"X-User":  {"ada"},
			"X-Blank": {"  "},
			"Cookie":  {`theme=dark; session="s 1"; empty=`, "late=x=y"},
		},
		target: "/a%20b/%zz%4?user=ada%20l&user=bob&na%6De=x+y&empty=&bare",
		client: "192.0.2.1",
	}
	for _, c := range []struct {
		source string
		want   string // the text that is hashed; "" for no key
	}{
		{"header:x-user", "ada"},
		{"header:X-Blank", ""},
		{"header:X-Other", ""},
		{"cookie:session", "s 1"},
		{"cookie:theme", "dark"},
		{"cookie:late", "x=y"},
		{"cookie:empty", ""},
		{"cookie:them", ""},
		{"query:user", "ada l"},
		{"query:name", "x y"},
		{"query:empty", ""},
		{"query:bare", ""},
		{"query:use", ""},
		{"query:users", ""},
		{"path", "/a b/%zz%4"},
		{"client", strings.Repeat("\x00", 10) + "\xff\xff\xc0\x00\x02\x01"},
	} {
		s, err := ParseSource(c.source)
		if err != nil {
			t.Fatal(err)
		}
		if got := s.String(); got != c.source {
			t.Errorf("source %q reads %q", c.source, got)
		}
		key, ok := s.Key(request)
		if ok != (c.want != "") || ok && key != Hash(c.want) {
			t.Errorf("%s: key %#x, %v; want that of %q", c.source, key, ok, c.want)
		}
	}
}

// TestSourceKeyOfNothing: an empty request has no key of any kind.
func TestSourceKeyOfNothing(t *testing.T) {
	for _, source := range []string{"header:a", "cookie:a", "query:a", "path", "client"} {
		s, err := ParseSource(source)
		if err != nil {
			t.Fatal(err)
		}
		if key, ok := s.Key(facts{}); ok {
			t.Errorf("%s: key %#x of an empty request", source, key)
		}
	}
	if _, ok := (Source{}).Key(facts{target: "/"}); ok {
		t.Error("the zero source gave a key")
	}
}

// TestClientKeyOfBothForms: IPv4 inside IPv6 is the same client, and a zone does not count.
func TestClientKeyOfBothForms(t *testing.T) {
	s := Source{kind: fromClient}
	for _, pair := range [][2]string{{"192.0.2.1", "::ffff:192.0.2.1"}, {"fe80::1", "fe80::1%eth0"}} {
		a, _ := s.Key(facts{client: pair[0]})
		b, _ := s.Key(facts{client: pair[1]})
		if a != b {
			t.Errorf("%s and %s have different keys", pair[0], pair[1])
		}
	}
}

func TestParseSourceRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"":            "choose header:NAME",
		"body":        "choose header:NAME",
		"header":      "write header:NAME",
		"header:":     "write header:NAME",
		"header:a b":  "write header:NAME",
		"cookie:a;b":  "write cookie:NAME",
		"query:":      "write query:NAME",
		"path:":       "write path alone",
		"client:port": "write client alone",
	} {
		if _, err := ParseSource(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("ParseSource(%q): %v, want %q in it", text, err, want)
		}
	}
}

func TestKeysAllocateNothing(t *testing.T) {
	var request Facts = facts{target: "/a%20b?user=ada%20l", client: "192.0.2.1"}
	for _, source := range []string{"query:user", "path", "client"} {
		s, err := ParseSource(source)
		if err != nil {
			t.Fatal(err)
		}
		if n := testing.AllocsPerRun(100, func() { s.Key(request) }); n != 0 {
			t.Errorf("%s: %v allocations", source, n)
		}
	}
}

// FuzzQueryKey: of a query that net/url understands, the key is that of the
// value net/url finds; and nothing makes it panic.
func FuzzQueryKey(f *testing.F) {
	f.Add("a=1&b=2", "a")
	f.Add("na%6De=x+y%00", "name")
	f.Add("a&a=1", "a")
	f.Add("%=&%4=&=", "")
	f.Fuzz(func(t *testing.T, query, name string) {
		if _, err := ParseSource("query:" + name); err != nil {
			return
		}
		key, ok := Source{kind: fromQuery, name: name}.Key(facts{target: "/?" + query})
		values, err := url.ParseQuery(query)
		if err != nil {
			return
		}
		want := values.Get(name)
		if ok != (want != "") || ok && key != Hash(want) {
			t.Fatalf("query %q, name %q: key %#x, %v; want that of %q", query, name, key, ok, want)
		}
	})
}

// FuzzCookieKey: of cookies that net/http understands, the key is that of the
// value net/http finds; and nothing makes it panic.
func FuzzCookieKey(f *testing.F) {
	f.Add("a=1; b=2", "a")
	f.Add(`a="1 2";a=2`, "a")
	f.Add(" =;;\"", "b")
	f.Fuzz(func(t *testing.T, header, name string) {
		if _, err := ParseSource("cookie:" + name); err != nil {
			return
		}
		key, ok := Source{kind: fromCookie, name: name}.Key(facts{header: http.Header{"Cookie": {header}}})
		cookies, err := http.ParseCookie(header)
		if err != nil {
			return
		}
		want := ""
		for _, c := range cookies {
			if c.Name == name {
				want = c.Value
				break
			}
		}
		if ok != (want != "") || ok && key != Hash(want) {
			t.Fatalf("cookies %q, name %q: key %#x, %v; want that of %q", header, name, key, ok, want)
		}
	})
}
