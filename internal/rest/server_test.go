package rest_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/api"
	"github.com/polymath-run/polymath/internal/function/all"
)

// TestRequestAndReply is P1: a request is queued, an identifier leads to
// progress and to the result (P2: 78,498 primes).
func TestRequestAndReply(t *testing.T) {
	r := newRig(t, t.TempDir())
	a := r.do("POST", "/v1/jobs", `{"function":"primes","input":{"to":1000000},"priority":3}`, "Polymath-Tenant", "lab")
	job := get[api.Job](t, a, http.StatusAccepted)
	if a.header.Get("Location") != "/v1/jobs/"+job.ID || a.header.Get("Retry-After") != "1" {
		t.Errorf("headers %v", a.header)
	}
	if job.State != "queued" || job.Tenant != "lab" || job.Queue != "default" || job.Priority != 3 || job.Submitted == nil {
		t.Errorf("accepted as %+v", job)
	}
	waiting := get[api.Job](t, r.do("GET", "/v1/jobs/"+job.ID+"?why=true", ""), http.StatusOK)
	if !strings.Contains(waiting.Why, "primes") {
		t.Errorf("why: %q", waiting.Why)
	}
	if w := get[api.Why](t, r.do("GET", "/v1/jobs/"+job.ID+"/why", ""), http.StatusOK); w.Why != waiting.Why || w.State != "queued" {
		t.Errorf("why: %+v", w)
	}
	problem(t, r.do("GET", "/v1/jobs/"+job.ID+"/result", ""), http.StatusConflict, polymath.Conflict, "no result yet")
	if bar := get[api.Bar](t, r.do("GET", "/v1/jobs/"+job.ID+"/bar", ""), http.StatusOK); bar.Units != job.Units || bar.Buckets[0].Waiting != 1000 {
		t.Errorf("bar %+v", bar)
	}

	r.work(all.Set(true))
	a = r.do("GET", "/v1/jobs/"+job.ID+"?consistency=linearizable", "", "Prefer", "wait=60")
	job = get[api.Job](t, a, http.StatusOK)
	if job.State != "succeeded" || string(job.Result) != "78498" || job.Done != job.Units || job.Finished == nil {
		t.Errorf("finished as %s", a.body)
	}
	result := get[api.Result](t, r.do("GET", "/v1/jobs/"+job.ID+"/result", ""), http.StatusOK)
	if string(result.Result) != "78498" || result.Function != "primes" {
		t.Errorf("result %+v", result)
	}
	if bar := get[api.Bar](t, r.do("GET", "/v1/jobs/"+job.ID+"/bar", ""), http.StatusOK); bar.Buckets[0].Done != 1000 {
		t.Errorf("bar %+v", bar)
	}
	if tasks := get[api.TaskList](t, r.do("GET", "/v1/jobs/"+job.ID+"/tasks", ""), http.StatusOK); len(tasks.Items) != 0 {
		t.Errorf("tasks of a finished job: %+v", tasks)
	}
}

func TestIdempotency(t *testing.T) {
	r := newRig(t, t.TempDir())
	const request = `{"function":"primes","input":{"to":1000}}`
	first := get[api.Job](t, r.do("POST", "/v1/jobs", request, "Idempotency-Key", "k"), http.StatusAccepted)
	again := get[api.Job](t, r.do("POST", "/v1/jobs", ` {"input": {"to":1e3}, "function": "primes"}`, "Idempotency-Key", "k"), http.StatusAccepted)
	if first.ID != again.ID {
		t.Errorf("the same key led to %s and %s", first.ID, again.ID)
	}
	inBody := get[api.Job](t, r.do("POST", "/v1/jobs", `{"function":"primes","input":{"to":1000},"key":"k"}`), http.StatusAccepted)
	if first.ID != inBody.ID {
		t.Errorf("a key in the body led to %s, not %s", inBody.ID, first.ID)
	}
	problem(t, r.do("POST", "/v1/jobs", `{"function":"primes","input":{"to":1001}}`, "Idempotency-Key", "k"),
		http.StatusUnprocessableEntity, polymath.KeyReused, "")
	other := get[api.Job](t, r.do("POST", "/v1/jobs", request, "Idempotency-Key", "k", "Polymath-Tenant", "other"), http.StatusAccepted)
	if other.ID == first.ID {
		t.Error("a key of another tenant led to the same job")
	}
}

// TestOneKeyAMillionTimes: repeating a request on a real node makes one job,
// and what the shard holds in memory does not grow.
func TestOneKeyAMillionTimes(t *testing.T) {
	calls := 1_000_000 / api.MaxSubmits
	if testing.Short() {
		calls = 10
	}
	r := newRig(t, t.TempDir())
	const request = `{"function":"primes","input":{"to":1000},"key":"k"}`
	body := "[" + strings.Repeat(request+",", api.MaxSubmits-1) + request + "]"
	first := get[api.Job](t, r.do("POST", "/v1/jobs", request), http.StatusAccepted).ID
	before := get[api.Stats](t, r.do("GET", "/v1/stats", ""), http.StatusOK)
	for range calls {
		list := get[api.SubmittedList](t, r.do("POST", "/v1/jobs", body), http.StatusAccepted)
		for _, item := range list.Items {
			if item.ID != first || !item.Existing {
				t.Fatalf("%+v, want %s", item, first)
			}
		}
	}
	after := get[api.Stats](t, r.do("GET", "/v1/stats", ""), http.StatusOK)
	if after.Jobs != 1 || after.Bytes != before.Bytes {
		t.Errorf("%d jobs of %d bytes, %d bytes before", after.Jobs, after.Bytes, before.Bytes)
	}
}

func TestSubmitMany(t *testing.T) {
	r := newRig(t, t.TempDir())
	r.work(all.Set(true))
	a := r.do("POST", "/v1/jobs", `[
		{"function":"add","input":{"a":1,"b":2}},
		{"function":"no such"},
		{"function":"add","input":{"a":1}},
		{"function":"add","input":{"a":1,"b":2},"prio":1},
		{"function":"add","input":{"a":1,"b":2},"priority":1000},
		7,
		{"function":"add","input":{"a":"9007199254740993","b":0}}
	]`)
	list := get[api.SubmittedList](t, a, http.StatusAccepted)
	if list.Accepted != 2 || list.Refused != 5 || len(list.Items) != 7 {
		t.Fatalf("%s", a.body)
	}
	for i, part := range map[int]string{1: "no such", 2: "b", 3: "[3].prio", 4: "[4].priority", 5: "[5]"} {
		if p := list.Items[i].Error; p == nil || !strings.Contains(p.Detail, part) {
			t.Errorf("item %d: %+v, want %q", i, p, part)
		}
	}
	for i, want := range map[int]string{0: "3", 6: `"9007199254740993"`} {
		job := get[api.Job](t, r.do("GET", "/v1/jobs/"+list.Items[i].ID, "", "Prefer", "wait=60"), http.StatusOK)
		if string(job.Result) != want {
			t.Errorf("item %d: %s, want %s", i, job.Result, want)
		}
	}
}

func TestResultPages(t *testing.T) {
	r := newRig(t, t.TempDir())
	r.work(all.Set(true))
	numbers := make([]string, 250)
	for i := range numbers {
		numbers[i] = fmt.Sprint(i)
	}
	job := r.finished(`{"function":"isprime","input":{"numbers":[` + strings.Join(numbers, ",") + `]}}`)
	var all []json.RawMessage
	cursor := ""
	for {
		page := get[api.Result](t, r.do("GET", "/v1/jobs/"+job.ID+"/result?limit=100"+cursor, ""), http.StatusOK)
		all = append(all, page.Items...)
		if page.Total == nil || *page.Total != 250 {
			t.Fatalf("total %v", page.Total)
		}
		if page.Next == "" {
			break
		}
		cursor = "&cursor=" + page.Next
	}
	if len(all) != 250 || string(all[2]) != "true" || string(all[249]) != "false" {
		t.Errorf("%d items: %s", len(all), all)
	}
	for _, bad := range []string{"x", "-1", "251", "01"} {
		problem(t, r.do("GET", "/v1/jobs/"+job.ID+"/result?cursor="+bad, ""), http.StatusBadRequest, polymath.InvalidArgument, "cursor")
	}
}

func TestListAndCancel(t *testing.T) {
	r := newRig(t, t.TempDir())
	var ids []string
	for i := range 25 {
		queue := fmt.Sprint("q", i%2)
		job := get[api.Job](t, r.do("POST", "/v1/jobs", `{"function":"primes","input":{"to":10},"queue":"`+queue+`"}`), http.StatusAccepted)
		ids = append([]string{job.ID}, ids...)
	}
	var got []string
	for cursor := ""; ; {
		page := get[api.JobList](t, r.do("GET", "/v1/jobs?limit=10"+cursor, ""), http.StatusOK)
		for _, j := range page.Items {
			got = append(got, j.ID)
		}
		if page.Next == "" {
			break
		}
		cursor = "&cursor=" + page.Next
	}
	if fmt.Sprint(got) != fmt.Sprint(ids) {
		t.Errorf("listed %v, want %v", got, ids)
	}
	if page := get[api.JobList](t, r.do("GET", "/v1/jobs?queue=q1&state=queued&function=primes&tenant=default", ""), http.StatusOK); len(page.Items) != 12 {
		t.Errorf("%d jobs of q1", len(page.Items))
	}
	for _, verb := range [][2]string{{"POST", "/v1/jobs/" + ids[0] + "/cancel"}, {"DELETE", "/v1/jobs/" + ids[1]}} {
		for range 2 { // the second changes nothing and says so
			job := get[api.Job](t, r.do(verb[0], verb[1], ""), http.StatusOK)
			if job.State != "cancelled" || job.Error == nil || job.Error.Code != "cancelled" {
				t.Errorf("%v: %+v", verb, job)
			}
		}
	}
	if page := get[api.JobList](t, r.do("GET", "/v1/jobs?state=cancelled", ""), http.StatusOK); len(page.Items) != 2 {
		t.Errorf("%d cancelled", len(page.Items))
	}
	problem(t, r.do("GET", "/v1/jobs/"+ids[0]+"/result", ""), http.StatusConflict, polymath.Conflict, "cancelled")
	problem(t, r.do("DELETE", "/v1/jobs/j00zzzzzz", ""), http.StatusBadRequest, polymath.InvalidArgument, "no job id")
	missing := polymath.JobID{Ref: polymath.Ref{Index: polymath.Index{Epoch: 1, Position: 1 << 40}}}.String()
	for _, path := range []string{"", "/result", "/tasks", "/why", "/bar", "/events"} {
		problem(t, r.do("GET", "/v1/jobs/"+missing+path, ""), http.StatusNotFound, polymath.NotFound, missing)
	}
}

// TestDeadLetters is W9: list, inspect, requeue, purge.
func TestDeadLetters(t *testing.T) {
	r := newRig(t, t.TempDir())
	r.work(all.Set(true))
	for range 3 {
		a := r.do("POST", "/v1/jobs", `{"function":"fail","input":{"units":4,"at":[2]},"attempts":1,"queue":"bad"}`, "Prefer", "wait=60")
		job := get[api.Job](t, a, http.StatusOK)
		if job.State != "failed" || job.Error == nil {
			t.Fatalf("%s", a.body)
		}
		want := api.Problem{Type: "urn:polymath:problem:job_failed", Title: "Failed", Detail: job.Error.Detail, Instance: "/v1/jobs/" + job.ID, Code: "job_failed"}
		if *job.Error != want || want.Detail == "" || strings.Contains(string(a.body), `"status"`) {
			t.Errorf("%s", a.body)
		}
	}
	first := get[api.DeadLetterList](t, r.do("GET", "/v1/dead-letters?limit=2", ""), http.StatusOK)
	second := get[api.DeadLetterList](t, r.do("GET", "/v1/dead-letters?limit=2&cursor="+first.Next, ""), http.StatusOK)
	if len(first.Items) != 2 || len(second.Items) != 1 || second.Next != "" {
		t.Fatalf("%+v, %+v", first, second)
	}
	letter := first.Items[0]
	if letter.Unit != 2 || letter.Queue != "bad" || letter.Function != "fail" || letter.Error == "" || letter.Worker != "inside" || letter.Time.IsZero() {
		t.Errorf("%+v", letter)
	}
	path := "/v1/dead-letters/" + letter.Job + "/2"
	if got := get[api.DeadLetter](t, r.do("GET", path, ""), http.StatusOK); got != letter {
		t.Errorf("inspected %+v, listed %+v", got, letter)
	}
	a := r.do("POST", path+"/requeue", "")
	anew := get[api.Submitted](t, a, http.StatusAccepted)
	if a.header.Get("Location") != "/v1/jobs/"+anew.ID || anew.ID == letter.Job {
		t.Errorf("requeued as %+v", anew)
	}
	problem(t, r.do("GET", path, ""), http.StatusNotFound, polymath.NotFound, "no dead letter")
	problem(t, r.do("POST", path+"/requeue", ""), http.StatusNotFound, polymath.NotFound, "no dead letter")
	get[api.Job](t, r.do("GET", "/v1/jobs/"+anew.ID, "", "Prefer", "wait=60"), http.StatusOK)

	purge := "/v1/dead-letters/" + first.Items[1].Job + "/2"
	if a := r.do("DELETE", purge, ""); a.status != http.StatusNoContent || len(a.body) != 0 {
		t.Errorf("purged with %d %s", a.status, a.body)
	}
	problem(t, r.do("DELETE", purge, ""), http.StatusNotFound, polymath.NotFound, "no dead letter")
	problem(t, r.do("DELETE", "/v1/dead-letters", ""), http.StatusBadRequest, polymath.InvalidArgument, "queue")
	if list := get[api.DeadLetterList](t, r.do("GET", "/v1/dead-letters?queue=bad&tenant=default", ""), http.StatusOK); len(list.Items) != 2 {
		t.Errorf("%d are left", len(list.Items))
	}
	if a := r.do("DELETE", "/v1/dead-letters?queue=bad", ""); a.status != http.StatusNoContent {
		t.Errorf("purged with %d %s", a.status, a.body)
	}
	if list := get[api.DeadLetterList](t, r.do("GET", "/v1/dead-letters?job="+anew.ID, ""), http.StatusOK); len(list.Items) != 0 {
		t.Errorf("%+v are left", list.Items)
	}
}

func TestQueues(t *testing.T) {
	r := newRig(t, t.TempDir())
	q := get[api.Queue](t, r.do("PATCH", "/v1/queues/default/night", `{"paused":true,"weight":5}`), http.StatusOK)
	if !q.Paused || q.Weight != 5 || q.Concurrency != 0 {
		t.Errorf("%+v", q)
	}
	r.work(all.Set(true))
	job := get[api.Job](t, r.do("POST", "/v1/jobs", `{"function":"add","input":{"a":1,"b":1},"queue":"night"}`), http.StatusAccepted)
	if w := get[api.Why](t, r.do("GET", "/v1/jobs/"+job.ID+"/why", ""), http.StatusOK); !strings.Contains(w.Why, "paused") {
		t.Errorf("why: %s", w.Why)
	}
	q = get[api.Queue](t, r.do("PATCH", "/v1/queues/default/night", `{"paused":false,"concurrency":3}`), http.StatusOK)
	if q.Paused || q.Weight != 5 || q.Concurrency != 3 {
		t.Errorf("what is left out must stay: %+v", q)
	}
	get[api.Job](t, r.do("GET", "/v1/jobs/"+job.ID, "", "Prefer", "wait=60"), http.StatusOK)
	list := get[api.QueueList](t, r.do("GET", "/v1/queues", ""), http.StatusOK)
	if len(list.Items) == 0 || list.Items[0].Name != "night" {
		t.Errorf("%+v", list)
	}
	problem(t, r.do("PATCH", "/v1/queues/default/night", `{}`), http.StatusBadRequest, polymath.InvalidArgument, "empty")
	problem(t, r.do("PATCH", "/v1/queues/default/night", `{"weight":0}`), http.StatusBadRequest, polymath.InvalidArgument, "weight")
}

func TestServerState(t *testing.T) {
	r := newRig(t, t.TempDir())
	r.work(all.Set(true))
	r.finished(`{"function":"primes","input":{"to":100000}}`)
	functions := get[api.FunctionList](t, r.do("GET", "/v1/functions", ""), http.StatusOK)
	if len(functions.Items) < 10 {
		t.Errorf("%d functions", len(functions.Items))
	}
	f := get[api.Function](t, r.do("GET", "/v1/functions/primes", ""), http.StatusOK)
	if f.Workers != 1 || f.Slots == 0 || len(f.Params) == 0 || f.Example == nil || f.Remote {
		t.Errorf("%+v", f)
	}
	problem(t, r.do("GET", "/v1/functions/nothing", ""), http.StatusNotFound, polymath.NotFound, "there are")
	workers := get[api.WorkerList](t, r.do("GET", "/v1/workers", ""), http.StatusOK)
	if len(workers.Items) != 1 || workers.Items[0].Name != "inside" || !workers.Items[0].Local {
		t.Errorf("%+v", workers)
	}
	stats := get[api.Stats](t, r.do("GET", "/v1/stats?consistency=linearizable", ""), http.StatusOK)
	if stats.Version != "v0" || stats.Node != "n" || stats.Workers != 1 || stats.Jobs != 0 || stats.MaxJobs == 0 || stats.Index == "" {
		t.Errorf("%+v", stats)
	}
	h := get[api.History](t, r.do("GET", "/v1/history", ""), http.StatusOK)
	var submitted api.Count
	for _, p := range h.Points {
		submitted += p.Submitted
	}
	if h.Seconds != 1 || submitted != 1 {
		t.Errorf("%+v", h)
	}
	if h := get[api.History](t, r.do("GET", "/v1/history?step=10s&to="+time.Unix(1, 0).UTC().Format(time.RFC3339), ""), http.StatusOK); h.Seconds != 10 || len(h.Points) != 0 {
		t.Errorf("%+v", h)
	}
	spans := get[api.SpanList](t, r.do("GET", "/v1/tasks?limit=1000", ""), http.StatusOK)
	if len(spans.Items) == 0 || spans.Items[0].Outcome != "completed" || spans.Items[0].Worker != "inside" {
		t.Errorf("%+v", spans)
	}
	rest := get[api.SpanList](t, r.do("GET", "/v1/tasks?cursor="+spans.Next, ""), http.StatusOK)
	if len(rest.Items) != 0 || rest.More || rest.Gap {
		t.Errorf("%+v", rest)
	}
	for _, path := range []string{"/livez", "/readyz"} {
		if a := r.do("GET", path, ""); a.status != http.StatusOK {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
}

// TestConsistency: each level is taken, and none is older than what was
// acknowledged to this client.
func TestConsistency(t *testing.T) {
	r := newRig(t, t.TempDir())
	for _, level := range []string{"linearizable", "causal", "sequential", "eventual"} {
		job := get[api.Job](t, r.do("POST", "/v1/jobs", `{"function":"primes","input":{"to":10}}`), http.StatusAccepted)
		get[api.Job](t, r.do("GET", "/v1/jobs/"+job.ID+"?consistency="+level, ""), http.StatusOK)
		page := get[api.JobList](t, r.do("GET", "/v1/jobs?limit=1&consistency="+level, ""), http.StatusOK)
		if len(page.Items) != 1 || page.Items[0].ID != job.ID {
			t.Errorf("%s: the newest job is %+v, not %s", level, page.Items, job.ID)
		}
	}
	problem(t, r.do("GET", "/v1/jobs?consistency=strong", ""), http.StatusBadRequest, polymath.InvalidArgument, "consistency")
}
