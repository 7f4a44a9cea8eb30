package forwardtest

import (
	"bytes"
	"fmt"
	"strings"
)

// get is a plain exchange to make others of.
func get(name string, change func(e *Exchange)) *Exchange {
	e := &Exchange{
		Name: name, Method: "GET", Target: "/", Version: 11, Host: "example.test",
		Answer: Answer{Status: 200, Framing: ByLength, Body: []byte("answer")},
	}
	change(e)
	return e
}

// post is get with a body.
func post(name string, body []byte, framing Framing, change func(e *Exchange)) *Exchange {
	return get(name, func(e *Exchange) {
		e.Method, e.Body, e.Framing = "POST", body, framing
		change(e)
	})
}

func asIs(*Exchange) {}

// Written are the exchanges that somebody thought of.
func Written() []*Exchange {
	out := append(writtenHeads(), writtenBodies()...)
	for _, status := range []int{200, 201, 204, 205, 206, 299, 300, 301, 303, 304, 307, 400, 404, 405, 410, 416, 426, 451, 499, 500, 501, 502, 503, 504, 511, 599} {
		for _, method := range []string{"GET", "HEAD", "POST", "DELETE", "OPTIONS", "TRACE", "get", "PURGE"} {
			out = append(out, get(fmt.Sprintf("%s answered %d", method, status), func(e *Exchange) {
				e.Method = method
				if method == "POST" {
					e.Framing, e.Body = ByLength, []byte("asked")
				}
				e.Answer = Answer{Status: status, Framing: ByLength, Body: []byte("body of it"), Fields: []Field{{"X-A", "1"}}}
				switch status {
				case 204, 304:
					e.Answer.Framing, e.Answer.Body = Bare, nil
				case 205:
					e.Answer.Body = nil
				}
			}))
		}
	}
	return out
}

// writtenHeads are about first lines and fields.
func writtenHeads() []*Exchange {
	var out []*Exchange
	for _, target := range []string{
		"/", "/?", "/??", "//", "//a/b", "/a//b/", "/%2F", "/%2f%2E%2e", "/..", "/../..", "/a;b=c", "/%00", "/é", "/a?b=http://c/d?e", "/a:80", "/*",
		"/" + strings.Repeat("long/", 1_500), "/?" + strings.Repeat("q=1&", 1_500), "/a|b", "/\"<>^`{}", "/a\\b", "/[::1]",
	} {
		out = append(out, get("target "+target[:min(20, len(target))], func(e *Exchange) { e.Target = target }))
	}
	for _, host := range []string{"EXAMPLE.test", "example.test.", "a:1", "[::1]", "[::1]:65535", "1.2.3.4", "a_b", "xn--bcher-kva.example", "a~b"} {
		out = append(out, get("host "+host, func(e *Exchange) { e.Host = host }))
	}
	for _, f := range [][]Field{
		{{"Connection", "Host"}}, {{"Connection", "X-Case-2"}}, {{"Connection", "X-Hop, close"}, {"X-Hop", "1"}}, {{"Connection", ""}},
		{{"Connection", "keep-alive"}, {"Connection", "X-Hop"}, {"X-Hop", "2"}}, {{"Connection", ", ,X-Hop,,"}, {"X-Hop", "3"}},
		{{"TE", "trailers"}}, {{"TE", "gzip"}}, {{"Upgrade", "h2c"}}, {{"Upgrade", "websocket"}},
		{{"Connection", "Upgrade, HTTP2-Settings"}, {"Upgrade", "h2c"}, {"HTTP2-Settings", "AAMAAABkAARAAAAAAAIAAAAA"}},
		{{"Proxy-Authorization", "Basic eA=="}}, {{"Proxy-Connection", "close"}}, {{"Keep-Alive", "300"}},
		{{"X-Forwarded-For", "6.6.6.6"}, {"X-Forwarded-Proto", "gopher"}, {"X-Forwarded-Host", "evil.test"}, {"X-Real-IP", "6.6.6.6"}, {"Forwarded", "for=6.6.6.6"}},
		{{"X-Forwarded-For", "6.6.6.6"}, {"x-forwarded-for", "7.7.7.7"}, {"X-FORWARDED-FOR", "garbage"}},
		{{"Expect", "100-continue"}}, {{"Accept-Encoding", "gzip"}}, {{"Accept-Encoding", "identity"}}, {{"User-Agent", "suite/1"}},
		{{"Cookie", "a=1"}, {"Cookie", "b=2"}}, {{"Range", "bytes=0-3"}}, {{"If-None-Match", `"a"`}}, {{"Date", "Sat, 21 Nov 2026 12:00:00 GMT"}},
		{{"X-Empty", ""}}, {{"x-lower", "1"}, {"X-LOWER", "2"}}, {{"X-Long", strings.Repeat("l", 20_000)}}, {{"A", "1"}}, {{"Trailer", "X-None"}},
		{{"Idempotency-Key", "k1"}}, {{"Via", "1.1 other"}}, {{"Origin", "null"}}, {{"Content-Type", "text/plain"}}, {{"Content-Encoding", "br"}},
	} {
		out = append(out, get(fmt.Sprintf("field %s: %.20s", f[0].Name, f[0].Value), func(e *Exchange) { e.Fields = f }))
	}
	out = append(out,
		get("many fields", func(e *Exchange) {
			for i := range 500 {
				e.Fields = append(e.Fields, Field{fmt.Sprintf("X-Many-%d", i), "value"})
			}
		}),
		get("many fields in the answer", func(e *Exchange) {
			for i := range 500 {
				e.Answer.Fields = append(e.Answer.Fields, Field{fmt.Sprintf("X-Many-%d", i), "value"})
			}
		}),
		get("a large head in the answer", func(e *Exchange) {
			e.Answer.Fields = []Field{{"X-Large", strings.Repeat("a", 30_000)}}
		}),
		get("hop fields in the answer", func(e *Exchange) {
			e.Answer.Fields = []Field{{"Connection", "X-Hop"}, {"X-Hop", "1"}, {"Keep-Alive", "timeout=3"}, {"X-Stays", "1"}}
		}),
		get("dribbled", func(e *Exchange) { e.Pieces = []int{1} }),
		get("answer dribbled", func(e *Exchange) { e.Answer.Pieces = []int{1} }),
		get("options of the server", func(e *Exchange) { e.Method, e.Target = "OPTIONS", "*" }),
		get("absolute form", func(e *Exchange) { e.Target = "http://example.test/a?b" }),
		get("absolute form, host in capitals", func(e *Exchange) { e.Target = "HTTP://EXAMPLE.test/a" }),
		get("HTTP/1.0", func(e *Exchange) { e.Version = 10 }),
		get("HTTP/1.0 without a host", func(e *Exchange) { e.Version, e.Host = 10, "" }),
		get("HTTP/1.0, chunked answer", func(e *Exchange) {
			e.Version = 10
			e.Answer.Framing, e.Answer.Body = ByChunks, bytes.Repeat([]byte("chunk "), 20_000)
		}),
		get("HTTP/1.0, interim answers", func(e *Exchange) {
			e.Version = 10
			e.Answer.Interim = []Interim{{Status: 103}}
		}),
	)
	for _, n := range []int{1, 2, 10} {
		out = append(out, get(fmt.Sprintf("%d early hints", n), func(e *Exchange) {
			for i := range n {
				e.Answer.Interim = append(e.Answer.Interim, Interim{103, []Field{{"Link", fmt.Sprintf("</%d.css>; rel=preload", i)}}})
			}
		}))
	}
	return out
}

// writtenBodies are about bodies.
func writtenBodies() []*Exchange {
	big := bytes.Repeat([]byte("0123456789abcdef"), 1<<19) // 8 MiB
	var out []*Exchange
	for _, n := range []int{0, 1, 2, 15, 16, 17, 255, 256, 1023, 1024, 4095, 4096, 4097, 16383, 16384, 16385, 32767, 32768, 65535, 65536, 65537, 1 << 20} {
		for _, framing := range []Framing{ByLength, ByChunks} {
			body := big[:n]
			out = append(out,
				post(fmt.Sprintf("%d bytes out, framing %d", n, framing), body, framing, asIs),
				get(fmt.Sprintf("%d bytes back, framing %d", n, framing), func(e *Exchange) { e.Answer.Body, e.Answer.Framing = body, framing }),
				post(fmt.Sprintf("%d bytes both ways, framing %d", n, framing), body, framing, func(e *Exchange) {
					e.Answer.Body, e.Answer.Framing = body, framing
				}))
		}
		out = append(out, get(fmt.Sprintf("%d bytes until the end", n), func(e *Exchange) {
			e.Answer.Body, e.Answer.Framing, e.Answer.Leave = big[:n], UntilClose, true
		}))
	}
	trailer := []Field{{"X-Sum", "1"}, {"X-Sum-2", "a, b"}}
	out = append(out,
		post("8 MiB both ways", big, ByLength, func(e *Exchange) { e.Answer.Body = big }),
		post("8 MiB in chunks both ways", big, ByChunks, func(e *Exchange) { e.Answer.Body, e.Answer.Framing = big, ByChunks }),
		post("trailer", []byte("abc"), ByChunks, func(e *Exchange) { e.Trailer = trailer }),
		post("trailer of an empty body", nil, ByChunks, func(e *Exchange) { e.Trailer = trailer }),
		get("trailer back", func(e *Exchange) { e.Answer.Framing, e.Answer.Trailer = ByChunks, trailer }),
		post("chunks dribbled", big[:300], ByChunks, func(e *Exchange) { e.Pieces, e.Trailer = []int{1, 2, 3}, trailer }),
		get("chunks back dribbled", func(e *Exchange) {
			e.Answer.Framing, e.Answer.Body, e.Answer.Pieces, e.Answer.Trailer = ByChunks, big[:300], []int{1, 2}, trailer
		}),
		post("head and body apart", big[:5_000], ByLength, func(e *Exchange) { e.Pieces = []int{97, 1_000} }),
		post("answered before the body, 8 MiB, connection ends", big, ByLength, func(e *Exchange) { e.Answer.Early, e.Answer.Leave = true, true }),
		post("answered before the body, 8 MiB in chunks, connection ends", big, ByChunks, func(e *Exchange) { e.Answer.Early, e.Answer.Leave = true, true }),
		post("answered before the body, 8 MiB", big, ByLength, func(e *Exchange) { e.Answer.Early = true }),
		post("answered 413 before the body", big, ByLength, func(e *Exchange) {
			e.Answer.Early, e.Answer.Leave, e.Answer.Status = true, true, 413
		}),
		post("answered at length before the body", big[:1<<20], ByChunks, func(e *Exchange) { e.Answer.Early, e.Answer.Body = true, big }),
		get("body of a GET", func(e *Exchange) { e.Framing, e.Body = ByLength, []byte("hello") }),
		get("body of a DELETE in chunks", func(e *Exchange) { e.Method, e.Framing, e.Body = "DELETE", ByChunks, []byte("hello") }),
		get("HEAD of a large answer", func(e *Exchange) { e.Method, e.Answer.Body = "HEAD", big }),
		get("HEAD of chunks", func(e *Exchange) { e.Method, e.Answer.Framing = "HEAD", ByChunks }),
		get("HEAD, connection ends", func(e *Exchange) { e.Method, e.Answer.Leave = "HEAD", true }),
		get("last exchange", func(e *Exchange) { e.Answer.Leave = true }),
	)
	return out
}
