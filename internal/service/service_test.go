package service

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/catalog"
	"github.com/polymath-run/polymath/internal/function/all"
	"github.com/polymath-run/polymath/internal/function/remote"
)

func newService() *Service { return New(nil, catalog.New(all.Set(false))) }

func good() Request {
	return Request{Function: "primes", Input: []byte(`{"to": 1000}`)}
}

// TestRefusals: every bound of a request has its words.
func TestRefusals(t *testing.T) {
	s := newService()
	for name, c := range map[string]struct {
		change func(*Request)
		want   polymath.Code
		text   string
	}{
		"no function":        {func(r *Request) { r.Function = "" }, polymath.InvalidArgument, "which function"},
		"an unknown one":     {func(r *Request) { r.Function = "nonsense" }, polymath.NotFound, "primes"},
		"a long tenant":      {func(r *Request) { r.Tenant = strings.Repeat("x", 65) }, polymath.InvalidArgument, "64"},
		"a strange tenant":   {func(r *Request) { r.Tenant = "\xff" }, polymath.InvalidArgument, "UTF-8"},
		"a long queue":       {func(r *Request) { r.Options.Queue = strings.Repeat("x", 65) }, polymath.InvalidArgument, "64"},
		"a tenant's escape":  {func(r *Request) { r.Tenant = "\x1b[2J" }, polymath.InvalidArgument, "print"},
		"a queue's line":     {func(r *Request) { r.Options.Queue = "a\nb" }, polymath.InvalidArgument, "print"},
		"a strange queue":    {func(r *Request) { r.Options.Queue = "\xff" }, polymath.InvalidArgument, "UTF-8"},
		"a low priority":     {func(r *Request) { r.Options.Priority = -101 }, polymath.InvalidArgument, "-100"},
		"a high priority":    {func(r *Request) { r.Options.Priority = 101 }, polymath.InvalidArgument, "100"},
		"many attempts":      {func(r *Request) { r.Options.Attempts = 21 }, polymath.InvalidArgument, "20"},
		"an early beginning": {func(r *Request) { r.Options.NotBefore = -1 }, polymath.InvalidArgument, "1970"},
		"an early end":       {func(r *Request) { r.Options.Deadline = -1 }, polymath.InvalidArgument, "1970"},
		"a long key":         {func(r *Request) { r.Key = strings.Repeat("k", 256) }, polymath.InvalidArgument, "255"},
		"a short ticket":     {func(r *Request) { r.Ticket = []byte("short") }, polymath.InvalidArgument, "16"},
		"a zero ticket":      {func(r *Request) { r.Ticket = make([]byte, 16) }, polymath.InvalidArgument, "zeros"},
		"both":               {func(r *Request) { r.Ticket, r.Key = []byte("0123456789abcdef"), "k" }, polymath.InvalidArgument, "not both"},
		"a bad input":        {func(r *Request) { r.Input = []byte(`{"to": -1}`) }, polymath.InvalidArgument, "to"},
	} {
		t.Run(name, func(t *testing.T) {
			r := good()
			c.change(&r)
			if _, _, err := s.Prepare(&r); polymath.CodeOf(err) != c.want || !strings.Contains(err.Error(), c.text) {
				t.Errorf("%v", err)
			}
		})
	}
	r := good()
	r.Tenant, r.Options.Queue, r.Key = strings.Repeat("t", 64), strings.Repeat("q", 64), strings.Repeat("k", 255)
	r.Options.Priority, r.Options.Attempts = 100, 20
	if _, _, err := s.Prepare(&r); err != nil {
		t.Errorf("all at its bound: %v", err)
	}
}

// TestDefaults: nothing named is the default tenant and no key.
func TestDefaults(t *testing.T) {
	s := newService()
	if err := s.Catalog().Declare([]remote.Declaration{{Name: "f", Kind: remote.Call, Reducer: polymath.Collect}}); err != nil {
		t.Fatal(err)
	}
	tenant, spec, err := s.Prepare(&Request{Function: "f"})
	want := polymath.Spec{Function: "f", Input: []byte("{}"), Plan: polymath.Plan{Units: 1, Reducer: polymath.Collect}}
	if err != nil || tenant != DefaultTenant || !reflect.DeepEqual(spec, want) {
		t.Errorf("%q, %+v, %v", tenant, spec, err)
	}
}

// TestKeys: the same request has the same key and body however it is written;
// with any field changed it has another, under a key as under a ticket.
func TestKeys(t *testing.T) {
	s := newService()
	f := remote.Declaration{Name: "f", Kind: remote.Range, Reducer: polymath.Sum}
	g := f
	g.Name = "g"
	if err := s.Catalog().Declare([]remote.Declaration{f, g}); err != nil {
		t.Fatal(err)
	}
	prepare := func(r Request) polymath.Options {
		t.Helper()
		_, spec, err := s.Prepare(&r)
		if err != nil {
			t.Fatal(err)
		}
		return spec.Options
	}
	for _, base := range []Request{
		{Function: "f", Input: []byte(`{"to": 1000}`), Key: "k"},
		{Function: "f", Input: []byte(`{"to": 1000}`), Ticket: []byte("0123456789abcdef")},
	} {
		first := prepare(base)
		if first.Key == [16]byte{} || first.Body == [16]byte{} {
			t.Errorf("%+v has no key or no body", first)
		}
		written := base
		written.Input, written.Tenant = []byte("{ \"to\" :\n1e3 }"), DefaultTenant
		if same := prepare(written); same.Key != first.Key || same.Body != first.Body {
			t.Errorf("the same request, written in another way: %x, %x", first.Body, same.Body)
		}
		seen := map[[32]byte]string{[32]byte(append(first.Key[:], first.Body[:]...)): "first"}
		for name, change := range map[string]func(*Request){
			"function":      func(r *Request) { r.Function = "g" },
			"input":         func(r *Request) { r.Input = []byte(`{"to": 1001}`) },
			"tenant":        func(r *Request) { r.Tenant = "other" },
			"queue":         func(r *Request) { r.Options.Queue = "other" },
			"priority":      func(r *Request) { r.Options.Priority = 1 },
			"attempts":      func(r *Request) { r.Options.Attempts = 1 },
			"skip dead":     func(r *Request) { r.Options.SkipDead = true },
			"not before":    func(r *Request) { r.Options.NotBefore = 1 },
			"deadline":      func(r *Request) { r.Options.Deadline = 1 },
			"deadline 64":   func(r *Request) { r.Options.Deadline = 64 },
			"two times":     func(r *Request) { r.Options.NotBefore, r.Options.Deadline = 64, 1 },
			"two times too": func(r *Request) { r.Options.NotBefore, r.Options.Deadline = 1, 64 },
		} {
			r := base
			change(&r)
			o := prepare(r)
			both := [32]byte(append(o.Key[:], o.Body[:]...))
			if was, twice := seen[both]; twice {
				t.Errorf("%s looks like %s", name, was)
			}
			seen[both] = name
			if name != "tenant" && o.Key != first.Key {
				t.Errorf("%s: another key", name)
			}
		}
	}
	if a, b := hash([]byte("ab"), []byte("c")), hash([]byte("a"), []byte("bc")); a == b {
		t.Error("two lists of parts look alike")
	}
}

// TestAnswerOfOrphan: a job whose function nobody knows any more is still read.
func TestAnswerOfOrphan(t *testing.T) {
	s := newService()
	for _, c := range []struct {
		job  polymath.Job
		want string
	}{
		{polymath.Job{Function: "gone", Reducer: polymath.Sum, Result: []byte("12")}, "12"},
		{polymath.Job{Function: "gone", Reducer: polymath.Min}, "null"},
		{polymath.Job{Function: "gone", Reducer: polymath.Collect, Input: []byte(`{"items":[1,2]}`), Result: []byte("0 5\n1 6\n")}, "[5,6]"},
		{polymath.Job{Function: "gone", Reducer: polymath.Collect, Input: []byte(`{}`), Result: []byte(`{"a":1}`)}, `{"a":1}`},
		{polymath.Job{Function: "gone", Reducer: polymath.Collect, Input: []byte(`{}`), Result: []byte("a\x00b")}, `"a\u0000b"`},
	} {
		if got, err := s.Answer(&c.job); err != nil || string(got) != c.want || !json.Valid(got) {
			t.Errorf("%s, %v; want %s", got, err, c.want)
		}
	}
}

// TestAnswerOfAnotherKind: a function that was declared anew in another way
// does not hide the answers of the jobs before.
func TestAnswerOfAnotherKind(t *testing.T) {
	s := newService()
	if err := s.Catalog().Declare([]remote.Declaration{{Name: "f", Kind: remote.List, Reducer: polymath.Collect}}); err != nil {
		t.Fatal(err)
	}
	job := polymath.Job{Function: "f", Reducer: polymath.Sum, Input: []byte(`{"from":0,"to":3}`), Result: []byte("6")}
	if got, err := s.Answer(&job); err != nil || string(got) != "6" {
		t.Errorf("%s, %v", got, err)
	}
	job = polymath.Job{Function: "f", Reducer: polymath.Collect, Input: []byte(`{}`), Result: []byte(`"hello"`)}
	if got, err := s.Answer(&job); err != nil || string(got) != `"hello"` {
		t.Errorf("%s, %v", got, err)
	}
	if err := s.Catalog().Declare([]remote.Declaration{{Name: "g", Kind: remote.Call, Reducer: polymath.Collect}}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, function, input, result, want string }{
		{"a list, now a call", "g", `{"items":[1,2]}`, "0 5\n1 6\n", "[5,6]"},
		{"a list of one, now a call", "g", `{"items":[1]}`, "0 5\n", "[5]"},
		{"an empty list, now a call", "g", `{"items":[]}`, "", "[]"},
		{"a call with items, now a list", "f", `{"items":[1]}`, `"hello"`, `"hello"`},
		{"lost units of a list, now a call", "g", `{"items":[1,2]}`, "1 6\n", "[null,6]"},
	} {
		var in struct{ Items []int }
		if err := json.Unmarshal([]byte(c.input), &in); err != nil {
			t.Fatal(err)
		}
		job := polymath.Job{Function: c.function, Reducer: polymath.Collect, Units: uint64(len(in.Items)), Input: []byte(c.input), Result: []byte(c.result)}
		if got, err := s.Answer(&job); err != nil || string(got) != c.want {
			t.Errorf("%s: %s, %v; want %s", c.name, got, err, c.want)
		}
	}
}

// TestWaits: the places are counted.
func TestWaits(t *testing.T) {
	s := newService()
	for range MaxWaiting {
		if err := s.BeginWait(); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		if err := s.BeginWait(); polymath.CodeOf(err) != polymath.Overloaded {
			t.Errorf("one too many: %v", err)
		}
	}
	s.EndWait()
	if err := s.BeginWait(); err != nil {
		t.Error(err)
	}
}
