package forwardtest

import (
	"bufio"
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// Smuggled is bytes that two servers could read as two different things.
type Smuggled struct {
	Name   string
	Text   string
	Status int // 0: 400
}

// hidden is a request that must not come out of the body of another.
const hidden = "GET /smuggled HTTP/1.1\r\nHost: example.test\r\nX-Case: smuggled\r\n\r\n"

// smuggled is the case every request of the corpus names.
const smuggled = "smuggled"

// Smuggling is the corpus of requests that no path may pass on.
func Smuggling() []Smuggled {
	head := func(lines ...string) string {
		return "POST /s HTTP/1.1\r\nHost: example.test\r\nX-Case: smuggled\r\n" + strings.Join(lines, "\r\n") + "\r\n\r\n"
	}
	var out []Smuggled
	add := func(name, text string) { out = append(out, Smuggled{Name: name, Text: text}) }

	add("CL and TE", head("Content-Length: 4", "Transfer-Encoding: chunked")+"0\r\n\r\n"+hidden)
	add("TE and CL", head("Transfer-Encoding: chunked", "Content-Length: 4")+"0\r\n\r\n"+hidden)
	for _, coding := range []string{
		"xchunked", "chunked, identity", "identity, chunked", "identity", "gzip, chunked", "chunked, chunked", "\"chunked\"",
		"chunked;q=1", "chun\x0bked", "", ",chunked", "chunked,", "\x0bchunked", "chunked\x00", "chunked\x7f",
	} {
		add(fmt.Sprintf("Transfer-Encoding %q", coding), head("Transfer-Encoding: "+coding)+"0\r\n\r\n"+hidden)
	}
	add("two Transfer-Encodings", head("Transfer-Encoding: chunked", "Transfer-Encoding: chunked")+"0\r\n\r\n")
	add("two Transfer-Encodings, one unknown", head("Transfer-Encoding: x", "Transfer-Encoding: chunked")+"0\r\n\r\n")
	add("Transfer-Encoding of HTTP/1.0", strings.Replace(head("Transfer-Encoding: chunked"), "HTTP/1.1", "HTTP/1.0", 1)+"0\r\n\r\n"+hidden)

	for _, length := range []string{
		"+5", "-5", "5 5", "5, 5", "5,6", "0x5", "5.0", "1e1", "", "5a", "\x0b5", "5;", "9223372036854775808", "18446744073709551621", "\"5\"", "０",
	} {
		add(fmt.Sprintf("Content-Length %q", length), head("Content-Length: "+length)+"abcde"+hidden)
	}
	add("two Content-Lengths", head("Content-Length: 5", "Content-Length: 6")+"abcde"+hidden)
	add("two equal Content-Lengths", head("Content-Length: 5", "Content-Length: 5")+"abcde")

	add("obs-fold", head("X-Fold: a\r\n b"))
	add("obs-fold with a tab", head("X-Fold: a\r\n\tb"))
	add("obs-fold hides a coding", head("X-Fold: a\r\n Transfer-Encoding: chunked", "Content-Length: 3")+"0\r\n\r\n")
	add("fold as the first field", "GET /s HTTP/1.1\r\n Host: example.test\r\nX-Case: smuggled\r\n\r\n")
	add("space before the colon", head("Content-Length : 5")+"abcde")
	add("tab before the colon", head("Transfer-Encoding\t: chunked")+"0\r\n\r\n")
	add("no colon", head("Content-Length 5")+"abcde")
	add("no name", head(": 5"))
	for _, c := range "\x00\x01\x08\x0b\x0c\x1f\x7f" {
		add(fmt.Sprintf("%q in a value", c), head("X-Bad: a"+string(c)+"b"))
		add(fmt.Sprintf("%q in a name", c), head("X-B"+string(c)+"ad: a"))
	}
	for _, c := range "()<>@,;\\\"/[]?={} é" {
		add(fmt.Sprintf("%q in a name", c), head("X-B"+string(c)+"ad: a"))
	}
	add("CR in a value", head("X-Bad: a\rb"))
	add("CR before the end", head("X-Bad: a\r"))
	add("CR in a name", head("X-\rBad: a"))
	add("LF ends a line", "GET /s HTTP/1.1\r\nHost: example.test\r\nX-Case: smuggled\nX-Bad: 1\r\n\r\n")
	add("LF ends every line", "GET /s HTTP/1.1\nHost: example.test\nX-Case: smuggled\n\n")
	add("LF ends the head", "GET /s HTTP/1.1\r\nHost: example.test\r\nX-Case: smuggled\r\n\n")
	add("LF ends the first line", "GET /s HTTP/1.1\nHost: example.test\r\nX-Case: smuggled\r\n\r\n")

	add("no Host", "GET /s HTTP/1.1\r\nX-Case: smuggled\r\n\r\n")
	add("two Hosts", head("Host: example.test"))
	add("two different Hosts", head("Host: other.test"))
	for _, host := range []string{"a b", "a/b", "a@b", "a\tb", "a:b", "a:80:80", "a?b", "a#b", "[::1", "::1", "a\\b", "é", "a:", ""} {
		if host == "" || host == "a:" {
			continue // valid: RFC 9110, section 7.2, and RFC 3986, section 3.2.3
		}
		add(fmt.Sprintf("Host %q", host), "GET /s HTTP/1.1\r\nHost: "+host+"\r\nX-Case: smuggled\r\n\r\n")
	}
	add("absolute form of another host", "GET http://other.test/s HTTP/1.1\r\nHost: example.test\r\nX-Case: smuggled\r\n\r\n")
	add("absolute form with a user", "GET http://u@example.test/s HTTP/1.1\r\nHost: u@example.test\r\nX-Case: smuggled\r\n\r\n")
	add("absolute form of another scheme", "GET ftp://example.test/s HTTP/1.1\r\nHost: example.test\r\nX-Case: smuggled\r\n\r\n")
	add("absolute form without a host", "GET http:///s HTTP/1.1\r\nHost: \r\nX-Case: smuggled\r\n\r\n")
	return append(out, lines()...)
}

// lines are malformed first lines, and chunks.
func lines() []Smuggled {
	rest := "\r\nHost: example.test\r\nX-Case: smuggled\r\n\r\n"
	var out []Smuggled
	add := func(name, text string, status int) { out = append(out, Smuggled{name, text, status}) }
	for _, line := range []string{
		"GET  /s HTTP/1.1", " GET /s HTTP/1.1", "GET /s  HTTP/1.1", "GET /s HTTP/1.1 ", "GET\t/s HTTP/1.1", "GET /s\tHTTP/1.1",
		"GET /a b HTTP/1.1", "GET /s", "GET", "/s HTTP/1.1", "GET s HTTP/1.1", "GET * HTTP/1.1", "G(T /s HTTP/1.1", "GET /s\x00 HTTP/1.1",
		"GET /s\x7f HTTP/1.1", "GET /s\rx HTTP/1.1", "GET /s#x HTTP/1.1", "GET /s http/1.1", "GET /s HTTP/1.1x", "GET /s HTTP/11", "GET /s HTTP",
		"GET /s HTTP/1.1\r", "GET /s XTTP/1.1", "\x00GET /s HTTP/1.1", "GET /s HTTP/ 1.1", "GET /s HTTP/1,1", "GET /s HTTP/+1.1",
	} {
		add(fmt.Sprintf("line %q", line), line+rest, http.StatusBadRequest)
	}
	for _, version := range []string{"2.0", "1.2", "3.0", "0.9", "9.9"} {
		add("version "+version, "GET /s HTTP/"+version+rest, http.StatusHTTPVersionNotSupported)
	}
	add("CONNECT", "CONNECT example.test:80 HTTP/1.1"+rest, http.StatusNotImplemented)
	return out
}

// BadChunks are bodies whose framing is wrong behind a head that is right: the
// upstream may see the head, and never a whole request.
func BadChunks() []Smuggled {
	head := "POST /s HTTP/1.1\r\nHost: example.test\r\nX-Case: chunks\r\nTransfer-Encoding: chunked\r\n\r\n"
	var out []Smuggled
	for _, body := range []string{
		"0x5\r\nhello\r\n0\r\n\r\n", "+5\r\nhello\r\n0\r\n\r\n", "-5\r\nhello\r\n0\r\n\r\n", " 5\r\nhello\r\n0\r\n\r\n", "5 \r\nhello\r\n0\r\n\r\n",
		"5\nhello\r\n0\r\n\r\n", "5\r\nhello\n0\r\n\r\n", "5\r\nhelloX\r\n0\r\n\r\n", "5\r\nhell\r\n0\r\n\r\n", "\r\nhello\r\n0\r\n\r\n", "g\r\n",
		"10000000000000005\r\nhello\r\n0\r\n\r\n", "5;a\nb\r\nhello\r\n0\r\n\r\n", "5;\x00\r\nhello\r\n0\r\n\r\n", "5\r\nhello\r\n0\r\nX\r\n\r\n",
		"5\r\nhello\r\n0\r\n X: 1\r\n\r\n", "5\r\nhello\r\n0\r\nX : 1\r\n\r\n", "5\r\nhello\r\n0\r\nX: 1\n\r\n", "5\r\nhello\r\n0\r\nContent-Length: 3\r\n\r\n",
		"5\r\nhello\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n", "5\r\nhello\r\n0\r\nHost: a\r\n\r\n", "5\r\nhello\r\n0\r\n\n", "5\rhello\r\n0\r\n\r\n",
		"5" + strings.Repeat(";a=b", 4_000) + "\r\nhello\r\n0\r\n\r\n", "5\r\nhello\r\n0\r\n" + strings.Repeat("X: abcdefghijklm\r\n", 4_000) + "\r\n",
	} {
		out = append(out, Smuggled{Name: fmt.Sprintf("chunks %.40q", body), Text: head + body + hidden})
	}
	return out
}

// smuggling sends the corpus: each gets its refusal, the connection ends, and no
// upstream sees anything.
func (s *suite) smuggling(t *testing.T) {
	for _, c := range Smuggling() {
		answer, err := Raw(s.address, s.clientConf("http/1.1"), []byte(c.Text), false)
		want := c.Status
		if want == 0 {
			want = http.StatusBadRequest
		}
		if err != nil && !isReset(err) {
			t.Errorf("%s: the connection does not end: %v; %q", c.Name, err, clip(answer))
			continue
		}
		checkRefusal(t, c.Name, answer, want)
	}
	s.director.Settled(t)
	if n := s.server.smuggled.Load(); n != 0 {
		t.Errorf("the upstream got %d requests of the corpus", n)
	}
	if n := s.director.begun.Load() - s.director.ended.Load(); n != 0 {
		t.Errorf("%d exchanges are open", n)
	}
}

// badChunks sends broken chunks: no whole request arrives.
func (s *suite) badChunks(t *testing.T) {
	e := &Exchange{Answer: Answer{Status: 200, Framing: ByLength, Body: []byte("answered")}}
	run := s.server.expect("chunks", e)
	defer s.server.forget("chunks")
	for _, c := range BadChunks() {
		answer, err := Raw(s.address, s.clientConf("http/1.1"), []byte(c.Text), false)
		if err != nil && !isReset(err) {
			t.Errorf("%s: the connection does not end: %v; %q", c.Name, err, clip(answer))
			continue
		}
		if bytes.Contains(answer, []byte("answered")) {
			t.Errorf("%s: the upstream answered: %q", c.Name, clip(answer))
		}
		if len(answer) == 0 || !bytes.HasPrefix(answer, []byte("HTTP/1.1 4")) {
			t.Errorf("%s: answered %q, not a 4xx", c.Name, clip(answer))
		}
	}
	s.director.Settled(t)
	select {
	case seen := <-run.seen:
		t.Errorf("the upstream got a whole request: %q", clip(seen.Body))
	default:
	}
}

// checkRefusal holds an answer to be one refusal of this status, and nothing
// behind it.
func checkRefusal(t testing.TB, name string, answer []byte, want int) {
	t.Helper()
	r := bufio.NewReader(bytes.NewReader(answer))
	told, ends, err := readAnswer(r, http.MethodGet)
	switch {
	case err != nil:
		t.Errorf("%s: %v; the answer was %q", name, err, clip(answer))
	case told.Status != want:
		t.Errorf("%s: answered with %d, not %d", name, told.Status, want)
	case !ends:
		t.Errorf("%s: the answer does not say that the connection ends", name)
	case r.Buffered() > 0:
		t.Errorf("%s: %d bytes follow the answer", name, r.Buffered())
	case told.Fields.Get("Content-Type") != "application/problem+json":
		t.Errorf("%s: the answer is of type %q", name, told.Fields.Get("Content-Type"))
	}
}
