package client_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/api"
	"github.com/polymath-run/polymath/client"
)

// submit submits a job, which must be taken.
func submit(t *testing.T, c *client.Client, r client.Request) polymath.JobID {
	t.Helper()
	id, err := c.Submit(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// finish waits for the end of a job, which must be of a state.
func finish(t *testing.T, c *client.Client, id polymath.JobID, want polymath.State) {
	t.Helper()
	j, err := c.Wait(t.Context(), id)
	if err != nil || j.State != want {
		t.Fatalf("%v %v (%v, %v), want %v", id, j.State, j.Err, err, want)
	}
}

// TestJobs reads lists by every filter and page size (P1).
func TestJobs(t *testing.T) {
	c := dial(t, start(t, 1))
	var ids []string
	for n := range 7 {
		r := client.Request{Function: "add", Input: map[string]any{"a": n, "b": 1}}
		if n%2 == 1 {
			r = client.Request{Function: "multiply", Input: map[string]any{"a": n, "b": 1}, Queue: "odd", Tenant: "physics"}
		}
		id := submit(t, c, r)
		finish(t, c, id, polymath.Succeeded)
		ids = append(ids, id.String())
	}
	all := []int{6, 5, 4, 3, 2, 1, 0}
	for _, k := range []struct {
		name   string
		filter client.JobFilter
		want   []int
	}{
		{"all", client.JobFilter{}, all},
		{"pages of one", client.JobFilter{Page: 1}, all},
		{"pages of three", client.JobFilter{Page: 3}, all},
		{"function", client.JobFilter{Function: "add", Page: 2}, []int{6, 4, 2, 0}},
		{"queue", client.JobFilter{Queue: "odd"}, []int{5, 3, 1}},
		{"tenant", client.JobFilter{Tenant: "physics"}, []int{5, 3, 1}},
		{"state", client.JobFilter{State: polymath.Queued}, nil},
		{"after", client.JobFilter{After: ids[2]}, []int{1, 0}},
	} {
		t.Run(k.name, func(t *testing.T) {
			var got, want []string
			for job, err := range c.Jobs(t.Context(), k.filter) {
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, job.ID)
			}
			for _, n := range k.want {
				want = append(want, ids[n])
			}
			if fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("%v, want %v", got, want)
			}
		})
	}
	for job, err := range c.Jobs(t.Context(), client.JobFilter{Page: 2}) { // and is let go
		if err != nil || job.ID != ids[6] {
			t.Errorf("the first is %s, %v", job.ID, err)
		}
		break
	}
}

// TestDetail reads everything about jobs that wait and are cancelled.
func TestDetail(t *testing.T) {
	s := start(t, 0)
	c := dial(t, s)
	waits := submit(t, c, client.Request{Function: "add", Input: `{"a":1,"b":2}`})
	if job, err := c.Detail(t.Context(), waits); err != nil || job.State != "queued" || !strings.Contains(job.Why, "worker") {
		t.Errorf("%+v, %v", job, err)
	}
	if _, err := c.Answer(t.Context(), waits); polymath.CodeOf(err) != polymath.Conflict {
		t.Errorf("the answer of a job that waits: %v", err)
	}
	if tasks, err := c.Tasks(t.Context(), waits); err != nil || len(tasks) != 0 {
		t.Errorf("%v, %v", tasks, err)
	}
	for range 2 { // a second time changes nothing
		if err := c.Cancel(t.Context(), waits); err != nil {
			t.Error(err)
		}
	}
	if job, err := c.Detail(t.Context(), waits); err != nil || job.State != "cancelled" || job.Error == nil || job.Why != "" {
		t.Errorf("%+v, %v", job, err)
	}
	unknown := waits
	unknown.Ref.Index.Position += 1000
	if _, err := c.Detail(t.Context(), unknown); polymath.CodeOf(err) != polymath.NotFound {
		t.Errorf("an unknown job: %v", err)
	}
	if err := c.Cancel(t.Context(), unknown); polymath.CodeOf(err) != polymath.NotFound {
		t.Errorf("cancelling an unknown job: %v", err)
	}
}

// TestAnswer puts pages of a long list together, and reads what is no list.
func TestAnswer(t *testing.T) {
	c := dial(t, start(t, 2))
	for _, k := range []struct {
		function, input string
		elements        int
	}{
		{"primes", `{"from":0,"to":30000,"what":"list"}`, 3245},
		{"primes", `{"from":24,"to":28,"what":"list"}`, 0},
		{"primes", `{"to":100}`, -1},
	} {
		id := submit(t, c, client.Request{Function: k.function, Input: k.input})
		finish(t, c, id, polymath.Succeeded)
		text, err := c.Answer(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		var list []json.RawMessage
		switch err := json.Unmarshal(text, &list); {
		case k.elements < 0:
			if string(text) != "25" {
				t.Errorf("%s", text)
			}
		case err != nil || len(list) != k.elements:
			t.Errorf("%s: %d elements (%v), want %d", k.input, len(list), err, k.elements)
		}
	}
}

// TestDeadLetters lists, reads, requeues and purges them (W9).
func TestDeadLetters(t *testing.T) {
	c := dial(t, start(t, 1))
	id := submit(t, c, client.Request{Function: "fail", Input: `{"units":10,"at":[3,7,9]}`, Attempts: 1, SkipDead: true})
	finish(t, c, id, polymath.Succeeded)
	var units []uint64
	for letter, err := range c.DeadLetters(t.Context(), client.LetterFilter{Job: id, Page: 1}) {
		if err != nil {
			t.Fatal(err)
		}
		units = append(units, uint64(letter.Unit))
	}
	if fmt.Sprint(units) != "[9 7 3]" {
		t.Fatalf("units %v are dead", units)
	}
	letter, err := c.DeadLetter(t.Context(), id, 7)
	if err != nil || !strings.Contains(letter.Error, "unit 7") || letter.Job != id.String() {
		t.Errorf("%+v, %v", letter, err)
	}
	if again, err := c.Requeue(t.Context(), id, 7); err != nil || again == id {
		t.Errorf("%v, %v", again, err)
	}
	if err := c.Purge(t.Context(), id, 3); err != nil {
		t.Error(err)
	}
	for _, unit := range []uint64{3, 7} {
		if _, err := c.DeadLetter(t.Context(), id, unit); polymath.CodeOf(err) != polymath.NotFound {
			t.Errorf("unit %d is still there: %v", unit, err)
		}
	}
	if err := c.PurgeQueue(t.Context(), "", "default"); err != nil {
		t.Error(err)
	}
	if _, err := c.DeadLetter(t.Context(), id, 9); polymath.CodeOf(err) != polymath.NotFound {
		t.Errorf("unit 9 is still there: %v", err)
	}
}

// TestState reads queues, workers, functions and numbers.
func TestState(t *testing.T) {
	c := dial(t, start(t, 2))
	ctx := t.Context()
	weight, limit := uint32(3), uint32(2)
	if _, err := c.SetQueue(ctx, "physics", "a b/c", api.QueuePatch{Weight: &weight, Concurrency: &limit}); err != nil {
		t.Fatal(err)
	}
	queues, err := c.Queues(ctx)
	if err != nil || len(queues) != 1 || queues[0].Name != "a b/c" || queues[0].Tenant != "physics" || queues[0].Weight != 3 {
		t.Errorf("%+v, %v", queues, err)
	}
	if _, err := c.SetQueue(ctx, "", "x", api.QueuePatch{}); polymath.CodeOf(err) != polymath.InvalidArgument {
		t.Errorf("an empty patch: %v", err)
	}
	finish(t, c, submit(t, c, client.Request{Function: "add", Input: `{"a":1,"b":2}`}), polymath.Succeeded)
	if workers, err := c.Workers(ctx); err != nil || len(workers) != 1 || !workers[0].Local {
		t.Errorf("%+v, %v", workers, err)
	}
	if functions, err := c.Functions(ctx); err != nil || len(functions) < 10 {
		t.Errorf("%d functions, %v", len(functions), err)
	}
	if f, err := c.Function(ctx, "primes"); err != nil || f.Workers != 1 || f.Example == nil {
		t.Errorf("%+v, %v", f, err)
	}
	if _, err := c.Function(ctx, "no such"); polymath.CodeOf(err) != polymath.NotFound {
		t.Errorf("an unknown function: %v", err)
	}
	if stats, err := c.Stats(ctx); err != nil || stats.Workers != 1 || stats.Version != "test" {
		t.Errorf("%+v, %v", stats, err)
	}
}

// TestCallsEndWithTheirContext: whoever lets go hears so, by its code.
func TestCallsEndWithTheirContext(t *testing.T) {
	c := dial(t, start(t, 0))
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if _, err := c.Stats(ctx); polymath.CodeOf(err) != polymath.Interrupted {
		t.Errorf("cancelled: %v", err)
	}
	ctx, stop = context.WithTimeout(t.Context(), 0)
	defer stop()
	if _, err := c.Stats(ctx); polymath.CodeOf(err) != polymath.Timeout {
		t.Errorf("late: %v", err)
	}
}

// TestStrangers: what answers is no Polymath, and nobody answers.
func TestStrangers(t *testing.T) {
	web := httptest.NewServer(http.NotFoundHandler())
	defer web.Close()
	for name, server := range map[string]string{"another service": web.URL, "nobody": "http://127.0.0.1:1"} {
		if _, err := client.Dial(t.Context(), server, client.Options{}); polymath.CodeOf(err) != polymath.Unavailable {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := client.Dial(t.Context(), "127.0.0.1", client.Options{}); polymath.CodeOf(err) != polymath.InvalidArgument {
		t.Errorf("no URL: %v", err)
	}
}
