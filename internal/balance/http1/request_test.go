package http1

import (
	"strings"
	"testing"
)

// smuggled are requests that two servers could read in two ways, or that are
// none. Each row says why it is refused.
var smuggled = []struct {
	name, text string
	why        Reason
}{
	{"length and coding", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n", LengthAndCoding},
	{"coding and length", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n", LengthAndCoding},
	{"coding and length 0", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n", LengthAndCoding},

	{"folded by a space", "GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n 2\r\n\r\n", Folded},
	{"folded by a tab", "GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n\t2\r\n\r\n", Folded},
	{"folded first line", "GET / HTTP/1.1\r\n X: 1\r\nHost: a\r\n\r\n", Folded},
	{"folded coding", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\r\n chunked\r\n\r\n", BadCoding},

	{"bare LF after the first line", "GET / HTTP/1.1\nHost: a\r\n\r\n", BareLF},
	{"bare LF after a field", "GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n", BareLF},
	{"bare LF as the empty line", "GET / HTTP/1.1\r\nHost: a\r\n\n", BareLF},
	{"bare LF before all", "\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", BareLF},
	{"empty line before all", "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", BadLine},
	{"bare CR in a value", "GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n", BareCR},
	{"bare CR in a name", "GET / HTTP/1.1\r\nHost: a\r\nX\rY: b\r\n\r\n", BareCR},
	{"bare CR at the end of a value", "GET / HTTP/1.1\r\nHost: a\r\nX: a\r\r\n\r\n", BareCR},
	{"bare CR in the target", "GET /\rx HTTP/1.1\r\nHost: a\r\n\r\n", BadTarget},
	{"bare CR for a line", "GET / HTTP/1.1\r\nHost: a\r\n\r\r\n\r\n", BareCR},

	{"NUL in a value", "GET / HTTP/1.1\r\nHost: a\r\nX: a\x00b\r\n\r\n", Control},
	{"NUL in a name", "GET / HTTP/1.1\r\nHost: a\r\nX\x00: b\r\n\r\n", Control},
	{"NUL in the target", "GET /\x00 HTTP/1.1\r\nHost: a\r\n\r\n", BadTarget},
	{"NUL in the method", "G\x00T / HTTP/1.1\r\nHost: a\r\n\r\n", BadMethod},
	{"NUL in the host", "GET / HTTP/1.1\r\nHost: a\x00b\r\n\r\n", Control},
	{"DEL in a long value", "GET / HTTP/1.1\r\nHost: a\r\nX: 0123456789\x7f0123456789\r\n\r\n", Control},
	{"escape in a long value", "GET / HTTP/1.1\r\nHost: a\r\nX: 0123456789abcdef\x1b\r\n\r\n", Control},
	{"unit separator among high bytes", "GET / HTTP/1.1\r\nHost: a\r\nX: \xff\xff\xff\x1f\xff\xff\xff\xff\r\n\r\n", Control},

	{"two lengths", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\n", ManyLengths},
	{"the same length twice", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nContent-Length: 4\r\n\r\n", ManyLengths},
	{"list of lengths", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4, 4\r\n\r\n", BadLength},
	{"positive length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +4\r\n\r\n", BadLength},
	{"negative length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -4\r\n\r\n", BadLength},
	{"hexadecimal length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x4\r\n\r\n", BadLength},
	{"no length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n", BadLength},
	{"length with a blank", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1 2\r\n\r\n", BadLength},
	{"length beyond 64 bits", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 18446744073709551620\r\n\r\n", BadLength},
	{"length of 19 digits", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0000000000000000004\r\n\r\n", BadLength},
	{"length with an underscore", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1_0\r\n\r\n", BadLength},
	{"length in full-width digits", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: \xef\xbc\x94\r\n\r\n", BadLength},

	{"no host", "GET / HTTP/1.1\r\n\r\n", NoHost},
	{"two hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", ManyHosts},
	{"the same host twice", "GET / HTTP/1.1\r\nHost: a\r\nhost: a\r\n\r\n", ManyHosts},
	{"two hosts in HTTP/1.0", "GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", ManyHosts},
	{"two hosts in one field", "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", BadHost},
	{"two hosts without a blank", "GET / HTTP/1.1\r\nHost: a,b\r\n\r\n", BadHost},
	{"host with an escape", "GET / HTTP/1.1\r\nHost: a%2fb\r\n\r\n", BadHost},
	{"host with a path", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", BadHost},
	{"host with a user", "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", BadHost},
	{"host with a word as port", "GET / HTTP/1.1\r\nHost: a:b\r\n\r\n", BadHost},
	{"host with two ports", "GET / HTTP/1.1\r\nHost: a:1:2\r\n\r\n", BadHost},
	{"host that is a port", "GET / HTTP/1.1\r\nHost: :80\r\n\r\n", BadHost},
	{"host with an open bracket", "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", BadHost},
	{"host with words in brackets", "GET / HTTP/1.1\r\nHost: [xyz]\r\n\r\n", BadHost},
	{"host with text behind brackets", "GET / HTTP/1.1\r\nHost: [::1]a\r\n\r\n", BadHost},

	{"URL of another host", "GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n", OtherHost},
	{"URL with another port", "GET http://a:80/ HTTP/1.1\r\nHost: a\r\n\r\n", OtherHost},
	{"URL without a Host field", "GET http://a/ HTTP/1.1\r\n\r\n", NoHost},
	{"URL with a user", "GET http://u:p@a/ HTTP/1.1\r\nHost: a\r\n\r\n", BadHost},
	{"URL without a host", "GET http:///x HTTP/1.1\r\nHost: a\r\n\r\n", BadHost},
	{"URL of a port alone", "GET http://:80/x HTTP/1.1\r\nHost: :80\r\n\r\n", BadHost},
	{"URL with backslashes", "GET http://a\\b/ HTTP/1.1\r\nHost: a\r\n\r\n", BadHost},
	{"URL of another scheme", "GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n", BadTarget},
	{"URL without slashes", "GET http:a/ HTTP/1.1\r\nHost: a\r\n\r\n", BadTarget},
	{"URL without a scheme", "GET a/b HTTP/1.1\r\nHost: a\r\n\r\n", BadTarget},
	{"scheme alone", "GET http:// HTTP/1.1\r\nHost: a\r\n\r\n", BadTarget},
	{"fragment", "GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n", BadTarget},
	{"asterisk of a GET", "GET * HTTP/1.1\r\nHost: a\r\n\r\n", BadTarget},
	{"tunnel", "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", Connect},

	{"space before the colon", "GET / HTTP/1.1\r\nHost: a\r\nContent-Length : 5\r\n\r\n", SpacedName},
	{"tab before the colon", "GET / HTTP/1.1\r\nHost: a\r\nContent-Length\t: 5\r\n\r\n", SpacedName},
	{"space in a name", "GET / HTTP/1.1\r\nHost: a\r\nContent Length: 5\r\n\r\n", SpacedName},
	{"no colon", "GET / HTTP/1.1\r\nHost: a\r\nX\r\n\r\n", BadName},
	{"no name", "GET / HTTP/1.1\r\nHost: a\r\n: x\r\n\r\n", BadName},
	{"name in quotes", "GET / HTTP/1.1\r\nHost: a\r\n\"X\": y\r\n\r\n", BadName},
	{"name beyond ASCII", "GET / HTTP/1.1\r\nHost: a\r\nTransfer\xc2\xa0Encoding: chunked\r\n\r\n", BadName},

	{"unknown coding", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n", BadCoding},
	{"coding that says nothing", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\n\r\n", BadCoding},
	{"no coding", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\r\n\r\n", BadCoding},
	{"coding in quotes", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \"chunked\"\r\n\r\n", BadCoding},
	{"coding with a parameter", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked;q=1\r\n\r\n", BadCoding},
	{"coding with a vertical tab", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \x0bchunked\r\n\r\n", Control},
	{"two codings in one field", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", BadCoding},
	{"chunked twice in one field", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, chunked\r\n\r\n", BadCoding},
	{"chunked before another", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, identity\r\n\r\n", BadCoding},
	{"chunked in two fields", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", ManyCodings},
	{"coding in HTTP/1.0", "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", OldCoding},

	{"HTTP/0.9", "GET /\r\n\r\n", BadLine},
	{"HTTP/2's preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", BadVersion},
	{"HTTP/1.2", "GET / HTTP/1.2\r\nHost: a\r\n\r\n", BadVersion},
	{"version with a comma", "GET / HTTP/1,1\r\nHost: a\r\n\r\n", BadLine},
	{"version of a letter", "GET / HTTP/1.x\r\nHost: a\r\n\r\n", BadLine},
	{"version of one digit", "GET / HTTP/1\r\nHost: a\r\n\r\n", BadLine},
	{"version in small letters", "GET / http/1.1\r\nHost: a\r\n\r\n", BadLine},
	{"space behind the version", "GET / HTTP/1.1 \r\nHost: a\r\n\r\n", BadLine},
	{"two spaces before the target", "GET  / HTTP/1.1\r\nHost: a\r\n\r\n", BadTarget},
	{"two spaces behind the target", "GET /  HTTP/1.1\r\nHost: a\r\n\r\n", BadTarget},
	{"space in the target", "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", BadTarget},
	{"tabs for spaces", "GET\t/\tHTTP/1.1\r\nHost: a\r\n\r\n", BadLine},
	{"space before the method", " GET / HTTP/1.1\r\nHost: a\r\n\r\n", BadLine},
	{"method in brackets", "(GET) / HTTP/1.1\r\nHost: a\r\n\r\n", BadMethod},
	{"TLS", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\n", BareLF},

	{"long first line", "GET /" + strings.Repeat("a", MaxHead) + " HTTP/1.1\r\nHost: a\r\n\r\n", LongLine},
	{"large head", "GET / HTTP/1.1\r\nHost: a\r\n" + strings.Repeat("X: y\r\n", MaxHead/6) + "\r\n", LargeHead},
	{"many options", "GET / HTTP/1.1\r\nHost: a\r\nConnection: a" + strings.Repeat(",a", MaxOptions) + "\r\n\r\n", ManyOptions},
}

// TestSmuggledRequestsAreBad: each is refused, with its reason, however it is
// cut into pieces.
func TestSmuggledRequestsAreBad(t *testing.T) {
	for _, c := range smuggled {
		t.Run(c.name, func(t *testing.T) {
			var r Request
			if v := r.Parse([]byte(c.text), 0); v != Bad || r.Why != c.why {
				t.Fatalf("verdict %d, %q; want Bad, %q", v, r.Why, c.why)
			}
			if s := r.Why.Status(); s < 400 || s > 505 {
				t.Errorf("answered with %d", s)
			}
			for n := 0; n < len(c.text); n += 1 + len(c.text)/1000 {
				if v := r.Parse([]byte(c.text[:n]), 0); v == OK || v == Bad && r.Why != c.why {
					t.Fatalf("of its first %d bytes: verdict %d, %q", n, v, r.Why)
				}
			}
		})
	}
}

// TestReasonsSayWhat: every reason has words of its own.
func TestReasonsSayWhat(t *testing.T) {
	seen := make(map[string]Reason)
	for r := range reasons {
		text := r.String()
		if other, ok := seen[text]; ok || text == "" {
			t.Errorf("reasons %d and %d both say %q", r, other, text)
		}
		seen[text] = r
	}
}

// TestRequests: what a head says of its message.
func TestRequests(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       Request // without its places
		path       string
		host       string
	}{
		{"shortest", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", Request{Verb: GET, Version: 11}, "/", "a"},
		{"HTTP/1.0", "GET /x HTTP/1.0\r\n\r\n", Request{Verb: GET, Version: 10, Head: Head{Close: true}}, "/x", ""},
		{"HTTP/1.0 that stays", "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", Request{Verb: GET, Version: 10}, "/", ""},
		{"close", "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", Request{Verb: GET, Version: 11, Head: Head{Close: true}}, "/", "a"},
		{"close among others", "GET / HTTP/1.1\r\nHost: a\r\nConnection: x ,\t, Close\r\n\r\n", Request{Verb: GET, Version: 11, Head: Head{Close: true}}, "/", "a"},
		{"close and keep-alive", "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nConnection: keep-alive\r\n\r\n", Request{Verb: GET, Version: 11, Head: Head{Close: true}}, "/", "a"},
		{"length", "POST /p HTTP/1.1\r\nHost: a\r\nContent-Length:\t007 \r\n\r\n", Request{Verb: POST, Version: 11, Head: Head{Body: Length, Length: 7}}, "/p", "a"},
		{"length 0", "POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", Request{Verb: POST, Version: 11}, "/p", "a"},
		{"largest length", "PUT /p HTTP/1.1\r\nHost: a\r\nContent-Length: 999999999999999999\r\n\r\n", Request{Verb: PUT, Version: 11, Head: Head{Body: Length, Length: 999999999999999999}}, "/p", "a"},
		{"chunked", "PATCH /p HTTP/1.1\r\nHost: a\r\nTRANSFER-ENCODING: Chunked\r\nTrailer: X\r\nTE: trailers\r\n\r\n", Request{Verb: PATCH, Version: 11, Trailer: true, Trailers: true, Head: Head{Body: Chunked}}, "/p", "a"},
		{"continue", "POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nExpect: 100-Continue\r\n\r\n", Request{Verb: POST, Version: 11, Expects: true, Continue: true, Head: Head{Body: Length, Length: 1}}, "/p", "a"},
		{"other expectation", "GET /p HTTP/1.1\r\nHost: a\r\nExpect: wonders\r\n\r\n", Request{Verb: GET, Version: 11, Expects: true}, "/p", "a"},
		{"continue in HTTP/1.0", "GET /p HTTP/1.0\r\nHost: a\r\nExpect: 100-continue\r\n\r\n", Request{Verb: GET, Version: 10, Expects: true, Head: Head{Close: true}}, "/p", "a"},
		{"upgrade", "GET /p HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\r\n", Request{Verb: GET, Version: 11, Head: Head{Upgrade: true}}, "/p", "a"},
		{"upgrade not listed", "GET /p HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n", Request{Verb: GET, Version: 11}, "/p", "a"},
		{"upgrade to HTTP/2", "GET /p HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n\r\n", Request{Verb: GET, Version: 11}, "/p", "a"},
		{"upgrade of HTTP/1.0", "GET /p HTTP/1.0\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n", Request{Verb: GET, Version: 10, Head: Head{Close: true}}, "/p", "a"},
		{"idempotency key", "POST /p HTTP/1.1\r\nHost: a\r\nIdempotency-Key: \"k\"\r\n\r\n", Request{Verb: POST, Version: 11, Keyed: true}, "/p", "a"},
		{"own method", "get /p HTTP/1.1\r\nHost: a\r\n\r\n", Request{Version: 11}, "/p", "a"},
		{"absolute", "GET HTTP://A:80/x?y HTTP/1.1\r\nHost: a:80\r\n\r\n", Request{Verb: GET, Version: 11, Absolute: true}, "/x?y", "a:80"},
		{"absolute without a path", "GET http://a HTTP/1.1\r\nHost: a\r\n\r\n", Request{Verb: GET, Version: 11, Absolute: true}, "/", "a"},
		{"absolute with a query alone", "GET https://a?x HTTP/1.1\r\nHost: a\r\n\r\n", Request{Verb: GET, Version: 11, Absolute: true}, "/?x", "a"},
		{"absolute of HTTP/1.0", "GET http://a/ HTTP/1.0\r\n\r\n", Request{Verb: GET, Version: 10, Absolute: true, Head: Head{Close: true}}, "/", "a"},
		{"asterisk", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", Request{Verb: OPTIONS, Version: 11}, "*", "a"},
		{"asterisk, absolute", "OPTIONS http://a HTTP/1.1\r\nHost: a\r\n\r\n", Request{Verb: OPTIONS, Version: 11, Absolute: true}, "*", "a"},
		{"empty host", "GET / HTTP/1.1\r\nHost:\r\n\r\n", Request{Verb: GET, Version: 11}, "/", ""},
		{"IPv6", "GET / HTTP/1.1\r\nHost: [2001:db8::1]:8080\r\n\r\n", Request{Verb: GET, Version: 11}, "/", "[2001:db8::1]:8080"},
		{"path beyond ASCII", "GET /\xc3\xa4{|}\"<>^` HTTP/1.1\r\nHost: a\r\n\r\n", Request{Verb: GET, Version: 11}, "/\xc3\xa4{|}\"<>^`", "a"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var r Request
			b := []byte(c.text + "next")
			if v := r.Parse(b, 0); v != OK {
				t.Fatalf("verdict %d: %s", v, r.Why)
			}
			got := Request{Verb: r.Verb, Version: r.Version, Absolute: r.Absolute, Continue: r.Continue, Expects: r.Expects, Trailer: r.Trailer, Trailers: r.Trailers, Keyed: r.Keyed,
				Head: Head{Body: r.Body, Length: r.Length, Close: r.Close, Upgrade: r.Upgrade}}
			if !sameRequest(got, c.want) {
				t.Errorf("got  %+v\nwant %+v", got, c.want)
			}
			if r.Size != len(c.text) {
				t.Errorf("the head has %d bytes, want %d", r.Size, len(c.text))
			}
			if path := string(r.AppendPath(nil, b)); path != c.path {
				t.Errorf("path %q, want %q", path, c.path)
			}
			if host := string(r.Host.Of(b)); host != c.host {
				t.Errorf("host %q, want %q", host, c.host)
			}
			for n := range len(c.text) {
				if v := r.Parse(b[:n], 0); v != More {
					t.Fatalf("of its first %d bytes: verdict %d, %q", n, v, r.Why)
				}
			}
		})
	}
}

// sameRequest compares what a test has filled in.
func sameRequest(a, b Request) bool {
	return a.Verb == b.Verb && a.Version == b.Version && a.Absolute == b.Absolute && a.Continue == b.Continue && a.Expects == b.Expects &&
		a.Trailer == b.Trailer && a.Trailers == b.Trailers && a.Keyed == b.Keyed &&
		a.Body == b.Body && a.Length == b.Length && a.Close == b.Close && a.Upgrade == b.Upgrade
}

// TestHeadLimits: a head is held to the limit exactly, wherever the cut is.
func TestHeadLimits(t *testing.T) {
	const limit = 300
	head := func(n int) []byte {
		const rest = "GET / HTTP/1.1\r\nHost: a\r\nX: \r\n\r\n"
		return []byte("GET / HTTP/1.1\r\nHost: a\r\nX: " + strings.Repeat("x", n-len(rest)) + "\r\n\r\n")
	}
	var r Request
	if v := r.Parse(append(head(limit), "body"...), limit); v != OK || r.Size != limit {
		t.Errorf("at the limit: verdict %d, %s", v, r.Why)
	}
	large := head(limit + 1)
	if v := r.Parse(large, limit); v != Bad || r.Why != LargeHead || r.Why.Status() != 431 {
		t.Errorf("beyond the limit: verdict %d, %s", v, r.Why)
	}
	if v := r.Parse(large[:limit-1], limit); v != More {
		t.Errorf("short of the limit: verdict %d, %s", v, r.Why)
	}
	if v := r.Parse(head(MinHead), 1); v != OK {
		t.Errorf("the least limit is not kept: verdict %d, %s", v, r.Why)
	}
}

// TestFields: the values of a field, of several ones joined.
func TestFields(t *testing.T) {
	b := []byte("GET / HTTP/1.1\r\nHost: a\r\nX:  one \r\nCookie: a=1\r\nx: two\r\ncookie: b=2\r\nX-Y: z\r\nEmpty:\r\n\r\nX: body")
	var r Request
	if v := r.Parse(b, 0); v != OK {
		t.Fatal(r.Why)
	}
	for _, c := range []struct{ name, want string }{
		{"X", "one, two"}, {"host", "a"}, {"COOKIE", "a=1; b=2"}, {"X-Y", "z"}, {"Empty", ""}, {"Y", ""}, {"", ""},
	} {
		if got, _ := r.Field(b, c.name, nil); string(got) != c.want {
			t.Errorf("%s is %q, want %q", c.name, got, c.want)
		}
	}
	one, scratch := r.Field(b, "X", nil)
	two, _ := r.Field(b, "Cookie", scratch)
	if string(one) != "one, two" || string(two) != "a=1; b=2" {
		t.Errorf("values of one scratch: %q and %q", one, two)
	}
}
