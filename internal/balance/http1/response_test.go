package http1

import (
	"strings"
	"testing"
)

// TestBadResponses: what no client should have to make sense of.
func TestBadResponses(t *testing.T) {
	for _, c := range []struct {
		name, text string
		why        Reason
	}{
		{"length and coding", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", LengthAndCoding},
		{"two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n", ManyLengths},
		{"list of lengths", "HTTP/1.1 200 OK\r\nContent-Length: 1, 1\r\n\r\n", BadLength},
		{"unknown coding", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", BadCoding},
		{"chunked twice", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", ManyCodings},
		{"coding of HTTP/1.0", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", OldCoding},
		{"folded", "HTTP/1.1 200 OK\r\nX: 1\r\n 2\r\n\r\n", Folded},
		{"bare LF", "HTTP/1.1 200 OK\nX: 1\n\n", BareLF},
		{"bare CR", "HTTP/1.1 200 OK\r\nX: 1\r2\r\n\r\n", BareCR},
		{"NUL", "HTTP/1.1 200 OK\r\nX: \x00\r\n\r\n", Control},
		{"control in the words", "HTTP/1.1 200 O\x01K\r\nX: 1\r\n\r\n", Control},
		{"space before the colon", "HTTP/1.1 200 OK\r\nX : 1\r\n\r\n", SpacedName},
		{"no name", "HTTP/1.1 200 OK\r\n: 1\r\n\r\n", BadName},
		{"HTTP/2", "HTTP/2.0 200 OK\r\n\r\n", BadVersion},
		{"HTTP/1.2", "HTTP/1.2 200 OK\r\n\r\n", BadVersion},
		{"no version", "200 OK\r\n\r\n", BadLine},
		{"status of two digits", "HTTP/1.1 20 OK\r\n\r\n", BadStatus},
		{"status of four digits", "HTTP/1.1 2000 OK\r\n\r\n", BadStatus},
		{"status below 100", "HTTP/1.1 099 OK\r\n\r\n", BadStatus},
		{"status in letters", "HTTP/1.1 2OO OK\r\n\r\n", BadStatus},
		{"SSH", "SSH-2.0-OpenSSH_9.2\r\n", BadLine},
		{"large head", "HTTP/1.1 200 OK\r\n" + strings.Repeat("X: y\r\n", MaxHead/6) + "\r\n", LargeHead},
		{"long first line", "HTTP/1.1 200 " + strings.Repeat("y", MaxHead) + "\r\n\r\n", LongLine},
	} {
		t.Run(c.name, func(t *testing.T) {
			var r Response
			if v := r.Parse([]byte(c.text), 0, GET); v != Bad || r.Why != c.why {
				t.Errorf("verdict %d, %q; want Bad, %q", v, r.Why, c.why)
			}
		})
	}
}

// TestResponses: what a head says of its message (RFC 9112, 6.3).
func TestResponses(t *testing.T) {
	for _, c := range []struct {
		name, text string
		verb       Verb
		status     int
		want       Head
	}{
		{"length", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", GET, 200, Head{Body: Length, Length: 5}},
		{"length 0", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", GET, 200, Head{}},
		{"chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", POST, 200, Head{Body: Chunked}},
		{"until close", "HTTP/1.1 200 OK\r\n\r\n", GET, 200, Head{Body: UntilClose, Close: true}},
		{"HTTP/1.0", "HTTP/1.0 200 OK\r\n\r\n", GET, 200, Head{Body: UntilClose, Close: true}},
		{"HTTP/1.0 with a length", "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n", GET, 200, Head{Body: Length, Length: 5, Close: true}},
		{"HTTP/1.0 that stays", "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\n", GET, 200, Head{Body: Length, Length: 5}},
		{"close", "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\n", GET, 200, Head{Body: Length, Length: 5, Close: true}},
		{"to HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", HEAD, 200, Head{}},
		{"chunked to HEAD", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", HEAD, 200, Head{}},
		{"neither, to HEAD", "HTTP/1.1 200 OK\r\n\r\n", HEAD, 200, Head{}},
		{"204", "HTTP/1.1 204 No Content\r\n\r\n", GET, 204, Head{}},
		{"304 with a length", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", GET, 304, Head{}},
		{"100", "HTTP/1.1 100 Continue\r\n\r\n", POST, 100, Head{}},
		{"103", "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", GET, 103, Head{}},
		{"101", "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", GET, 101, Head{Upgrade: true}},
		{"without words", "HTTP/1.1 404\r\nContent-Length: 1\r\n\r\n", GET, 404, Head{Body: Length, Length: 1}},
		{"with a space for words", "HTTP/1.1 404 \r\nContent-Length: 1\r\n\r\n", GET, 404, Head{Body: Length, Length: 1}},
		{"unheard of", "HTTP/1.1 799 \xff\tx\r\nContent-Length: 1\r\n\r\n", GET, 799, Head{Body: Length, Length: 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var r Response
			b := []byte(c.text + "next")
			if v := r.Parse(b, 0, c.verb); v != OK {
				t.Fatalf("verdict %d: %s", v, r.Why)
			}
			if r.Status != c.status || r.Size != len(c.text) || r.Body != c.want.Body || r.Length != c.want.Length || r.Close != c.want.Close || r.Upgrade != c.want.Upgrade {
				t.Errorf("status %d, head %+v; want %d, %+v", r.Status, r.Head, c.status, c.want)
			}
			for n := range len(c.text) {
				if v := r.Parse(b[:n], 0, c.verb); v != More {
					t.Fatalf("of its first %d bytes: verdict %d, %q", n, v, r.Why)
				}
			}
		})
	}
}
