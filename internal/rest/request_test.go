package rest_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/api"
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
	soon := time.Now().Add(300 * time.Millisecond).UTC().Format(time.RFC3339Nano)
	request := `{"function":"add","input":{"a":1,"b":2},"key":"k","deadline":"` + soon + `"}`
	first := get[api.Job](t, r.do("POST", "/v1/jobs", request, "Prefer", "wait=60"), http.StatusOK)
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
