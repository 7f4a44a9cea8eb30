package rest_test

import (
	"encoding/json"
	"math/big"
	"net/http"
	"strings"
	"testing"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/api"
	"github.com/polymath-run/polymath/internal/function"
	"github.com/polymath-run/polymath/internal/function/all"
)

// TestGarbage: what a worker returns and no answer can be made of is a failure
// of the part, of functions that workers declared as of those the server has;
// the error of the job says what came. (W9)
func TestGarbage(t *testing.T) {
	r := newRig(t, t.TempDir())
	id := r.join(`{"name":"liar","slots":1,"functions":[{"name":"double","kind":"list"},{"name":"add"},{"name":"pi"},{"name":"primes"}]}`)
	for _, c := range []struct{ request, output, want string }{
		{`{"function":"double","input":{"items":[7]},"attempts":1}`, "garbage\n", "garbage"},
		{`{"function":"add","input":{"a":1,"b":2},"attempts":1}`, "0 1e999999\n", "add returned what no answer can be made of: element 0"},
		{`{"function":"add","input":{"a":1,"b":2},"attempts":1}`, "7 3\n", "no line with the answer of element 0"},
		{`{"function":"pi","input":{"samples":10},"attempts":1}`, "1", "samples"},
		{`{"function":"primes","input":{"to":10,"what":"list"},"attempts":1}`, "\x7f\u0080", "within a number"},
		{`{"function":"primes","input":{"to":10},"attempts":1}`, "many", `"many" is no number`},
	} {
		accepted := get[api.Job](t, r.do("POST", "/v1/jobs", c.request), http.StatusAccepted)
		a := r.exchange(id, api.Exchange{Wait: 30})
		if len(a.Leases) != 1 {
			t.Fatalf("%s: %+v", c.request, a)
		}
		r.exchange(id, api.Exchange{Complete: []api.Complete{{Token: a.Leases[0].Token, Output: c.output}}})
		job := get[api.Job](t, r.do("GET", "/v1/jobs/"+accepted.ID, "", "Prefer", "wait=60"), http.StatusOK)
		if job.State != "failed" || job.Error == nil || !strings.Contains(job.Error.Detail, c.want) {
			t.Errorf("%s: %s, %+v, want %q", c.request, job.State, job.Error, c.want)
		}
	}
}

// TestReadableForEver: the answer of a job stays as it is when its function's
// name stands for another kind later.
func TestReadableForEver(t *testing.T) {
	r := newRig(t, t.TempDir())
	id := r.join(doubler)
	job := get[api.Job](t, r.do("POST", "/v1/jobs", `{"function":"double","input":{"items":[1,2]}}`), http.StatusAccepted)
	for done := 0; done < 2; {
		var x api.Exchange
		for _, l := range r.exchange(id, api.Exchange{Wait: 30}).Leases {
			done += int(l.To - l.From)
			x.Complete = append(x.Complete, api.Complete{Token: l.Token, Values: values(l)})
		}
		r.exchange(id, x)
	}
	read := func(when string) {
		t.Helper()
		if got := get[api.Job](t, r.do("GET", "/v1/jobs/"+job.ID, "", "Prefer", "wait=60"), http.StatusOK); string(got.Result) != `["x","x"]` || got.Error != nil {
			t.Errorf("%s: %s, %+v", when, got.Result, got.Error)
		}
		if got := get[api.Result](t, r.do("GET", "/v1/jobs/"+job.ID+"/result", ""), http.StatusOK); len(got.Items) != 2 {
			t.Errorf("%s: %+v", when, got)
		}
	}
	read("at first")
	r.do("DELETE", "/v1/workers/"+id, "")
	read("when nobody is here")
	r.join(`{"name":"other","slots":1,"functions":[{"name":"double","kind":"call"}]}`)
	read("as a call")
}

// values are an answer for each unit of a lease.
func values(l api.Lease) (all []json.RawMessage) {
	for range l.To - l.From {
		all = append(all, json.RawMessage(`"x"`))
	}
	return all
}

// TestReportedTwice: of several reports of one lease in one exchange the first
// counts, as of several exchanges, and the others are refused.
func TestReportedTwice(t *testing.T) {
	r := newRig(t, t.TempDir())
	id := r.join(doubler)
	for i := range 20 { // they would race
		accepted := get[api.Job](t, r.do("POST", "/v1/jobs", `{"function":"double","input":{"items":[7]},"attempts":1}`), http.StatusAccepted)
		a := r.exchange(id, api.Exchange{Wait: 30})
		if len(a.Leases) != 1 {
			t.Fatalf("%+v", a)
		}
		token := a.Leases[0].Token
		a = r.exchange(id, api.Exchange{
			Complete: []api.Complete{{Token: token, Output: "no\n", Values: values(a.Leases[0])}, {Token: token, Output: "0 1\n"}, {Token: token, Output: "0 2\n"}},
			Fail:     []api.Fail{{Token: token, Error: "no paper"}}, Release: []string{token},
		})
		codes := make([]string, len(a.Refused))
		for i := range a.Refused {
			codes[i] = a.Refused[i].Error.Code
		}
		if want := "invalid_argument stale_token stale_token stale_token"; strings.Join(codes, " ") != want {
			t.Fatalf("%d: refused with %v, want %s", i, codes, want)
		}
		job := get[api.Job](t, r.do("GET", "/v1/jobs/"+accepted.ID, "", "Prefer", "wait=60"), http.StatusOK)
		if string(job.Result) != "[1]" {
			t.Fatalf("%d: %s, %+v, want the first report", i, job.Result, job.Error)
		}
	}
}

// TestLongFailure: an error of any length is a failure, and cut.
func TestLongFailure(t *testing.T) {
	r := newRig(t, t.TempDir())
	id := r.join(doubler)
	accepted := get[api.Job](t, r.do("POST", "/v1/jobs", `{"function":"double","input":{"items":[7]},"attempts":1}`), http.StatusAccepted)
	a := r.exchange(id, api.Exchange{Wait: 30})
	if len(a.Leases) != 1 {
		t.Fatalf("%+v", a)
	}
	r.exchange(id, api.Exchange{Fail: []api.Fail{{Token: a.Leases[0].Token, Error: strings.Repeat("ö", 5_000)}}})
	job := get[api.Job](t, r.do("GET", "/v1/jobs/"+accepted.ID, "", "Prefer", "wait=60"), http.StatusOK)
	if job.Error == nil || len(job.Error.Detail) > polymath.MaxErrorBytes || !strings.HasPrefix(job.Error.Detail, strings.Repeat("ö", 500)) {
		t.Errorf("%+v", job.Error)
	}
}

// TestUnreadableAnswer: an answer that cannot be made, here because two methods
// disagree, keeps nobody from the rest of the job.
func TestUnreadableAnswer(t *testing.T) {
	r := newRig(t, t.TempDir())
	id := r.join(`{"name":"liar","slots":1,"functions":[{"name":"primes"}]}`)
	accepted := get[api.Job](t, r.do("POST", "/v1/jobs", `{"function":"primes","input":{"to":10,"verify":true}}`), http.StatusAccepted)
	primes, err := all.Set(false).Get("primes")
	must(t, err)
	x := api.Exchange{Wait: 30}
	for done := api.Count(0); done < accepted.Units; {
		a := r.exchange(id, x)
		x = api.Exchange{Wait: 30}
		if len(a.Refused) > 0 {
			t.Fatalf("%+v", a.Refused)
		}
		for _, l := range a.Leases {
			units := polymath.Interval{From: uint64(l.From), To: uint64(l.To)}
			output, err := primes.Run(t.Context(), function.Task{Input: l.Input, Interval: units, Progress: func(uint64) {}})
			must(t, err)
			n, _ := new(big.Int).SetString(string(output), 10)
			if l.From == 0 { // one prime more, in the slot of the first part
				n.Add(n, new(big.Int).Lsh(big.NewInt(1), 3*160))
			}
			x.Complete = append(x.Complete, api.Complete{Token: l.Token, Output: n.String()})
			done += l.To - l.From
		}
	}
	x.Wait = 0
	r.exchange(id, x)
	job := get[api.Job](t, r.do("GET", "/v1/jobs/"+accepted.ID, "", "Prefer", "wait=60"), http.StatusOK)
	if job.State != "succeeded" || job.Result != nil || job.Error == nil || job.Error.Code != "internal" || job.Done != job.Units {
		t.Errorf("%+v, %+v", job, job.Error)
	}
	problem(t, r.do("GET", "/v1/jobs/"+accepted.ID+"/result", ""), http.StatusInternalServerError, polymath.Internal, "its log says")
}
