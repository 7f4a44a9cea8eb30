package pick

import (
	"fmt"
	"net/netip"
	"strings"
)

// Facts is what a Source reads of a request. The caller answers from whatever
// form it has the request in.
type Facts interface {
	// Header gives the value of the header field of this name in any case, ""
	// without one. Of several fields it joins the values, as HTTP does: with
	// ", ", those of Cookie with "; ".
	Header(name string) string

	// Target gives path and query as they stand in the request line: escaped.
	Target() string

	// Client gives the address the request came from, as far as it is trusted.
	Client() netip.Addr
}

// Source says what of a request is its key.
type Source struct {
	kind string
	name string
}

// The kinds of sources. The first three have a name.
const (
	fromHeader = "header"
	fromCookie = "cookie"
	fromQuery  = "query"
	fromPath   = "path"
	fromClient = "client"
)

// ParseSource reads a source as it is written in a configuration: "header:NAME",
// "cookie:NAME", "query:NAME" (a parameter), "path" (without the query) or
// "client" (the IP address).
func ParseSource(text string) (Source, error) {
	kind, name, named := strings.Cut(text, ":")
	switch kind {
	case fromHeader, fromCookie, fromQuery:
		if name == "" || kind != fromQuery && strings.ContainsAny(name, " \t\r\n,;=:\"") {
			return Source{}, fmt.Errorf("pick: %q does not say which %s the key is in: write %s:NAME", text, kind, kind)
		}
	case fromPath, fromClient:
		if named {
			return Source{}, fmt.Errorf("pick: the key %q: write %s alone", text, kind)
		}
	default:
		return Source{}, fmt.Errorf("pick: the key %q comes from nowhere known: choose header:NAME, cookie:NAME, query:NAME, path or client", text)
	}
	return Source{kind: kind, name: name}, nil
}

// String is the form that ParseSource reads; "" of a Source that it did not make.
func (s Source) String() string {
	if s.name == "" {
		return s.kind
	}
	return s.kind + ":" + s.name
}

// Key hashes the value, escapes of URLs undone. It reports false where the request has
// none, or an empty one; the caller takes another source then, or a random key:
// with one key for all of them, one backend would get them all.
func (s Source) Key(f Facts) (key uint64, ok bool) {
	path, query, _ := strings.Cut(f.Target(), "?")
	switch s.kind {
	case fromHeader:
		return hashed(strings.Trim(f.Header(s.name), " \t"))
	case fromCookie:
		return hashed(cookie(f.Header("Cookie"), s.name))
	case fromQuery:
		return s.parameter(query)
	case fromPath:
		return unescaped(path, false)
	case fromClient:
		return address(f.Client())
	default:
		return 0, false
	}
}

func hashed(value string) (uint64, bool) { return Hash(value), value != "" }

// address gives IPv4 the same key in both of its forms.
func address(a netip.Addr) (uint64, bool) {
	if !a.IsValid() {
		return 0, false
	}
	raw, d := a.As16(), newDigest()
	for _, b := range raw {
		d.add(b)
	}
	return d.sum(), true
}

// cookie finds the value of the first cookie of a name; "" without one.
func cookie(header, name string) string {
	for len(header) > 0 {
		var pair string
		pair, header, _ = strings.Cut(header, ";")
		key, value, _ := strings.Cut(strings.Trim(pair, " \t"), "=")
		if key != name {
			continue
		}
		if n := len(value); n > 1 && value[0] == '"' && value[n-1] == '"' {
			value = value[1 : n-1]
		}
		return value
	}
	return ""
}

// parameter hashes the first parameter of the name.
func (s Source) parameter(query string) (uint64, bool) {
	for len(query) > 0 {
		var pair string
		pair, query, _ = strings.Cut(query, "&")
		name, value, _ := strings.Cut(pair, "=")
		if reads(name, s.name) {
			return unescaped(value, true)
		}
	}
	return 0, false
}

// unescaped hashes a text as it is without escapes.
func unescaped(text string, plus bool) (uint64, bool) {
	d, some := newDigest(), text != ""
	for text != "" {
		var b byte
		b, text = first(text, plus)
		d.add(b)
	}
	return d.sum(), some
}

// reads reports whether an escaped text of a query means the plain one.
func reads(escaped, plain string) bool {
	for i := range len(plain) {
		if escaped == "" {
			return false
		}
		var b byte
		if b, escaped = first(escaped, true); b != plain[i] {
			return false
		}
	}
	return escaped == ""
}

// first takes one byte off a text that is not empty. In a query a plus is a
// space. What looks like an escape and is none stands for itself.
func first(text string, plus bool) (b byte, rest string) {
	if text[0] == '%' && len(text) > 2 {
		high, low := digit(text[1]), digit(text[2])
		if high >= 0 && low >= 0 {
			return byte(high<<4 | low), text[3:]
		}
	}
	if plus && text[0] == '+' {
		return ' ', text[1:]
	}
	return text[0], text[1:]
}

// digit is the value of a hexadecimal digit, or -1.
func digit(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	default:
		return -1
	}
}
