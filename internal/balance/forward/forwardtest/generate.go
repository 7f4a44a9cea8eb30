package forwardtest

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
)

// Generate makes the exchanges of a seed, always the same.
func Generate(seed uint64, n int) []*Exchange {
	out := make([]*Exchange, n)
	for i := range out {
		r := rand.New(rand.NewPCG(seed, uint64(i)))
		out[i] = generated(r, fmt.Sprintf("seed %d exchange %d", seed, i))
	}
	return out
}

// one picks an element.
func one[T any](r *rand.Rand, of ...T) T { return of[r.IntN(len(of))] }

func generated(r *rand.Rand, name string) *Exchange {
	e := &Exchange{
		Name: name, Version: 11, Host: one(r, "example.test", "example.test:8080", "127.0.0.1", "[::1]:80"),
		Method: one(r, "GET", "GET", "GET", "HEAD", "POST", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND", "X-M0VE"),
		Target: target(r),
		Fields: fields(r, "X-Q-"),
	}
	switch e.Method {
	case http.MethodPost, http.MethodPut, http.MethodPatch, "PROPFIND":
		e.Framing = one(r, ByLength, ByLength, ByChunks)
		e.Body = body(r)
	case http.MethodGet, http.MethodDelete:
		if r.IntN(10) == 0 {
			e.Framing, e.Body = one(r, ByLength, ByChunks), body(r)
		}
	}
	if e.Framing == ByChunks && r.IntN(2) == 0 {
		e.Trailer = trailers(r)
	}
	if r.IntN(4) == 0 {
		e.Fields = append(e.Fields, hops(r)...)
	}
	if r.IntN(16) == 0 && e.Framing != ByChunks {
		e.Version = 10
		if r.IntN(2) == 0 {
			e.Host = ""
		}
	} else if r.IntN(20) == 0 {
		e.Fields = append(e.Fields, Field{"Connection", "close"})
	}
	if r.IntN(5) == 0 {
		e.Pieces = sizes(r, len(e.Body))
	}
	e.Answer = answer(r, len(e.Body))
	return e
}

// answer makes what the upstream says; sent is the size of the request's body.
func answer(r *rand.Rand, sent int) Answer {
	a := Answer{
		Status:  one(r, 200, 200, 200, 200, 201, 202, 204, 206, 301, 302, 304, 400, 401, 404, 409, 418, 422, 429, 500, 503),
		Fields:  fields(r, "X-A-"),
		Framing: one(r, ByLength, ByLength, ByLength, ByChunks, ByChunks, UntilClose),
		Body:    body(r),
	}
	if r.IntN(3) == 0 {
		a.Fields = append(a.Fields, Field{"Date", "Sat, 21 Nov 2026 12:00:00 GMT"}, Field{"Content-Type", "text/x-test"})
	}
	if r.IntN(8) == 0 {
		a.Fields = append(a.Fields, hops(r)...)
	}
	for range r.IntN(3) * r.IntN(2) {
		a.Interim = append(a.Interim, Interim{one(r, 102, 103), []Field{{"Link", "</a.css>; rel=preload"}}})
	}
	switch {
	case a.Status == 204, a.Status == 304:
		a.Framing, a.Body = Bare, nil
	case a.Framing == ByChunks && r.IntN(2) == 0:
		a.Trailer = trailers(r)
	}
	a.Leave = a.Framing == UntilClose || r.IntN(12) == 0
	a.Early = sent > 0 && r.IntN(12) == 0
	if r.IntN(6) == 0 {
		a.Pieces = sizes(r, len(a.Body))
	}
	return a
}

// body makes a body: mostly small, seldom a MiB.
func body(r *rand.Rand) []byte {
	n := 0
	switch k := r.IntN(200); {
	case k < 20:
	case k < 120:
		n = 1 + r.IntN(300)
	case k < 180:
		n = 1 + r.IntN(8_000)
	case k < 198:
		n = 1 + r.IntN(80_000)
	default:
		n = 1<<20 - 10 + r.IntN(20)
	}
	b := make([]byte, n)
	for i := 0; i < n; i += 8 {
		v := r.Uint64()
		for j := range min(8, n-i) {
			b[i+j] = byte(v >> (8 * j))
		}
	}
	return b
}

// sizes makes the sizes of pieces: small ones of a small message.
func sizes(r *rand.Rand, n int) []int {
	least := 1 + n/40
	out := make([]int, 1+r.IntN(5))
	for i := range out {
		out[i] = least + r.IntN(1+least*20)
	}
	return out
}

// target makes a path and a query, with what gateways like to rewrite.
func target(r *rand.Rand) string {
	var b strings.Builder
	for range 1 + r.IntN(4) {
		b.WriteString(one(r, "/", "/a", "/b%2Fc", "/..", "/.", "/%2e%2e", "/x;y=1", "/~u", "/%C3%A9", "/a+b", "/a%20b", "/:@!$&'()*,=", "/%7Bx%7D"))
	}
	if r.IntN(2) == 0 {
		b.WriteString("?")
		for range r.IntN(4) {
			b.WriteString(one(r, "a=1", "&b=%26", "&&", "x;y", "q=a+b", "%00", "?", "/"))
		}
	}
	return b.String()
}

// fields makes end-to-end fields.
func fields(r *rand.Rand, prefix string) []Field {
	n := r.IntN(8)
	if r.IntN(40) == 0 {
		n = 60
	}
	var out []Field
	for range n {
		out = append(out, Field{prefix + one(r, "One", "two", "THREE", "Four-4", "f!v#", "s_x"), value(r)})
	}
	if r.IntN(10) == 0 {
		out = append(out, Field{one(r, "Accept", "User-Agent", "Content-Type", "Cache-Control", "Via", "Origin"), one(r, "x/y", "a, b", "no-store")})
	}
	if prefix == "X-Q-" && r.IntN(6) == 0 {
		out = append(out, Field{"Cookie", one(r, "a=1", "a=1; b=2", "s=\"x y\"")})
	}
	if prefix == "X-A-" && r.IntN(6) == 0 {
		out = append(out, Field{"Set-Cookie", "a=1; Path=/"}, Field{"Set-Cookie", "b=2; HttpOnly"})
	}
	return out
}

func value(r *rand.Rand) string {
	if r.IntN(50) == 0 {
		return strings.Repeat("v", r.IntN(3_000))
	}
	return one(r, "", "1", "a, b", "x\ty", "quoted \"text\"", "caf\u00e9", "k=v; w", "  ", ":", "0x1F", "(comment)")
}

// hops makes fields that end at this hop.
func hops(r *rand.Rand) []Field {
	return one(r,
		[]Field{{"Connection", "keep-alive"}, {"Keep-Alive", "timeout=5"}},
		[]Field{{"Connection", "X-Hop"}, {"X-Hop", "1"}},
		[]Field{{"Connection", "x-hop , keep-alive"}, {"X-Hop", "1"}, {"X-Hop", "2"}},
		[]Field{{"Proxy-Connection", "keep-alive"}},
		[]Field{{"Keep-Alive", "max=3"}},
	)
}

func trailers(r *rand.Rand) []Field {
	out := []Field{{"X-Sum", value(r)}}
	if r.IntN(2) == 0 {
		out = append(out, Field{"X-More", "m"})
	}
	return out
}
