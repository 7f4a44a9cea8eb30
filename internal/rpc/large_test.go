package rpc_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/api/polymathv1"
	"github.com/polymath-run/polymath/client"
	"github.com/polymath-run/polymath/internal/catalog"
	"github.com/polymath-run/polymath/internal/function/lines"
)

// grow makes a job whose answer is a list with so many elements of 50,000
// bytes, and returns it.
func grow(r *raw, elements int) (id polymath.JobID, answer string) {
	r.t.Helper()
	r.demand(r.join(&polymathv1.Declaration{Name: "grow", Kind: "list", Reducer: "collect", Micros: 1_000_000}), 1, "grow")
	id = r.submit("grow", `{"items":[0`+strings.Repeat(",0", elements-1)+`]}`)
	value := quoted(strings.Repeat("x", 50_000))
	for done := 0; done < elements; {
		g := r.grant()
		if g.GetTo()-g.GetFrom() != 1 {
			r.t.Fatalf("a lease of %d elements", g.GetTo()-g.GetFrom())
		}
		r.refused("report", r.report(g.GetToken(), polymathv1.Report_COMPLETE, string(lines.Append(nil, g.GetFrom(), value))), 0)
		done++
	}
	return id, "[" + value + strings.Repeat(","+value, elements-1) + "]"
}

// TestLargeAnswers: many large answers asked for at once come in messages that
// can be read, also when they have to wait for the reader.
func TestLargeAnswers(t *testing.T) {
	for name, unsent := range map[string]int{"room for all": 64 << 20, "room for one": 1} {
		t.Run(name, func(t *testing.T) {
			s := start(t, t.TempDir(), "")
			s.calls.Bound(time.Minute, unsent)
			r := s.raw()
			id, want := grow(r, 20)
			m := &polymathv1.Calls{}
			for range 40 {
				m.Gets = append(m.Gets, &polymathv1.JobCall{Call: r.next(), Job: id.String()})
				m.Waits = append(m.Waits, &polymathv1.JobCall{Call: r.next(), Job: id.String()})
			}
			r.send(m)
			for _, c := range append(m.GetGets(), m.GetWaits()...) {
				p := r.refused("get", c.GetCall(), 0)
				if got := p.GetPicture(); got.GetState() != "succeeded" || string(got.GetAnswer()) != want {
					t.Fatalf("call %d: %s, an answer of %d bytes, want %d", c.GetCall(), got.GetState(), len(got.GetAnswer()), len(want))
				}
			}
		})
	}
}

// TestUnreadAnswers: answers that nobody reads are not kept in memory beyond
// the bound, however many one message asked for, and are right all the same.
func TestUnreadAnswers(t *testing.T) {
	s := start(t, t.TempDir(), "")
	r := s.raw()
	id, want := grow(r, 5)
	const unsent, asked = 1 << 20, 200
	s.calls.Bound(time.Minute, unsent)
	st := s.calls.Stream()
	defer st.End()
	m := &polymathv1.Calls{}
	for i := range uint64(asked) {
		m.Gets = append(m.Gets, &polymathv1.JobCall{Call: i, Job: id.String()})
	}
	st.Take(m)
	if items, bytes := st.Held(); items != asked || bytes > unsent+len(want)+1000 {
		t.Errorf("%d answers wait, with %d bytes", items, bytes)
	}
	answered := 0
	for _, m := range st.Replies() {
		for _, p := range m.GetReplies() {
			if string(p.GetPicture().GetAnswer()) == want {
				answered++
			}
		}
	}
	if answered != asked || st.Owed() != 0 {
		t.Errorf("%d of %d answers are right, %d are owed", answered, asked, st.Owed())
	}
}

// TestManyRefusals: errors take room, too.
func TestManyRefusals(t *testing.T) {
	s := start(t, t.TempDir(), "")
	r := s.raw()
	many := make([]*polymathv1.Declaration, catalog.MaxDeclared)
	for i := range many {
		many[i] = &polymathv1.Declaration{Name: strings.Repeat("f", 60) + fmt.Sprint(i), Kind: "call", Reducer: "collect"}
	}
	r.join(many...)
	c := s.dial()
	outcomes, err := c.SubmitMany(t.Context(), make([]client.Request, 5_000))
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range outcomes {
		if polymath.CodeOf(o.Err) != polymath.InvalidArgument {
			t.Fatal(o.Err)
		}
	}
	requests := make([]client.Request, 5_000)
	for i := range requests {
		requests[i].Function = "nonsense"
	}
	if outcomes, err = c.SubmitMany(t.Context(), requests); err != nil {
		t.Fatal(err)
	}
	for _, o := range outcomes {
		if polymath.CodeOf(o.Err) != polymath.NotFound {
			t.Fatal(o.Err)
		}
	}
}
