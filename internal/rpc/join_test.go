package rpc_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/api/polymathv1"
	"github.com/polymath-run/polymath/internal/catalog"
	"github.com/polymath-run/polymath/internal/rpc"
)

// TestTooManyWorkers: a stream has a hundred, however they are asked for.
func TestTooManyWorkers(t *testing.T) {
	s := start(t, t.TempDir(), "")
	r := s.raw()
	m := &polymathv1.Calls{}
	for range 101 {
		m.Joins = append(m.Joins, &polymathv1.Join{Call: r.next(), Name: "many"})
	}
	r.send(m)
	refused := 0
	for _, j := range m.GetJoins() {
		if p := r.reply(j.GetCall()); p.GetError() != nil {
			refused++
			if p.GetError().GetCode() != "overloaded" {
				t.Errorf("%v", p.GetError())
			}
		}
	}
	if refused != 1 {
		t.Errorf("%d of 101 workers were refused", refused)
	}
}

// TestStoppingLosesNobody: a worker whose stream ended because the server stops is
// not away: its time begins when the server is there again.
func TestStoppingLosesNobody(t *testing.T) {
	for _, stops := range []bool{false, true} {
		s := start(t, t.TempDir(), "")
		ctx, stop := context.WithCancel(t.Context())
		st := rpc.New(ctx, s.service, slog.New(slog.DiscardHandler)).Stream()
		st.Take(&polymathv1.Calls{Joins: []*polymathv1.Join{{Call: 1, Name: "w"}}})
		waitFor(t, s, func() bool { return st.Owed() == 0 })
		if stops {
			stop()
		}
		st.End()
		stop()
		if w := s.node.Workers(); len(w) != 1 || w[0].Away == stops {
			t.Errorf("after a stop %v: %+v", stops, w)
		}
	}
}

// TestBadJoins: names and functions that cannot be.
func TestBadJoins(t *testing.T) {
	s := start(t, t.TempDir(), "")
	r := s.raw()
	r.join(greet())
	many := make([]*polymathv1.Declaration, catalog.MaxDeclared)
	for i := range many {
		many[i] = &polymathv1.Declaration{Name: fmt.Sprintf("f%d", i), Kind: "call", Reducer: "collect"}
	}
	one := func(d *polymathv1.Declaration) []*polymathv1.Declaration { return []*polymathv1.Declaration{d} }
	for name, c := range map[string]struct {
		join *polymathv1.Join
		want polymath.Code
	}{
		"no name":            {&polymathv1.Join{}, polymath.InvalidArgument},
		"a name that steers": {&polymathv1.Join{Name: "x\x1b[2J"}, polymath.InvalidArgument},
		"a name backwards":   {&polymathv1.Join{Name: "x\u202e"}, polymath.InvalidArgument},
		"a steering summary": {&polymathv1.Join{Name: "x", Functions: one(&polymathv1.Declaration{Name: "g", Kind: "call", Reducer: "collect", Summary: "\x1b[2J"})}, polymath.InvalidArgument},
		"a long name":        {&polymathv1.Join{Name: strings.Repeat("x", 65)}, polymath.InvalidArgument},
		"half a session":     {&polymathv1.Join{Name: "x", Session: []byte("half")}, polymath.InvalidArgument},
		"an unknown session": {&polymathv1.Join{Name: "x", Session: make([]byte, 16)}, polymath.NotFound},
		"a built-in name":    {&polymathv1.Join{Name: "x", Functions: one(&polymathv1.Declaration{Name: "primes", Kind: "call", Reducer: "collect"})}, polymath.Conflict},
		"another kind":       {&polymathv1.Join{Name: "x", Functions: one(&polymathv1.Declaration{Name: "greet", Kind: "list", Reducer: "collect"})}, polymath.Conflict},
		"no kind":            {&polymathv1.Join{Name: "x", Functions: one(&polymathv1.Declaration{Name: "g"})}, polymath.InvalidArgument},
		"one too many":       {&polymathv1.Join{Name: "x", Functions: many}, polymath.Overloaded},
		"a function twice":   {&polymathv1.Join{Name: "x", Functions: []*polymathv1.Declaration{many[0], many[0]}}, polymath.InvalidArgument},
	} {
		c.join.Call = r.next()
		r.send(&polymathv1.Calls{Joins: []*polymathv1.Join{c.join}})
		r.refused(name, c.join.GetCall(), c.want)
	}
	ask := &polymathv1.Demand{Call: r.next(), Session: r.join(), Functions: []string{"x\x1b[2J"}, Slots: 1}
	r.send(&polymathv1.Calls{Demands: []*polymathv1.Demand{ask}})
	r.refused("a demand that steers", ask.GetCall(), polymath.InvalidArgument)
	if _, err := s.service.Catalog().Get("f1"); err == nil {
		t.Error("a refused join left functions behind")
	}
}
