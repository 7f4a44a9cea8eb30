package rest_test

import (
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/api"
	"github.com/polymath-run/polymath/internal/function/all"
	"github.com/polymath-run/polymath/internal/rest"
)

// TestDeadline: a job that could not be finished in time is refused with both
// times, and a request under a key that led to a job leads to it all the same
// when the deadline has passed.
func TestDeadline(t *testing.T) {
	r := newRig(t, t.TempDir())
	const past = `{"function":"add","input":{"a":1,"b":2},"deadline":"2020-01-01T00:00:00Z"`
	problem(t, r.do("POST", "/v1/jobs", past+"}"), http.StatusBadRequest, polymath.InvalidArgument, "2020-01-01T00:00:00Z has passed: it is 20")
	problem(t, r.do("POST", "/v1/jobs", `{"function":"add","input":{"a":1,"b":2},"not_before":"2100-01-02T00:00:00Z","deadline":"2100-01-01T00:00:00Z"}`),
		http.StatusBadRequest, polymath.InvalidArgument, "2100-01-01T00:00:00Z is not after not_before, 2100-01-02T00:00:00Z")
	problem(t, r.do("POST", "/v1/jobs", `{"function":"add","input":{"a":1,"b":2},"not_before":"9999-12-31T23:59:59-01:00"}`),
		http.StatusBadRequest, polymath.InvalidArgument, "9999")
	var request string
	a := reply{status: http.StatusBadRequest}
	for soon := 300 * time.Millisecond; a.status == http.StatusBadRequest && soon < time.Minute; soon *= 2 { // a slow machine comes too late
		request = `{"function":"add","input":{"a":1,"b":2},"key":"k","deadline":"` + time.Now().Add(soon).UTC().Format(time.RFC3339Nano) + `"}`
		a = r.do("POST", "/v1/jobs", request, "Prefer", "wait=60")
	}
	first := get[api.Job](t, a, http.StatusOK)
	if first.State != "failed" || first.Error == nil || first.Error.Code != "timeout" {
		t.Errorf("%+v", first)
	}
	if again := get[api.Job](t, r.do("POST", "/v1/jobs", request), http.StatusAccepted); again.ID != first.ID {
		t.Errorf("the same request led to %s and then to %s", first.ID, again.ID)
	}
}

// TestNames: a name that could not be shown is refused wherever one is given,
// with the name as it can be.
func TestNames(t *testing.T) {
	r := newRig(t, t.TempDir())
	for name, c := range map[string]struct{ method, path, body, tenant string }{
		"queue":           {"POST", "/v1/jobs", `{"function":"add","input":{"a":1,"b":2},"queue":"a\u001b[2J"}`, ""},
		"queue turned":    {"POST", "/v1/jobs", `{"function":"add","input":{"a":1,"b":2},"queue":"a\u202e"}`, ""},
		"tenant":          {"POST", "/v1/jobs", `{"function":"add","input":{"a":1,"b":2}}`, "caf\xe9"},
		"worker":          {"POST", "/v1/workers", `{"name":"w\u0007","slots":1,"functions":[{"name":"add"}]}`, ""},
		"summary":         {"POST", "/v1/workers", `{"name":"w","slots":1,"functions":[{"name":"f","kind":"call","summary":"a\u0007"}]}`, ""},
		"queue to set":    {"PATCH", "/v1/queues/default/a%1b", `{"paused":true}`, ""},
		"tenant to set":   {"PATCH", "/v1/queues/%ff/a", `{"paused":true}`, ""},
		"queue to purge":  {"DELETE", "/v1/dead-letters?queue=a%0a", "", ""},
		"tenant to purge": {"DELETE", "/v1/dead-letters?queue=a&tenant=%0a", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			var headers []string
			if c.tenant != "" {
				headers = []string{"Polymath-Tenant", c.tenant}
			}
			a := r.do(c.method, c.path, c.body, headers...)
			problem(t, a, http.StatusBadRequest, polymath.InvalidArgument, "")
			if p := get[api.Problem](t, a, a.status); !strings.Contains(p.Detail, "print") && !strings.Contains(p.Detail, "UTF-8") {
				t.Errorf("%s", p.Detail)
			}
		})
	}
	if list := get[api.QueueList](t, r.do("GET", "/v1/queues", ""), http.StatusOK); len(list.Items) != 0 {
		t.Errorf("%+v", list)
	}
}

// TestLongNumbers: a number nobody can mean is refused with its field and its
// beginning; one that only a double cannot hold is a number.
func TestLongNumbers(t *testing.T) {
	r := newRig(t, t.TempDir())
	workers := []string{
		r.join(doubler),
		r.join(`{"name":"w","slots":1,"functions":[{"name":"greet","kind":"call"},{"name":"total","kind":"range","reducer":"sum"}]}`),
	}
	digits := strings.Repeat("7", 300_000)
	for _, number := range []string{"1e999999999", "-1e400", digits, "0." + digits} {
		for body, field := range map[string]string{
			`{"function":"primes","input":{"to":%}}`:                `"to"`,
			`{"function":"isprime","input":{"numbers":[2,%]}}`:      `"numbers[1]"`,
			`{"function":"factor","input":{"n":2,"limit":%}}`:       `"limit"`,
			`{"function":"primes","input":{"to":9,"what":%}}`:       `"what"`,
			`{"function":"primes","input":{"to":9,"verify":%}}`:     `"verify"`,
			`{"function":"add","input":{"pairs":%}}`:                `"pairs"`,
			`{"function":"add","input":{"pairs":[[1,%]]}}`:          `"pairs[0]"`,
			`{"function":"primes","input":%}`:                       "object",
			`{"function":"double","input":{"items":%}}`:             `"items"`,
			`{"function":"double","input":%}`:                       "object",
			`{"function":"greet","input":%}`:                        "object",
			`{"function":"total","input":{"to":%}}`:                 `"to"`,
			`{"function":"add","input":{"a":1,"b":2},"priority":%}`: "priority",
			`{"function":"add","input":{"a":1,"b":2},"attempts":%}`: "attempts",
			`{"function":"add","input":{"a":1,"b":2},"deadline":%}`: "deadline",
			`{"function":"add","input":{"a":1,"b":2},"queue":%}`:    "queue",
			`{"function":%}`: "function",
			`{"function":"add","input":{"a":1,"b":2},"skip_dead":%}`:              "skip_dead",
			`{"function":"add","input":{"a":1,"b":2},"not a field of a job":[%]}`: "not a field",
		} {
			if number == "-1e400" && strings.Contains(body, `"pairs":[[`) {
				continue // it can be added
			}
			if strings.HasPrefix(number, "0.") && strings.Contains(body, "ority") {
				continue // about one
			}
			for _, id := range workers {
				r.exchange(id, api.Exchange{}) // who is not heard of is gone, with its functions
			}
			a := r.do("POST", "/v1/jobs", strings.Replace(body, "%", number, 1))
			if a.status != http.StatusBadRequest {
				t.Errorf("%s with %.20s: %d %.300s", body, number, a.status, a.body)
				continue
			}
			p := get[api.Problem](t, a, a.status)
			if len(p.Detail) > 300 || !strings.Contains(p.Detail, field) || strings.Contains(p.Detail, "Go ") {
				t.Errorf("%s with %.20s: %d bytes: %.300s", body, number, len(p.Detail), p.Detail)
			}
		}
		a := r.do("POST", "/v1/workers", `{"name":"w","slots":1,"seconds":`+number+`,"functions":[{"name":"add"}]}`)
		if !strings.HasPrefix(number, "0.") && (a.status != http.StatusBadRequest || len(a.body) > 600 || !strings.Contains(string(a.body), "seconds")) {
			t.Errorf("seconds %.20s: %d %.300s", number, a.status, a.body)
		}
	}
	r.work(all.Set(true))
	for number, want := range map[string]string{"1" + strings.Repeat("0", 400): `"1` + strings.Repeat("0", 399) + `1"`, "1e400": `"1` + strings.Repeat("0", 399) + `1"`} {
		if job := r.finished(`{"function":"add","input":{"a":` + number + `,"b":1}}`); string(job.Result) != want {
			t.Errorf("%s + 1: %s", number, job.Result)
		}
	}
}

// TestSeconds: no number of seconds runs over.
func TestSeconds(t *testing.T) {
	for s, want := range map[float64]time.Duration{0: 0, 0.25: 250 * time.Millisecond, 1e9: 1e18, 1e10: 1e18, math.MaxFloat64: 1e18} {
		if got := rest.Seconds(s); got != want {
			t.Errorf("%v s are %v", s, got)
		}
	}
}

// TestLargeBodiesTakeTurns: a large body is read alone, and a small one beside
// any other.
func TestLargeBodiesTakeTurns(t *testing.T) {
	h := rest.New(newFake(), rest.Options{})
	for size, want := range map[int]bool{1: false, 256<<10 - 11: false, 256<<10 - 10: true, 1 << 20: true} {
		body := `{"text":"` + strings.Repeat("x", size) + `"}` // 11 bytes more
		if got, err := rest.HasTurn(h, []byte(body)); got != want || err != nil {
			t.Errorf("%d bytes are read alone: %v, want %v; %v", len(body), got, want, err)
		}
		if got, err := rest.HasTurn(h, []byte(`{"text":""}`)); got || err != nil {
			t.Errorf("after %d bytes the turn was kept; %v", len(body), err)
		}
	}
}
