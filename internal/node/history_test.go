package node_test

import (
	"sync"
	"testing"
	"time"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/history"
	"github.com/polymath-run/polymath/internal/ledger"
	"github.com/polymath-run/polymath/internal/node"
)

// TestHistory: a history that observes a node knows what was going on when the
// node began, and follows it from there without a step missing.
func TestHistory(t *testing.T) {
	dir := t.TempDir()
	p := open(t, dir)
	a, err := p.node.Propose(t.Context(), &ledger.Open{Node: "elsewhere", Name: "ada"})
	if err != nil {
		t.Fatal(err)
	}
	session := a.Ref
	for _, cmd := range []ledger.Command{
		&ledger.Demand{Session: session, Functions: []string{"f"}, Slots: 1},
		&ledger.Submit{Spec: polymath.Spec{Function: "f", Plan: polymath.Plan{Units: 1, Reducer: polymath.Count}}},
	} {
		if _, err := p.node.Propose(t.Context(), cmd); err != nil {
			t.Fatal(err)
		}
	}
	p.close()

	h := history.New(time.Now().UnixMilli())
	var mu sync.Mutex
	begun, early := 0, 0
	p = openWith(t, dir, func(o *node.Options) {
		o.Ready = func(l *ledger.Ledger) {
			mu.Lock()
			begun++
			mu.Unlock()
			h.Restore(time.Now().UnixMilli(), l.Sessions(), l.Leases())
		}
		o.Observe = func(_ time.Duration, fx *ledger.Effects) {
			mu.Lock()
			if begun == 0 {
				early++
			}
			mu.Unlock()
			h.Observe(time.Now().UnixMilli(), fx)
		}
	})
	spans := h.Open(polymath.Token{}, 10)
	if len(spans) != 1 || spans[0].Worker != "ada" || h.Workers() != 1 {
		t.Fatalf("%d workers; open %+v", h.Workers(), spans)
	}
	if _, err := p.node.Propose(t.Context(), &ledger.Complete{Token: spans[0].Token, Output: []byte("1")}); err != nil {
		t.Fatal(err)
	}
	want := history.Counts{Succeeded: 1, Completed: 1, Units: 1}
	if got := h.Totals(); got != want {
		t.Errorf("counted %+v, want %+v", got, want)
	}
	if page := h.Ended(time.Now().UnixMilli(), 0, 10); len(page.Spans) != 1 || page.Spans[0].State() != "completed" {
		t.Errorf("ended %+v", page.Spans)
	}
	mu.Lock()
	defer mu.Unlock()
	if begun != 1 || early != 0 {
		t.Errorf("begun %d times, %d entries before", begun, early)
	}
}
