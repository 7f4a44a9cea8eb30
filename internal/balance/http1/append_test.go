package http1

import (
	"net/netip"
	"strings"
	"testing"
)

// lines makes a head of lines: each without its CRLF, the empty one added.
func lines(text ...string) string { return strings.Join(text, "\r\n") + "\r\n\r\n" }

func direct() Outgoing {
	four := netip.MustParseAddr("192.0.2.7")
	return Outgoing{Peer: four, Client: four, Scheme: "http"}
}

// TestRequestsGoOn: what of a request reaches the upstream.
func TestRequestsGoOn(t *testing.T) {
	all := direct()
	all.Fields = AllForwarding
	trusted := all
	trusted.Trusted, trusted.Client = true, netip.MustParseAddr("198.51.100.1")
	six := all
	six.Peer, six.Client, six.Scheme = netip.MustParseAddr("2001:db8::7"), netip.MustParseAddr("2001:db8::7"), "https"
	host := direct()
	host.Host = "up:81"
	passing := direct()
	passing.Upgrade = true
	extra := direct()
	extra.Extra = []byte("X-Deadline: 5\r\n")
	silent := direct()
	silent.Trusted = true
	replaced := extra
	replaced.Replaced = "x-deadline"
	framed := extra
	framed.Replaced = "Content-Length"

	for _, c := range []struct {
		name     string
		out      Outgoing
		in, want string
	}{
		{"as it is", direct(), lines("GET /a?b HTTP/1.1", "Host: a", "X:  y ", "Cookie: z"), lines("GET /a?b HTTP/1.1", "Host: a", "X:  y ", "Cookie: z")},
		{"hop-by-hop", direct(), lines("GET / HTTP/1.1", "Connection: keep-alive", "Host: a", "Keep-Alive: 5", "TE: trailers, gzip", "Proxy-Connection: x", "Proxy-Authorization: y", "Proxy-Authenticate: z", "Proxy: http://evil", "Upgrade: h2c", "X: 1"),
			lines("GET / HTTP/1.1", "Host: a", "X: 1")},
		{"listed by Connection", direct(), lines("GET / HTTP/1.1", "X-One: 1", "Host: a", "Connection: x-one, X-TWO", "X-Two: 2", "X-Three: 3", "connection: x-four", "X-Four: 4"),
			lines("GET / HTTP/1.1", "Host: a", "X-Three: 3")},
		{"what cannot be listed away", direct(), lines("POST / HTTP/1.1", "Host: a", "Connection: host, content-length, close", "Content-Length: 3"),
			lines("POST / HTTP/1.1", "Host: a", "Content-Length: 3")},
		{"expectation listed", direct(), lines("POST / HTTP/1.1", "Host: a", "Connection: expect, trailer", "Expect: x", "Trailer: y"),
			lines("POST / HTTP/1.1", "Host: a")},
		{"chunked", direct(), lines("POST / HTTP/1.1", "Host: a", "Connection: transfer-encoding", "Transfer-Encoding: chunked", "Trailer: X"),
			lines("POST / HTTP/1.1", "Host: a", "Transfer-Encoding: chunked", "Trailer: X")},
		{"HTTP/1.0", direct(), lines("GET /a HTTP/1.0", "X: 1"), lines("GET /a HTTP/1.1", "X: 1", "Host: ")},
		{"absolute", direct(), lines("GET http://a/b?c HTTP/1.1", "Host: a"), lines("GET /b?c HTTP/1.1", "Host: a")},
		{"absolute without a path", direct(), lines("GET http://a?c HTTP/1.1", "Host: a"), lines("GET /?c HTTP/1.1", "Host: a")},
		{"other host", host, lines("GET / HTTP/1.1", "Host: a", "X: 1"), lines("GET / HTTP/1.1", "X: 1", "Host: up:81")},
		{"upgrade that ends here", direct(), lines("GET / HTTP/1.1", "Host: a", "Connection: upgrade", "Upgrade: websocket"), lines("GET / HTTP/1.1", "Host: a")},
		{"upgrade that goes through", passing, lines("GET / HTTP/1.1", "Host: a", "Connection: upgrade", "Upgrade: websocket"),
			lines("GET / HTTP/1.1", "Host: a", "Upgrade: websocket", "Connection: Upgrade")},
		{"upgrade to HTTP/2", passing, lines("GET / HTTP/1.1", "Host: a", "Connection: upgrade, http2-settings", "Upgrade: h2c", "HTTP2-Settings: x"), lines("GET / HTTP/1.1", "Host: a")},
		{"extra", extra, lines("GET / HTTP/1.1", "Host: a"), lines("GET / HTTP/1.1", "Host: a", "X-Deadline: 5")},

		{"replaced", replaced, lines("GET / HTTP/1.1", "X-DEADLINE: 9", "Host: a", "X-Deadline-2: 1", "X-Deadline:", "X-Dead: 1", "x-deadline:  7 "),
			lines("GET / HTTP/1.1", "Host: a", "X-Deadline-2: 1", "X-Dead: 1", "X-Deadline: 5")},
		{"replaced, of HTTP/1.0", replaced, lines("GET http://a/b HTTP/1.0", "X-Deadline: 9", "Host: a", "X: 1"), lines("GET /b HTTP/1.1", "Host: a", "X: 1", "X-Deadline: 5")},
		{"replaced, and not there", replaced, lines("GET / HTTP/1.1", "Host: a"), lines("GET / HTTP/1.1", "Host: a", "X-Deadline: 5")},
		{"replaced, and listed", replaced, lines("GET / HTTP/1.1", "Connection: x-deadline", "X-Deadline: 9", "Host: a"), lines("GET / HTTP/1.1", "Host: a", "X-Deadline: 5")},
		{"what frames is not replaced", framed, lines("POST / HTTP/1.1", "Host: a", "Content-Length: 3"),
			lines("POST / HTTP/1.1", "Host: a", "Content-Length: 3", "X-Deadline: 5")},

		{"forwarding", all, lines("GET / HTTP/1.1", "Host: a:80"),
			lines("GET / HTTP/1.1", "Host: a:80", "X-Forwarded-For: 192.0.2.7", "X-Forwarded-Proto: http", "X-Forwarded-Host: a:80", "X-Real-IP: 192.0.2.7", `Forwarded: for=192.0.2.7;host="a:80";proto=http`)},
		{"forwarding of IPv6", six, lines("GET / HTTP/1.1", "Host: a"),
			lines("GET / HTTP/1.1", "Host: a", "X-Forwarded-For: 2001:db8::7", "X-Forwarded-Proto: https", "X-Forwarded-Host: a", "X-Real-IP: 2001:db8::7", `Forwarded: for="[2001:db8::7]";host="a";proto=https`)},
		{"forged", all, lines("GET / HTTP/1.1", "X-Forwarded-For: 10.0.0.1", "x-forwarded-proto: https", "X-Forwarded-Host: b", "X-Real-IP: 10.0.0.1", "Forwarded: for=10.0.0.1", "Host: a", "X-Forwarded-Port: 1", "X_Forwarded_For: 2", "X_Real_IP: 3", "X-Forwarded-Prefix: /4"),
			lines("GET / HTTP/1.1", "Host: a", "X-Forwarded-For: 192.0.2.7", "X-Forwarded-Proto: http", "X-Forwarded-Host: a", "X-Real-IP: 192.0.2.7", `Forwarded: for=192.0.2.7;host="a";proto=http`)},
		{"forged, and nothing to tell", direct(), lines("GET / HTTP/1.1", "X-Forwarded-For: 10.0.0.1", "Host: a", "Forwarded: for=10.0.0.1", "X-Real-IP: 1"), lines("GET / HTTP/1.1", "Host: a")},
		{"from a proxy of ours", trusted, lines("GET / HTTP/1.1", "X-Forwarded-For: 10.0.0.1, 198.51.100.1", "X-Forwarded-Proto: https", "X-Forwarded-Host: b", "X-Real-IP: 10.0.0.1", "Forwarded: for=10.0.0.1", "X-Forwarded-For: 203.0.113.1", "Host: a", "X-Forwarded-Port: 1"),
			lines("GET / HTTP/1.1", "X-Forwarded-Proto: https", "X-Forwarded-Host: b", "X-Real-IP: 10.0.0.1", "Host: a", "X-Forwarded-Port: 1", "X-Forwarded-For: 10.0.0.1, 198.51.100.1, 203.0.113.1, 192.0.2.7", `Forwarded: for=10.0.0.1, for=192.0.2.7;host="a";proto=http`)},
		{"from a proxy of ours that says nothing", trusted, lines("GET / HTTP/1.1", "Host: a"),
			lines("GET / HTTP/1.1", "Host: a", "X-Forwarded-For: 192.0.2.7", "X-Forwarded-Proto: http", "X-Forwarded-Host: a", "X-Real-IP: 198.51.100.1", `Forwarded: for=192.0.2.7;host="a";proto=http`)},
		{"from a proxy of ours, and nothing to tell", silent, lines("GET / HTTP/1.1", "X-Forwarded-For: 10.0.0.1", "Host: a", "Forwarded: for=10.0.0.1"), lines("GET / HTTP/1.1", "X-Forwarded-For: 10.0.0.1", "Host: a", "Forwarded: for=10.0.0.1")},
	} {
		t.Run(c.name, func(t *testing.T) {
			var r Request
			b := []byte(c.in)
			if v := r.Parse(b, 0); v != OK {
				t.Fatalf("verdict %d: %s", v, r.Why)
			}
			if got := string(r.Append([]byte("before"), b, &c.out)); got != "before"+c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}

// TestReplaceable: nothing that says where a message ends, whom it is for, or
// where it came from can be replaced.
func TestReplaceable(t *testing.T) {
	for name, want := range map[string]bool{
		"X-Request-Timeout": true, "grpc-timeout": true, "Timeout": true,
		"": false, "a b": false, "a:": false, "\r\n": false, "Host": false, "content-length": false, "Transfer-Encoding": false,
		"Connection": false, "TE": false, "Upgrade": false, "Expect": false, "Trailer": false, "Proxy": false,
		"X-Forwarded-For": false, "X_Real_IP": false, "Forwarded": false, "Idempotency-Key": false,
	} {
		if got := Replaceable(name); got != want {
			t.Errorf("%q may be replaced: %v, want %v", name, got, want)
		}
	}
}

// TestAnswersGoOn: what of an answer reaches the client.
func TestAnswersGoOn(t *testing.T) {
	for _, c := range []struct {
		name     string
		out      Answer
		in, want string
	}{
		{"as it is", Answer{}, lines("HTTP/1.1 200 OK", "Server: s", "Content-Length: 1"), lines("HTTP/1.1 200 OK", "Server: s", "Content-Length: 1")},
		{"HTTP/1.0", Answer{Close: true}, lines("HTTP/1.0 404 Gone", "X: y"), lines("HTTP/1.1 404 Gone", "X: y", "Connection: close")},
		{"hop-by-hop", Answer{}, lines("HTTP/1.1 200 OK", "Keep-Alive: 5", "Connection: close, x", "Proxy-Connection: a", "Proxy-Authenticate: b", "X: y", "Upgrade: h2", "Content-Length: 1"),
			lines("HTTP/1.1 200 OK", "Content-Length: 1")},
		{"to HTTP/1.0", Answer{Keep: true}, lines("HTTP/1.1 200 OK", "Content-Length: 1"), lines("HTTP/1.1 200 OK", "Content-Length: 1", "Connection: keep-alive")},
		{"without chunks", Answer{Plain: true, Close: true}, lines("HTTP/1.1 200 OK", "Transfer-Encoding: chunked"), lines("HTTP/1.1 200 OK", "Connection: close")},
		{"with chunks", Answer{}, lines("HTTP/1.1 200 OK", "Transfer-Encoding: chunked", "Trailer: X"), lines("HTTP/1.1 200 OK", "Transfer-Encoding: chunked", "Trailer: X")},
		{"upgraded", Answer{Upgrade: true}, lines("HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: upgrade"), lines("HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade")},
		{"204 with a length", Answer{}, lines("HTTP/1.1 204 No Content", "Content-Length: 5", "Transfer-Encoding: x"), ""},
		{"204 that speaks of a body", Answer{}, lines("HTTP/1.1 204 No Content", "Content-Length: 5"), lines("HTTP/1.1 204 No Content")},
		{"304 with a length", Answer{}, lines("HTTP/1.1 304 Not Modified", "Content-Length: 5"), lines("HTTP/1.1 304 Not Modified", "Content-Length: 5")},
		{"extra", Answer{Extra: []byte("Set-Cookie: a\r\n")}, lines("HTTP/1.1 200 OK", "Content-Length: 1"), lines("HTTP/1.1 200 OK", "Content-Length: 1", "Set-Cookie: a")},
	} {
		t.Run(c.name, func(t *testing.T) {
			var r Response
			b := []byte(c.in)
			v := r.Parse(b, 0, GET)
			if c.want == "" {
				if v != Bad {
					t.Errorf("verdict %d, want Bad", v)
				}
				return
			}
			if v != OK {
				t.Fatalf("verdict %d: %s", v, r.Why)
			}
			if got := string(r.Append([]byte("before"), b, &c.out)); got != "before"+c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}

// TestClient: whom a request is from, as far as it is trusted.
func TestClient(t *testing.T) {
	ours := netip.MustParsePrefix("10.0.0.0/8")
	for _, c := range []struct{ name, peer, fields, want string }{
		{"no proxy", "192.0.2.1", "", "192.0.2.1"},
		{"forged", "192.0.2.1", "X-Forwarded-For: 1.2.3.4", "192.0.2.1"},
		{"one proxy", "10.0.0.1", "X-Forwarded-For: 192.0.2.1", "192.0.2.1"},
		{"proxy that says nothing", "10.0.0.1", "", "10.0.0.1"},
		{"forged before a proxy", "10.0.0.1", "X-Forwarded-For: 1.2.3.4, 192.0.2.1", "192.0.2.1"},
		{"two proxies", "10.0.0.1", "X-Forwarded-For: 1.2.3.4, 192.0.2.1 , 10.0.0.2", "192.0.2.1"},
		{"two fields", "10.0.0.1", "X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-For: 10.0.0.2", "192.0.2.1"},
		{"proxies only", "10.0.0.1", "X-Forwarded-For: 10.0.0.3, 10.0.0.2", "10.0.0.3"},
		{"port", "10.0.0.1", "X-Forwarded-For: 192.0.2.1:4711", "192.0.2.1"},
		{"IPv6", "10.0.0.1", "X-Forwarded-For: 2001:db8::1", "2001:db8::1"},
		{"IPv6 in brackets", "10.0.0.1", "X-Forwarded-For: [2001:db8::1]", "2001:db8::1"},
		{"IPv6 with a port", "10.0.0.1", "X-Forwarded-For: [2001:db8::1]:80", "2001:db8::1"},
		{"IPv4 in IPv6", "10.0.0.1", "X-Forwarded-For: ::ffff:192.0.2.1", "192.0.2.1"},
		{"no address", "10.0.0.1", "X-Forwarded-For: 192.0.2.1, unknown", "10.0.0.1"},
		{"no address, further away", "10.0.0.1", "X-Forwarded-For: unknown, 10.0.0.2", "10.0.0.2"},
		{"octal", "10.0.0.1", "X-Forwarded-For: 192.0.02.1", "10.0.0.1"},
		{"beyond a byte", "10.0.0.1", "X-Forwarded-For: 192.0.2.256", "10.0.0.1"},
		{"three parts", "10.0.0.1", "X-Forwarded-For: 192.0.2", "10.0.0.1"},
		{"five parts", "10.0.0.1", "X-Forwarded-For: 192.0.2.1.1", "10.0.0.1"},
		{"empty element", "10.0.0.1", "X-Forwarded-For: 192.0.2.1,", "10.0.0.1"},
		{"very long", "10.0.0.1", "X-Forwarded-For: " + strings.Repeat("1", 1000), "10.0.0.1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			head := []string{"GET / HTTP/1.1", "Host: a"}
			if c.fields != "" {
				head = append(head, c.fields)
			}
			var r Request
			b := []byte(lines(head...))
			if v := r.Parse(b, 0); v != OK {
				t.Fatal(r.Why)
			}
			if got := r.Client(b, netip.MustParseAddr(c.peer), ours.Contains); got.String() != c.want {
				t.Errorf("the client is %s, want %s", got, c.want)
			}
		})
	}
}

// TestNoAllocation: parsing, looking up and writing use what they have.
func TestNoAllocation(t *testing.T) {
	request := []byte(lines("POST /a?b HTTP/1.1", "Host: a", "Connection: x-y, keep-alive", "X-Y: z", "X-Forwarded-For: 1.2.3.4", "Cookie: a", "Cookie: b", "Transfer-Encoding: chunked"))
	answer := []byte(lines("HTTP/1.1 200 OK", "Connection: keep-alive", "Transfer-Encoding: chunked"))
	body := []byte("5\r\nhello\r\n0\r\nX: y\r\n\r\n")
	out := direct()
	out.Fields, out.Trusted = AllForwarding, true
	ours := func(netip.Addr) bool { return true }
	var r Request
	var a Response
	var c Chunks
	buffer, scratch := make([]byte, 0, 4096), make([]byte, 0, 256)
	if n := testing.AllocsPerRun(1000, func() {
		if r.Parse(request, 0) != OK || a.Parse(answer, 0, r.Verb) != OK {
			t.Fatal("bad")
		}
		r.Field(request, "cookie", scratch[:0])
		r.Client(request, out.Peer, ours)
		buffer = r.Append(buffer[:0], request, &out)
		buffer = a.Append(buffer, answer, &Answer{Close: true})
		c.Reset()
		if _, v := c.Scan(body); v != OK {
			t.Fatal("bad")
		}
	}); n != 0 {
		t.Errorf("%v allocations a message", n)
	}
}

func BenchmarkRequest(b *testing.B) {
	text := []byte(lines("GET /some/path/index.html?q=1 HTTP/1.1", "Host: 127.0.0.1:8080", "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:120.0) Gecko/20100101 Firefox/120.0",
		"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "Accept-Encoding: gzip, deflate, br", "Cookie: session=0123456789abcdef", "Connection: keep-alive"))
	out := direct()
	out.Fields = AllForwarding
	var r Request
	var buffer []byte
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		r.Parse(text, 0)
		buffer = r.Append(buffer[:0], text, &out)
	}
}
