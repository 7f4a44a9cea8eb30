package rpc_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"connectrpc.com/connect"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/api/polymathv1"
	"github.com/polymath-run/polymath/api/polymathv1/polymathv1connect"
	"github.com/polymath-run/polymath/internal/service"
)

// TestProtocols: the single calls over every protocol there is (G17).
func TestProtocols(t *testing.T) {
	s := start(t, t.TempDir(), "")
	s.builtin(1)
	for name, c := range map[string]struct {
		two     bool
		options []connect.ClientOption
	}{
		"Connect":                     {true, nil},
		"Connect over HTTP/1.1":       {false, nil},
		"Connect with JSON":           {false, []connect.ClientOption{connect.WithProtoJSON()}},
		"Connect, GET":                {false, []connect.ClientOption{connect.WithHTTPGet()}},
		"gRPC":                        {true, []connect.ClientOption{connect.WithGRPC()}},
		"gRPC-Web":                    {true, []connect.ClientOption{connect.WithGRPCWeb()}},
		"gRPC-Web over HTTP/1.1":      {false, []connect.ClientOption{connect.WithGRPCWeb()}},
		"Connect, compressed by gzip": {true, []connect.ClientOption{connect.WithSendGzip()}},
	} {
		t.Run(name, func(t *testing.T) {
			calls := polymathv1connect.NewPolymathClient(web(t, c.two), s.url(), c.options...)
			if name == "Connect, compressed by gzip" { // it is off, and says so
				_, err := calls.Get(t.Context(), connect.NewRequest(&polymathv1.GetRequest{Job: "j"}))
				if connect.CodeOf(err) != connect.CodeUnimplemented {
					t.Errorf("%v", err)
				}
				return
			}
			everyCall(t, calls)
		})
	}
}

// everyCall makes every single call, one that succeeds and one that is refused.
func everyCall(t *testing.T, calls polymathv1connect.PolymathClient) {
	submitted, err := calls.Submit(t.Context(), connect.NewRequest(&polymathv1.SubmitRequest{Requests: []*polymathv1.Request{
		{Function: "primes", Input: []byte(`{"to": 1000}`)},
		{Function: "nonsense"},
		{Function: "primes", Input: []byte(`{"to": 1000}`), Priority: 1000},
		{Function: "primes", Input: []byte(`{"to": 1000}`), Attempts: 257},
	}}))
	if err != nil {
		t.Fatal(err)
	}
	outcomes := submitted.Msg.GetOutcomes()
	for i, want := range []string{"", "not_found", "invalid_argument", "invalid_argument"} {
		if got := outcomes[i].GetError().GetCode(); got != want {
			t.Errorf("request %d: %v", i, outcomes[i])
		}
	}
	id := outcomes[0].GetJob()
	waited, err := calls.Wait(t.Context(), connect.NewRequest(&polymathv1.WaitRequest{Job: id, Seconds: 60}))
	if err != nil || string(waited.Msg.GetAnswer()) != "168" {
		t.Fatalf("%v, %v", waited, err)
	}
	got, err := calls.Get(t.Context(), connect.NewRequest(&polymathv1.GetRequest{Job: id}))
	if err != nil || got.Msg.GetState() != "succeeded" {
		t.Errorf("%v, %v", got, err)
	}
	unknown := someJob.String()
	for name, call := range map[string]func(id string) error{
		"get": func(id string) error {
			_, err := calls.Get(t.Context(), connect.NewRequest(&polymathv1.GetRequest{Job: id}))
			return err
		},
		"wait": func(id string) error {
			_, err := calls.Wait(t.Context(), connect.NewRequest(&polymathv1.WaitRequest{Job: id}))
			return err
		},
		"cancel": func(id string) error {
			_, err := calls.Cancel(t.Context(), connect.NewRequest(&polymathv1.CancelRequest{Job: id}))
			return err
		},
	} {
		for id, want := range map[string]connect.Code{unknown: connect.CodeNotFound, "nonsense": connect.CodeInvalidArgument} {
			if err := call(id); connect.CodeOf(err) != want {
				t.Errorf("%s %s: %v", name, id, err)
			}
		}
	}
}

// someJob never was.
var someJob = polymath.JobID{Ref: polymath.Ref{Index: polymath.Index{Epoch: 1, Position: 1 << 30}}}

// TestUnaryBounds: a call of more jobs than there may be, one of none, and a
// wait that is over before the job is.
func TestUnaryBounds(t *testing.T) {
	s := start(t, t.TempDir(), "")
	calls := polymathv1connect.NewPolymathClient(web(t, true), s.url())
	many := make([]*polymathv1.Request, service.MaxJobsACall+1)
	for i := range many {
		many[i] = &polymathv1.Request{Function: "primes", Input: []byte(`{"to": 10}`)}
	}
	_, err := calls.Submit(t.Context(), connect.NewRequest(&polymathv1.SubmitRequest{Requests: many}))
	if connect.CodeOf(err) != connect.CodeInvalidArgument || !strings.Contains(err.Error(), "1001") {
		t.Errorf("one too many: %v", err)
	}
	some, err := calls.Submit(t.Context(), connect.NewRequest(&polymathv1.SubmitRequest{Requests: many[:1000]}))
	if err != nil || len(some.Msg.GetOutcomes()) != 1000 {
		t.Fatalf("%v", err)
	}
	_, err = calls.Submit(t.Context(), connect.NewRequest(&polymathv1.SubmitRequest{}))
	if connect.CodeOf(err) != connect.CodeInvalidArgument || !strings.Contains(err.Error(), `give a list of "requests"`) {
		t.Errorf("nothing: %v", err)
	}
	id := some.Msg.GetOutcomes()[0].GetJob()
	waited, err := calls.Wait(t.Context(), connect.NewRequest(&polymathv1.WaitRequest{Job: id, Seconds: 1}))
	if err != nil || waited.Msg.GetState() != "queued" {
		t.Errorf("%v, %v", waited, err)
	}
	for range 2 { // the second time it is over already
		_, err := calls.Cancel(t.Context(), connect.NewRequest(&polymathv1.CancelRequest{Job: id}))
		if err != nil && connect.CodeOf(err) != connect.CodeNotFound {
			t.Error(err)
		}
	}
}

// TestPlainHTTP: the calls are plain HTTP with JSON for whoever has no more
// than that, as the definition of the service says.
func TestPlainHTTP(t *testing.T) {
	s := start(t, t.TempDir(), "")
	s.builtin(1)
	client := web(t, false)
	post := func(call, body string) (int, string) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url()+"/polymath.v1.Polymath/"+call, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		answer, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		text, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		return answer.StatusCode, string(text)
	}
	status, text := post("Submit", fmt.Sprintf(`{"requests":[{"function":"primes","input":%q}]}`, base64.StdEncoding.EncodeToString([]byte(`{"to": 1000}`))))
	var submitted struct{ Outcomes []struct{ Job string } }
	if err := json.Unmarshal([]byte(text), &submitted); status != http.StatusOK || err != nil || len(submitted.Outcomes) != 1 {
		t.Fatalf("%d: %s, %v", status, text, err)
	}
	status, text = post("Wait", fmt.Sprintf(`{"job":%q}`, submitted.Outcomes[0].Job))
	var job struct {
		State  string
		Answer []byte
	}
	if err := json.Unmarshal([]byte(text), &job); status != http.StatusOK || err != nil || string(job.Answer) != "168" {
		t.Errorf("%d: %s, %v", status, text, err)
	}
	for _, c := range []struct {
		call, body string
		want       int
		text       string
	}{
		{"Get", `{"job":"nonsense"}`, 400, "nonsense"},
		{"Get", fmt.Sprintf(`{"job":%q}`, someJob), 404, "not_found"},
		{"Get", `{`, 400, "invalid_argument"},
		{"Get", `{"id":"x"}`, 400, ""},
		{"Nonsense", `{}`, 404, ""},
		{"Submit", `{"requests":[{"input":"` + strings.Repeat("A", 6<<20) + `"}]}`, 429, "larger than"},
	} {
		if status, text := post(c.call, c.body); status != c.want || !strings.Contains(text, c.text) {
			t.Errorf("%s %.50s: %d %s", c.call, c.body, status, text)
		}
	}
}
