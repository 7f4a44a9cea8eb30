package http1

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// FuzzRequest: what is accepted, net/http reads the same way, body and next
// message included; a verdict does not depend on cuts; and what is written on
// says the same again.
func FuzzRequest(f *testing.F) {
	for _, s := range smuggled {
		if len(s.text) < 1000 {
			f.Add([]byte(s.text))
		}
	}
	for _, s := range []string{
		"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "POST /a?b HTTP/1.1\r\nHost: a:80\r\nContent-Length: 5\r\n\r\nhelloGET",
		"POST / HTTP/1.1\r\nHost: [::1]:80\r\nTransfer-Encoding: chunked\r\nTrailer: X\r\n\r\n5;a=b\r\nhello\r\n0\r\nX: y\r\n\r\nGET",
		"GET http://a/b HTTP/1.1\r\nHost: a\r\nConnection: x-y, close\r\nX-Y: z\r\nTE: trailers\r\n\r\n",
		"GET / HTTP/1.0\r\nConnection: keep-alive\r\nX-Forwarded-For: 1\r\n\r\n", "OPTIONS * HTTP/1.1\r\nHost: a\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var r Request
		switch r.Parse(b, 0) {
		case More:
			return
		case Bad:
			why := r.Why
			if v := r.Parse(append(bytes.Clone(b), "\r\n\r\n"...), 0); v != Bad || r.Why != why {
				t.Fatalf("Bad (%s), and with more bytes %d (%s)", why, v, r.Why)
			}
			return
		case OK:
		}
		for _, n := range []int{r.Size - 1, r.Size / 2} {
			var part Request
			if v := part.Parse(b[:n], 0); v != More {
				t.Fatalf("OK, and of its first %d bytes %d (%s)", n, v, part.Why)
			}
		}
		checkRequest(t, b, &r)
		checkWritten(t, b, &r)
	})
}

// checkRequest compares with net/http.
func checkRequest(t *testing.T, b []byte, r *Request) {
	t.Helper()
	in := bytes.NewReader(b)
	reader := bufio.NewReaderSize(in, 2*MaxHead)
	q, err := http.ReadRequest(reader)
	if err != nil {
		if lenient(b, r, err) {
			return
		}
		t.Fatalf("accepted, and net/http says %v", err)
	}
	if q.Method != string(r.Method.Of(b)) || q.RequestURI != target(b, r) || q.ProtoMinor != int(r.Version-10) {
		t.Fatalf("net/http reads %s %s %s", q.Method, q.RequestURI, q.Proto)
	}
	if host := string(r.Host.Of(b)); !strings.EqualFold(q.Host, host) {
		t.Fatalf("the host is %q, net/http reads %q", host, q.Host)
	}
	if q.Close != r.Close {
		t.Fatalf("close %v, net/http reads %v", r.Close, q.Close)
	}
	chunked := len(q.TransferEncoding) > 0
	if chunked != (r.Body == Chunked) || !chunked && q.ContentLength != r.Length {
		t.Fatalf("body %d of %d bytes, net/http reads %v, %d", r.Body, r.Length, q.TransferEncoding, q.ContentLength)
	}
	theirs, err := io.ReadAll(q.Body)
	rest, _ := io.ReadAll(reader)
	ours, left, whole := bodyOf(b[r.Size:], r.Body, r.Length)
	if !whole {
		return // they may have got less far, or further into what is malformed
	}
	if err != nil || !bytes.Equal(theirs, ours) || !bytes.Equal(rest, left) {
		t.Fatalf("body %q, then %q; net/http reads %q, then %q (%v)", ours, left, theirs, rest, err)
	}
}

// target is the target as it stands in the line.
func target(b []byte, r *Request) string {
	line, _, _ := bytes.Cut(b, []byte("\r\n"))
	return string(line[r.Method.To+1 : len(line)-len(" HTTP/1.1")])
}

// lenient reports whether net/http refuses something that means the same to
// everybody, and is the upstream's affair: escapes in a path, or a path that
// begins with a colon in its first segment.
func lenient(b []byte, r *Request, err error) bool {
	if _, ok := errors.AsType[*url.Error](err); ok {
		return true
	}
	return strings.Contains(err.Error(), "invalid URI for request") ||
		r.Absolute && strings.Contains(err.Error(), "invalid port") || bytes.ContainsAny(r.Target.Of(b), "%")
}

// bodyOf takes the body off what follows a head.
func bodyOf(b []byte, how Body, length int64) (body, rest []byte, whole bool) {
	switch how {
	case Length:
		if int64(len(b)) < length {
			return nil, nil, false
		}
		return b[:length], b[length:], true
	case Chunked:
		var c Chunks
		n, v := 0, More
		for v == More && n < len(b) {
			var data []byte
			var m int
			data, m, v = c.Next(b[n:])
			body = append(body, data...)
			n += m
		}
		return body, b[n:], v == OK
	case UntilClose:
		return b, nil, true
	default:
		return nil, b, true
	}
}

// checkWritten parses what is written on.
func checkWritten(t *testing.T, b []byte, r *Request) {
	t.Helper()
	out := direct()
	out.Fields = AllForwarding
	again := r.Append(nil, b, &out)
	var w Request
	if v := w.Parse(again, 0); v != OK && w.Why != LargeHead && w.Why != LongLine {
		t.Fatalf("written as %q, which is %d (%s)", again, v, w.Why)
	} else if v != OK {
		return
	}
	path := r.AppendPath(nil, b)
	if w.Size != len(again) || w.Verb != r.Verb || string(w.Target.Of(again)) != string(path) || w.Version != 11 || w.Body != r.Body || w.Length != r.Length {
		t.Fatalf("written as %q", again)
	}
	for _, l := range w.lines {
		switch l.kind {
		case hop, listed, connection, upgrade, te, forwardedOther:
			t.Fatalf("written with %q", l.at.Of(again))
		case forwardedFor:
			if string(l.value.Of(again)) != "192.0.2.7" {
				t.Fatalf("written with %q", l.at.Of(again))
			}
		default:
		}
	}
	for _, l := range r.lines {
		if l.kind != connection {
			continue
		}
		for list := l.value.Of(b); len(list) > 0; {
			var option []byte
			if option, list = element(list); len(option) > 0 && !protected(option) {
				if v, _ := w.Field(again, string(option), nil); v != nil && requestKind(option) == plain {
					t.Fatalf("%q was listed by Connection, and written as %q", option, v)
				}
			}
		}
	}
}

// protected are the fields that Connection cannot take away.
func protected(name []byte) bool {
	return tokens.all(name) && (requestKind(name) == host || requestKind(name) == contentLength || requestKind(name) == transferEncoding)
}

// FuzzResponse: what is accepted, net/http reads the same way.
func FuzzResponse(f *testing.F) {
	for _, s := range []string{
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhelloHTTP", "HTTP/1.0 404 Not Found\r\n\r\nrest", "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\nHTTP",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X\r\n\r\n5\r\nhello\r\n0\r\nX: y\r\n\r\nHTTP", "HTTP/1.1 100\r\n\r\nHTTP/1.1 204 \r\n\r\n",
		"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", "HTTP/1.1 200 OK\r\nConnection: x-y\r\nX-Y: z\r\n\r\n",
	} {
		f.Add([]byte(s), false)
	}
	f.Fuzz(func(t *testing.T, b []byte, head bool) {
		verb := GET
		if head {
			verb = HEAD
		}
		var r Response
		if r.Parse(b, 0, verb) != OK {
			return
		}
		reader := bufio.NewReaderSize(bytes.NewReader(b), 2*MaxHead)
		a, err := http.ReadResponse(reader, &http.Request{Method: verb.String()})
		if err != nil {
			t.Fatalf("accepted, and net/http says %v", err)
		}
		defer func() { _ = a.Body.Close() }()
		if a.StatusCode != r.Status || a.ProtoMinor != int(r.Version-10) {
			t.Fatalf("status %d, net/http reads %s %s", r.Status, a.Proto, a.Status)
		}
		theirs, err := io.ReadAll(a.Body)
		rest, _ := io.ReadAll(reader)
		ours, left, whole := bodyOf(b[r.Size:], r.Body, r.Length)
		if whole && r.Status != 101 && (err != nil || !bytes.Equal(theirs, ours) || !bytes.Equal(rest, left)) {
			t.Fatalf("body %q, then %q; net/http reads %q, then %q (%v)", ours, left, theirs, rest, err)
		}
		again := r.Append(nil, b, &Answer{Close: r.Close})
		var w Response
		if v := w.Parse(again, 0, verb); v != OK && w.Why != LargeHead || v == OK && (w.Status != r.Status || w.Body != r.Body || w.Length != r.Length || w.Close != r.Close) {
			t.Fatalf("written as %q, which is %d (%s)", again, v, w.Why)
		}
	})
}

// TestChunksOfAnything: whatever is written in chunks is read from them, in
// pieces of any size, and nothing beyond.
func TestChunksOfAnything(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var text, want []byte
		for _, piece := range rapid.SliceOf(rapid.SliceOfN(rapid.Byte(), 1, 300)).Draw(t, "chunks") {
			size := strconv.FormatInt(int64(len(piece)), 16)
			if rapid.Bool().Draw(t, "capitals") {
				size = strings.ToUpper(size)
			}
			size += rapid.SampledFrom([]string{"", ";a", ";a=b;c=\"d\""}).Draw(t, "extension")
			text = append(append(append(text, size...), "\r\n"...), piece...)
			text = append(text, "\r\n"...)
			want = append(want, piece...)
		}
		text = append(text, rapid.SampledFrom([]string{"0\r\n\r\n", "000;x\r\n\r\n", "0\r\nA: b\r\nC:\r\n\r\n"}).Draw(t, "end")...)
		whole := len(text)
		text = append(text, rapid.SliceOf(rapid.Byte()).Draw(t, "rest")...)
		content, rest, why := readChunks(text, rapid.IntRange(1, len(text)).Draw(t, "step"))
		if why != Fine || content != string(want) || rest != string(text[whole:]) {
			t.Fatalf("read %q, then %q: %s", content, rest, why)
		}
	})
}
