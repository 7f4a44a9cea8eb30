package rest_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/api"
	"github.com/polymath-run/polymath/internal/rest"
)

// FuzzBodies: whatever is sent, each body is read whole or refused as invalid;
// what was read is read the same from what is written of it.
func FuzzBodies(f *testing.F) {
	h := rest.New(newFake(), rest.Options{})
	for _, seed := range []string{
		`{"function":"add","input":{"a":1,"b":2},"deadline":"2026-01-01T00:00:00Z"}`, doubler,
		`{"progress":[{"token":"0-1-1-0","done":"18446744073709551615"}],"wait_seconds":1}`, `{"paused":true,"weight":1}`,
		`{"complete":[{"token":"t","values":[1,{"a":[]}]}]}`, `{"Function":"x"}`, `[`, `"`, `{"function":"\ud800"}`, "\xff", strings.Repeat("[", 100),
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, v := range []any{new(api.Submit), new(api.Join), new(api.Exchange), new(api.QueuePatch)} {
			if err := rest.Decode(h, data, v); err != nil {
				if polymath.CodeOf(err) != polymath.InvalidArgument || !utf8.ValidString(err.Error()) && utf8.Valid(data) {
					t.Errorf("%T of %q: %v", v, data, err)
				}
				continue
			}
			text, err := json.Marshal(v)
			must(t, err)
			again := map[string]any{}
			must(t, json.Unmarshal(text, &again))
		}
	})
}

// FuzzRequests: every request has an answer that is JSON, and every refusal is
// a problem.
func FuzzRequests(f *testing.F) {
	b := newFake()
	b.hub.Close()
	h := rest.New(b, rest.Options{})
	f.Add("POST", "/v1/jobs", "wait=0", "0:1.2:3", []byte(add))
	f.Add("GET", "/v1/jobs/j0004n00", "wait=1;x", "", []byte{})
	f.Add("GET", "/v1/events", "", "7", []byte{})
	f.Add("DELETE", "/v1/jobs/%2f..", ",;=", "", []byte("x"))
	f.Fuzz(func(t *testing.T, method, path, prefer, last string, body []byte) {
		if strings.Contains(prefer, "wait") {
			prefer = "" // it may take a minute
		}
		req, err := http.NewRequest(method, "http://x/"+path, http.NoBody)
		if err != nil || !strings.HasPrefix(req.URL.Path, "/v1/jobs") && !strings.HasPrefix(req.URL.Path, "/v1/events") {
			return // the fake has no more
		}
		defer func() {
			// A nil method of the fake: the request was understood.
			if r := recover(); r != nil && !strings.Contains(r.(error).Error(), "nil pointer") {
				panic(r)
			}
		}()
		a := handle(t.Context(), h, method, req.URL.RequestURI(), string(body), "Prefer", prefer, "Last-Event-ID", last)
		if a.status >= 400 {
			problem(t, a, a.status, codeIn(t, a), "")
			return
		}
		if a.status == http.StatusOK && a.header.Get("Content-Type") == "application/json" && !json.Valid(a.body) {
			t.Errorf("%s", a.body)
		}
	})
}

func codeIn(t *testing.T, a reply) polymath.Code {
	var p api.Problem
	must(t, json.Unmarshal(a.body, &p))
	for _, c := range polymath.Codes() {
		if c.String() == p.Code {
			return c
		}
	}
	return 0
}

// FuzzResultPage: pages put together are the list, whatever the cursor is.
func FuzzResultPage(f *testing.F) {
	f.Add(7, 3, "2")
	f.Add(0, 1, "-1")
	f.Fuzz(func(t *testing.T, length, limit int, cursor string) {
		length, limit = min(max(length, 0), 500), min(max(limit, 1), api.MaxPage)
		list := make([]int, length)
		for i := range list {
			list[i] = i
		}
		answer, err := json.Marshal(list)
		must(t, err)
		if items, _, err := rest.ResultPage(answer, cursor, limit); err == nil && len(items) > limit {
			t.Errorf("%d items of %d", len(items), limit)
		}
		var all []json.RawMessage
		for next := ""; ; {
			var items []json.RawMessage
			items, next, err = rest.ResultPage(answer, next, limit)
			must(t, err)
			if all = append(all, items...); next == "" {
				break
			}
		}
		if back, err := json.Marshal(append([]json.RawMessage{}, all...)); err != nil || string(back) != string(answer) {
			t.Errorf("%s became %s (%v)", answer, back, err)
		}
	})
}
