package main

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"
)

// TestMain makes the test's program play the other role, too.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == upstreamRole {
		if err := serve(os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// TestBalance is the soak in short, for every change. (L5, D5, G22)
func TestBalance(t *testing.T) {
	if testing.Short() {
		t.Skip("runs a balancer, upstreams and clients for some seconds")
	}
	s := settings{length: 6 * time.Second, seed: uint64(time.Now().UnixNano()), each: 1, longest: 300 * time.Millisecond}
	var out strings.Builder
	err := soak(t.Context(), s, &out)
	t.Log(out.String())
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasSuffix(out.String(), "bar balance/leaked-descriptors 0\nbar balance/leaked-goroutines 0\nbar balance/wrong 0\n") {
		t.Error("the bars are missing")
	}
}

// TestJudge: an answer that is not that of its request is found out.
func TestJudge(t *testing.T) {
	q := &question{id: "a-1", method: http.MethodGet, size: 10}
	body := func(id string, n int64) string {
		text, err := io.ReadAll(newPattern(id, n))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	for name, c := range map[string]struct {
		status, id, got, body string
		length                int
		want                  string // "": wrong
	}{
		"right":        {"200 OK", "a-1", "0-00000000", body("a-1", 10), 10, causeRight},
		"another's":    {"200 OK", "a-2", "0-00000000", body("a-1", 10), 10, ""},
		"another body": {"200 OK", "a-1", "0-00000000", body("a-2", 10), 10, ""},
		"too short":    {"200 OK", "a-1", "0-00000000", body("a-1", 9), 9, ""},
		"too long":     {"200 OK", "a-1", "0-00000000", body("a-1", 11), 11, ""},
		"cut":          {"200 OK", "a-1", "0-00000000", body("a-1", 9), 10, causeCut},
		"bytes lost":   {"200 OK", "a-1", "1-00000000", body("a-1", 10), 10, ""},
		"no right":     {"400 Bad Request", "a-1", "0-00000000", body("a-1", 10), 10, ""},
		"refused":      {"503 Service Unavailable", "", "", `{"title":"no upstream is available"}`, 36, "no upstream is available"},
		"overloaded":   {"503 Service Unavailable", "", "", `{"title":"the balancer is overloaded"}`, 38, ""},
	} {
		text := fmt.Sprintf("HTTP/1.1 %s\r\nX-Id: %s\r\nX-Got: %s\r\nContent-Type: application/problem+json\r\nContent-Length: %d\r\n\r\n%s", c.status, c.id, c.got, c.length, c.body)
		got, _, err := q.read(bufio.NewReader(strings.NewReader(text)))
		if got != c.want && c.want != "" || (err == nil) != (c.want != "") {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

// TestJudgeOfTheSlow: who took long to send a request may be told so, and nobody
// else.
func TestJudgeOfTheSlow(t *testing.T) {
	for spent, want := range map[time.Duration]string{shortestWait: causeSlow, shortestWait - 1: ""} {
		q := &question{id: "a-1", method: http.MethodGet, spent: spent}
		got, _, err := q.read(bufio.NewReader(strings.NewReader("HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n")))
		if got != want || (err == nil) != (want != "") {
			t.Errorf("after %v: %q, %v", spent, got, err)
		}
	}
}

// TestOver: less than before is no leak, and makes none good.
func TestOver(t *testing.T) {
	if got := (census{descriptors: 5, goroutines: 2}).over(census{descriptors: 3, goroutines: 9}); got != (census{descriptors: 2}) {
		t.Errorf("%+v", got)
	}
}

// TestText: what is sent is the request it says it is.
func TestText(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for i := range 200 {
		q := newQuestion(fmt.Sprint("a-", i), random)
		q.chunked = q.upload > 0 && i%2 == 0
		r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(string(q.text(random)))))
		if err != nil {
			t.Fatal(err)
		}
		n, err := compare(r.Body, q.body())
		if err != nil || n != q.upload || r.Method != q.method || r.Header.Get(fieldID) != q.id || (r.ContentLength < 0) != q.chunked {
			t.Fatalf("%+v is sent as %+v: %d bytes, %v", q, r, n, err)
		}
	}
}
