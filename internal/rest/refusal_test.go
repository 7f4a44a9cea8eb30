package rest_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/api"
	"github.com/polymath-run/polymath/internal/rest"
)

func serve(t testing.TB, b rest.Backend, o rest.Options) *rig {
	t.Helper()
	s := httptest.NewServer(rest.Guard(rest.New(b, o), []string{"127.0.0.1", "localhost"}, "--host NAME"))
	t.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
	})
	return &rig{t: t, server: s}
}

// on is the rig for a part of a test.
func (r *rig) on(t testing.TB) *rig {
	part := *r
	part.t = t
	return &part
}

// TestRefusals: whatever is wrong, the answer is a problem that says what.
func TestRefusals(t *testing.T) {
	s := serve(t, newFake(), rest.Options{})
	const jobs = "/v1/jobs"
	for _, c := range []struct {
		name, method, path, body string
		headers                  []string
		status                   int
		code                     polymath.Code
		part                     string
	}{
		{"no such path", "GET", "/v1/nothing", "", nil, 404, polymath.NotFound, "openapi.json"},
		{"no such method", "PUT", jobs, "", nil, 405, polymath.InvalidArgument, "use GET, HEAD, POST"},
		{"unknown parameter", "GET", jobs + "?colour=red", "", nil, 400, polymath.InvalidArgument, `"colour" is unknown`},
		{"limit too large", "GET", jobs + "?limit=1001", "", nil, 400, polymath.InvalidArgument, "limit: expected number <= 1000"},
		{"limit no number", "GET", jobs + "?limit=many", "", nil, 400, polymath.InvalidArgument, "limit"},
		{"no such state", "GET", jobs + "?state=lost", "", nil, 400, polymath.InvalidArgument, "state"},
		{"bad cursor", "GET", jobs + "?cursor=x", "", nil, 400, polymath.InvalidArgument, "cursor"},
		{"bad id", "GET", jobs + "/x", "", nil, 400, polymath.InvalidArgument, "no job id"},
		{"long id", "GET", jobs + "/" + strings.Repeat("j", 100), "", nil, 400, polymath.InvalidArgument, "id"},
		{"bad letter", "GET", "/v1/dead-letters/j0004n00/x", "", nil, 400, polymath.InvalidArgument, "unit"},
		{"letter out of range", "GET", "/v1/dead-letters/j0004n00/99999999999999999999", "", nil, 400, polymath.InvalidArgument, "unit"},
		{"bad letter cursor", "GET", "/v1/dead-letters?cursor=j0004n00:01", "", nil, 400, polymath.InvalidArgument, "cursor"},
		{"bad event", "GET", "/v1/events", "", []string{"Last-Event-ID", "7"}, 400, polymath.InvalidArgument, "event id"},
		{"bad event in the query", "GET", "/v1/events?after=0:1.01:0", "", nil, 400, polymath.InvalidArgument, "event id"},
		{"bad time", "GET", "/v1/history?from=yesterday", "", nil, 400, polymath.InvalidArgument, "from"},
		{"times reversed", "GET", "/v1/history?from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z", "", nil, 400, polymath.InvalidArgument, "from is after to"},
		{"no body", "POST", jobs, "", []string{"Content-Type", "application/json"}, 400, polymath.InvalidArgument, "empty"},
		{"no media type", "POST", jobs, "{}", []string{"Content-Type", ""}, 415, polymath.UnsupportedMedia, "application/json"},
		{"a form", "POST", jobs, "a=1", []string{"Content-Type", "application/x-www-form-urlencoded"}, 415, polymath.UnsupportedMedia, "application/json"},
		{"a charset", "POST", jobs, "{}", []string{"Content-Type", "application/json; charset=latin1"}, 415, polymath.UnsupportedMedia, "UTF-8"},
		{"packed", "POST", jobs, "{}", []string{"Content-Encoding", "gzip"}, 415, polymath.UnsupportedMedia, "gzip"},
		{"no JSON", "POST", jobs, "{\n \"function\": primes}", nil, 400, polymath.InvalidArgument, "line 2, column 14"},
		{"cut short", "POST", jobs, `{"function":`, nil, 400, polymath.InvalidArgument, "unexpected end"},
		{"two values", "POST", jobs, `{"function":"add"} {}`, nil, 400, polymath.InvalidArgument, "line 1, column 20"},
		{"deep", "POST", jobs, `{"function":"add","input":` + strings.Repeat("[", 70) + strings.Repeat("]", 70) + "}", nil, 400, polymath.InvalidArgument, "deep at line 1, column 90"},
		{"a number", "POST", jobs, "7", nil, 400, polymath.InvalidArgument, "expected object"},
		{"no function", "POST", jobs, "{}", nil, 400, polymath.InvalidArgument, `"function" is missing`},
		{"unknown field", "POST", jobs, `{"function":"add","prio":1}`, nil, 400, polymath.InvalidArgument, `"prio" is unknown`},
		{"another case", "POST", jobs, `{"function":"add","priority":1,"Priority":127}`, nil, 400, polymath.InvalidArgument, `"Priority" is unknown`},
		{"another case within", "POST", "/v1/workers", `{"name":"w","slots":1,"functions":[{"name":"f"},{"name":"f","KIND":"list"}]}`, nil, 400, polymath.InvalidArgument, `"functions[1].KIND" is unknown`},
		{"wrong type", "POST", jobs, `{"function":7}`, nil, 400, polymath.InvalidArgument, "function: expected string, not 7"},
		{"out of range", "POST", jobs, `{"function":"add","priority":101}`, nil, 400, polymath.InvalidArgument, "priority: expected number <= 100, not 101"},
		{"bad deadline", "POST", jobs, `{"function":"add","deadline":"soon"}`, nil, 400, polymath.InvalidArgument, "deadline"},
		{"empty array", "POST", jobs, " []", nil, 400, polymath.InvalidArgument, "0 requests"},
		{"long array", "POST", jobs, "[0" + strings.Repeat(",0", 1000) + "]", nil, 400, polymath.InvalidArgument, "1001 requests"},
		{"key of many", "POST", jobs, `[{"function":"add"}]`, []string{"Idempotency-Key", "k"}, 400, polymath.InvalidArgument, "Idempotency-Key"},
		{"two keys", "POST", jobs, `{"function":"add","key":"a"}`, []string{"Idempotency-Key", "b"}, 400, polymath.InvalidArgument, "differ"},
		{"long key", "POST", jobs, `{"function":"add"}`, []string{"Idempotency-Key", strings.Repeat("k", 256)}, 400, polymath.InvalidArgument, "Idempotency-Key"},
		{"long tenant", "POST", jobs, `{"function":"add"}`, []string{"Polymath-Tenant", strings.Repeat("t", 65)}, 400, polymath.InvalidArgument, "Polymath-Tenant"},
		{"too large", "POST", jobs, strings.Repeat(" ", api.MaxBodyBytes+1), nil, 413, polymath.TooLarge, "4194304 bytes"},
		{"join without functions", "POST", "/v1/workers", `{"name":"w","functions":[],"slots":1}`, nil, 400, polymath.InvalidArgument, "functions"},
		{"count with a sign", "POST", "/v1/workers/0-1-1-0/exchange", `{"progress":[{"token":"t","done":-1}]}`, nil, 400, polymath.InvalidArgument, "progress[0].done: expected a whole number"},
		{"count too large", "POST", "/v1/workers/0-1-1-0/exchange", `{"progress":[{"token":"t","done":"99999999999999999999"}]}`, nil, 400, polymath.InvalidArgument, "2^64-1"},
		{"another site", "POST", jobs, `{"function":"add"}`, []string{"Sec-Fetch-Site", "cross-site"}, 403, polymath.PermissionDenied, "another site"},
		{"another host", "GET", jobs, "", []string{"Host", "evil.example"}, 403, polymath.PermissionDenied, `known as "evil.example"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			problem(t, s.on(t).do(c.method, c.path, c.body, c.headers...), c.status, c.code, c.part)
		})
	}
}

// TestTooLargeWithoutLength: a body whose length nobody tells is cut as well.
func TestTooLargeWithoutLength(t *testing.T) {
	s := serve(t, newFake(), rest.Options{})
	body := struct{ *strings.Reader }{strings.NewReader(strings.Repeat(" ", api.MaxBodyBytes+1))}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.server.URL+"/v1/jobs", body)
	must(t, err)
	req.Header.Set("Content-Type", "application/json")
	res, err := s.server.Client().Do(req)
	must(t, err)
	defer res.Body.Close()
	if res.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("status %d", res.StatusCode)
	}
}

// TestCodes: the error of a Backend keeps its code and status, and what is
// internal stays inside.
func TestCodes(t *testing.T) {
	var logged bytes.Buffer
	b := newFake()
	s := serve(t, b, rest.Options{Log: slog.New(slog.NewTextHandler(&logged, nil))})
	for _, code := range polymath.Codes() {
		if code == polymath.JobFailed || code == polymath.CancelledJob {
			continue // a job's, never a request's
		}
		b.refusal = fmt.Errorf("submit: %w", polymath.Errorf(code, "secret of %v", code))
		a := s.on(t).do("POST", "/v1/jobs", `{"function":"add"}`)
		want := "secret"
		if code == polymath.Internal || code == polymath.Damaged {
			want = "log says what"
		}
		problem(t, a, code.HTTPStatus(), code, want)
		seconds, err := strconv.Atoi(a.header.Get("Retry-After"))
		switch code {
		case polymath.Overloaded, polymath.RateLimited, polymath.Unavailable:
			if err != nil || seconds < 1 || seconds > 30 {
				t.Errorf("%v: Retry-After %q", code, a.header.Get("Retry-After"))
			}
		default:
			if err == nil {
				t.Errorf("%v: Retry-After %d", code, seconds)
			}
		}
	}
	if n := strings.Count(logged.String(), "a request could not be served"); n != 1 { // unavailable, not overloaded
		t.Errorf("logged %d times: %s", n, &logged)
	}
	for _, err := range []error{errors.New("a secret without a code"), context.DeadlineExceeded} {
		b.refusal = err
		if a := s.on(t).do("POST", "/v1/jobs", `{"function":"add"}`); strings.Contains(string(a.body), "secret") {
			t.Errorf("%s", a.body)
		}
	}
	for _, text := range []string{"secret of internal", "secret of damaged", "a secret without a code"} {
		if !strings.Contains(logged.String(), text) {
			t.Errorf("the log lacks %q:\n%s", text, logged.String())
		}
	}
}

// TestAccept: what a client says it reads does not change what it gets.
func TestAccept(t *testing.T) {
	s := serve(t, newFake(), rest.Options{})
	for _, accept := range []string{"", "*/*", "text/html", "application/json", "json", "application/xml;q=1", ";;"} {
		if a := s.on(t).do("GET", "/livez", "", "Accept", accept); a.header.Get("Content-Type") != "application/json" {
			t.Errorf("Accept %q: %q", accept, a.header.Get("Content-Type"))
		}
		problem(t, s.on(t).do("GET", "/v1/jobs/x", "", "Accept", accept), 400, polymath.InvalidArgument, "no job id")
	}
}

// TestHosts: names must be known; an address is nobody's name.
func TestHosts(t *testing.T) {
	s := serve(t, newFake(), rest.Options{})
	for host, status := range map[string]int{"localhost": 200, "LOCALHOST:80": 200, "127.0.0.1:1": 200, "localhost.evil.example": 403, "[::1]:80": 200, "192.0.2.7": 200, "1.2.3.4.evil.example": 403, "[::1].evil.example": 403} {
		if a := s.on(t).do("GET", "/livez", "", "Host", host); a.status != status {
			t.Errorf("%s: %d, want %d", host, a.status, status)
		}
	}
}
