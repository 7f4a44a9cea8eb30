package rest_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/api"
	"github.com/polymath-run/polymath/internal/rest"
)

// join opens a session.
func (r *rig) join(body string) string {
	r.t.Helper()
	a := r.do("POST", "/v1/workers", body)
	j := get[api.Joined](r.t, a, http.StatusCreated)
	if a.header.Get("Location") != "/v1/workers/"+j.ID || j.Beat != 1 {
		r.t.Errorf("%+v %v", j, a.header)
	}
	return j.ID
}

// listed is the id of a worker as lists show it.
func listed(id string) string {
	name, _, _ := strings.Cut(id, ".")
	return name
}

// TestWorkersAreNotGuessed: who knows of a worker what lists say of it, or where
// its session was opened, does not speak for it.
func TestWorkersAreNotGuessed(t *testing.T) {
	r := newRig(t, t.TempDir())
	id := r.join(doubler)
	workers := get[api.WorkerList](t, r.do("GET", "/v1/workers", ""), http.StatusOK)
	if len(workers.Items) != 1 || len(id) < len(workers.Items[0].ID)+20 || workers.Items[0].ID != listed(id) {
		t.Fatalf("%s is listed as %+v", id, workers)
	}
	for _, guess := range []string{listed(id), listed(id) + ".", listed(id) + ".AAAAAAAAAAAAAAAAAAAAAAAAAA", id[:len(id)-1], id + "A", listed(id) + "." + id} {
		problem(t, r.do("POST", "/v1/workers/"+guess+"/exchange", `{}`), http.StatusNotFound, polymath.NotFound, "join again")
		problem(t, r.do("DELETE", "/v1/workers/"+guess, ""), http.StatusNotFound, polymath.NotFound, "join again")
	}
	r.exchange(id, api.Exchange{})
}

// TestSecretsAreNotLogged: what a log says of a worker's requests lets nobody
// speak for it.
func TestSecretsAreNotLogged(t *testing.T) {
	for path, want := range map[string]string{
		"/v1/workers/0-1-2.SECRET/exchange":        "/v1/workers/0-1-2.***/exchange",
		"/v1/workers/0-1-2.SECRET":                 "/v1/workers/0-1-2.***",
		"/v1/workers/.SECRET.SECRET/exchange/more": "/v1/workers/.***/exchange/more",
		"/v1/workers/0-1-2/exchange":               "/v1/workers/0-1-2/exchange",
		"/v1/workers":                              "/v1/workers",
		"/v1/workers/":                             "/v1/workers/",
		"/v1/jobs/0-1-2.x":                         "/v1/jobs/0-1-2.x",
	} {
		r := httptest.NewRequest(http.MethodPost, path, http.NoBody)
		if got := rest.LoggedPath(r); got != want {
			t.Errorf("%s is logged as %s, want %s", path, got, want)
		}
	}
}

func (r *rig) exchange(id string, x api.Exchange) api.Assignment {
	r.t.Helper()
	body, err := json.Marshal(x)
	must(r.t, err)
	return get[api.Assignment](r.t, r.do("POST", "/v1/workers/"+id+"/exchange", string(body)), http.StatusOK)
}

const doubler = `{"name":"py","slots":2,"functions":[{"name":"double","summary":"twice each","kind":"list"}]}`

// double works until ctx ends, as a worker in any language would.
func (r *rig) double(ctx context.Context, id string) {
	var x api.Exchange
	for ctx.Err() == nil {
		x.Wait = 0.2
		a := r.exchange(id, x)
		x = api.Exchange{}
		for _, l := range a.Leases {
			var in struct{ Items []int }
			must(r.t, json.Unmarshal(l.Input, &in))
			done := api.Complete{Token: l.Token}
			for unit := l.From; unit < l.To; unit++ {
				done.Values = append(done.Values, fmt.Appendf(nil, "%d", 2*in.Items[unit]))
			}
			x.Complete = append(x.Complete, done)
		}
		if len(a.Refused) > 0 {
			r.t.Errorf("refused: %+v", a.Refused)
		}
	}
}

// TestWorkerOverHTTP: a worker in any language declares a function, gets
// leases while it waits, and its values become the answer.
func TestWorkerOverHTTP(t *testing.T) {
	r := newRig(t, t.TempDir())
	problem(t, r.do("POST", "/v1/jobs", `{"function":"double","input":{"items":[1]}}`), http.StatusNotFound, polymath.NotFound, "double")
	id := r.join(doubler)
	ctx, stop := context.WithCancel(t.Context())
	var working sync.WaitGroup
	working.Go(func() { r.double(ctx, id) })
	job := r.finished(`{"function":"double","input":{"items":[1,2,3,4,5]}}`)
	stop()
	working.Wait()
	if string(job.Result) != "[2,4,6,8,10]" {
		t.Errorf("%s", job.Result)
	}
	if f := get[api.Function](t, r.do("GET", "/v1/functions/double", ""), http.StatusOK); !f.Remote || f.Workers != 1 || f.Slots != 2 {
		t.Errorf("%+v", f)
	}
	if a := r.do("DELETE", "/v1/workers/"+id, ""); a.status != http.StatusNoContent {
		t.Errorf("left with %d %s", a.status, a.body)
	}
	problem(t, r.do("POST", "/v1/workers/"+id+"/exchange", `{}`), http.StatusNotFound, polymath.NotFound, "join again")
	problem(t, r.do("DELETE", "/v1/workers/"+id, ""), http.StatusNotFound, polymath.NotFound, "join again")
}

// TestWorkerReports: failures are tried again, leases handed back go to
// others, and what is no lease of the worker's is refused alone.
func TestWorkerReports(t *testing.T) {
	r := newRig(t, t.TempDir())
	id := r.join(doubler)
	accepted := get[api.Job](t, r.do("POST", "/v1/jobs", `{"function":"double","input":{"items":[7]},"attempts":1}`), http.StatusAccepted)
	a := r.exchange(id, api.Exchange{Wait: 30})
	if len(a.Leases) != 1 || a.Leases[0].Job != accepted.ID || a.Leases[0].Attempt != 1 || a.Leases[0].To != 1 {
		t.Fatalf("%+v", a)
	}
	tasks := get[api.TaskList](t, r.do("GET", "/v1/jobs/"+accepted.ID+"/tasks", ""), http.StatusOK)
	if len(tasks.Items) != 1 || tasks.Items[0].Worker != "py" || tasks.Items[0].Session != listed(id) || tasks.Items[0].Token != a.Leases[0].Token {
		t.Errorf("%+v", tasks)
	}
	workers := get[api.WorkerList](t, r.do("GET", "/v1/workers", ""), http.StatusOK)
	if len(workers.Items) != 1 || workers.Items[0].ID != listed(id) || len(workers.Items[0].Leases) != 1 {
		t.Errorf("%+v", workers)
	}
	token := a.Leases[0].Token
	a = r.exchange(id, api.Exchange{
		Complete: []api.Complete{
			{Token: token, Values: []json.RawMessage{[]byte("1"), []byte("2")}},
			{Token: token, Output: "0 1\n", Values: []json.RawMessage{[]byte("1")}},
			{Token: token, Output: strings.Repeat("x", polymath.MaxInlineBytes+1)},
			{Token: "0-1-1-0"}, {Token: "nonsense"},
		},
	})
	for i, code := range []polymath.Code{polymath.InvalidArgument, polymath.InvalidArgument, polymath.TooLarge, polymath.StaleToken, polymath.InvalidArgument} {
		if len(a.Refused) != 5 || a.Refused[i].Error.Code != code.String() {
			t.Fatalf("%d: %+v", i, a.Refused)
		}
	}
	a = r.exchange(id, api.Exchange{Release: []string{token}, Wait: 30})
	if len(a.Leases) != 1 || a.Leases[0].Attempt != 1 || a.Leases[0].Token == token {
		t.Fatalf("after a lease was handed back: %+v", a)
	}
	a = r.exchange(id, api.Exchange{Release: []string{token}, Progress: []api.Progress{{Token: a.Leases[0].Token, Done: 1}}, Fail: []api.Fail{{Token: a.Leases[0].Token, Error: "no paper"}}})
	if len(a.Refused) != 1 || a.Refused[0].Error.Code != "stale_token" {
		t.Errorf("%+v", a)
	}
	job := get[api.Job](t, r.do("GET", "/v1/jobs/"+accepted.ID, "", "Prefer", "wait=60"), http.StatusOK)
	if job.State != "failed" || !strings.Contains(job.Error.Detail, "no paper") {
		t.Errorf("%+v", job)
	}
}

// TestLostAnswer: a lease whose answer was lost on the way is told again to a
// worker that says what it holds, and to no other.
func TestLostAnswer(t *testing.T) {
	r := newRig(t, t.TempDir())
	id := r.join(doubler)
	get[api.Job](t, r.do("POST", "/v1/jobs", `{"function":"double","input":{"items":[7]}}`), http.StatusAccepted)
	first := r.exchange(id, api.Exchange{Wait: 30}).Leases
	if len(first) != 1 {
		t.Fatalf("%+v", first)
	}
	token := first[0].Token
	for i, x := range []api.Exchange{{}, {Holding: &[]string{token}}, {Holding: &[]string{}}} {
		a := r.exchange(id, x)
		if want := i / 2; len(a.Leases) != want || want == 1 && a.Leases[0].Token != token {
			t.Errorf("%d: %+v", i, a)
		}
	}
	last := r.exchange(id, api.Exchange{Complete: []api.Complete{{Token: token, Values: []json.RawMessage{[]byte("14")}}}, Holding: &[]string{}})
	if len(last.Leases)+len(last.Refused) != 0 {
		t.Errorf("after its completion: %+v", last)
	}
}

// TestWorkerHearsOfTheEnd: a lease of a cancelled job is retired.
func TestWorkerHearsOfTheEnd(t *testing.T) {
	r := newRig(t, t.TempDir())
	id := r.join(doubler)
	job := get[api.Job](t, r.do("POST", "/v1/jobs", `{"function":"double","input":{"items":[7]}}`), http.StatusAccepted)
	a := r.exchange(id, api.Exchange{Wait: 30})
	if len(a.Leases) != 1 {
		t.Fatalf("%+v", a)
	}
	get[api.Job](t, r.do("DELETE", "/v1/jobs/"+job.ID, ""), http.StatusOK)
	if b := r.exchange(id, api.Exchange{Wait: 30}); len(b.Retired) != 1 || b.Retired[0] != a.Leases[0].Token {
		t.Errorf("%+v", b)
	}
}

// TestSlotsAreHeldTo: an exchange that changes the slots is answered when that
// is durable, and not before: what is submitted after it is not granted by the
// demand before.
func TestSlotsAreHeldTo(t *testing.T) {
	r := newRig(t, t.TempDir())
	id := r.join(doubler)
	none := uint32(0)
	held, release := r.gate.hold()
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		r.exchange(id, api.Exchange{Slots: &none})
	}()
	<-held
	select {
	case <-answered:
		t.Error("answered before it was durable")
	case <-time.After(100 * time.Millisecond): // nothing else could be heard of
	}
	release()
	<-answered
	get[api.Job](t, r.do("POST", "/v1/jobs", `{"function":"double","input":{"items":[8]}}`), http.StatusAccepted)
	if b := r.exchange(id, api.Exchange{Wait: 0.05}); len(b.Leases) != 0 {
		t.Errorf("without slots: %+v", b)
	}
}

func TestJoinRefusals(t *testing.T) {
	r := newRig(t, t.TempDir())
	for body, want := range map[string]string{
		`{"name":"w","slots":1,"functions":[{"name":"novel"}]}`:                              "say its kind",
		`{"name":"w","slots":1,"functions":[{"name":"primes","kind":"list"}]}`:               "built in",
		`{"name":"w","slots":1,"functions":[{"name":"No","kind":"list"}]}`:                   "lower case",
		`{"name":"w","slots":1,"functions":[{"name":"f","kind":"range"}]}`:                   "reducer",
		`{"name":"w","slots":1,"functions":[{"name":"f","kind":"list","reducer":"median"}]}`: "reducer",
		`{"name":"w","slots":0,"functions":[{"name":"primes"}]}`:                             "slots",
	} {
		a := r.do("POST", "/v1/workers", body)
		if a.status != http.StatusBadRequest && a.status != http.StatusConflict || !strings.Contains(string(a.body), want) {
			t.Errorf("%s: %d %s", body, a.status, a.body)
		}
	}
	id := r.join(`{"name":"w","slots":1,"functions":[{"name":"primes"}],"seconds":0.5}`)
	if w := get[api.WorkerList](t, r.do("GET", "/v1/workers", ""), http.StatusOK); len(w.Items) != 1 || w.Items[0].ID != listed(id) {
		t.Errorf("%+v", w)
	}
}
