package primecount

import (
	"context"
	"errors"
	"testing"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/function"
	"github.com/polymath-run/polymath/internal/function/functiontest"
)

func TestConformance(t *testing.T) {
	functiontest.Conformance(t, New(), functiontest.Samples{
		Inputs:  []string{`{"x":0}`, `{"x":1}`, `{"x":2}`, `{"x":4194303}`, `{"x":4194304}`, `{"x":"1e9"}`},
		Endless: `{"x":1e18}`,
	})
}

func FuzzPlan(f *testing.F) {
	functiontest.Fuzz(f, New(), `{"x":-1}`, `{"x":1e19}`, `{"x":"2^40"}`)
}

func TestRefusals(t *testing.T) {
	for _, in := range []string{`{"x":-1}`, `{"x":1000000000000000001}`, `{"x":"2^64"}`} {
		functiontest.Refused(t, New(), in, "x")
	}
}

func TestAnswerOfMissingUnitsIsNull(t *testing.T) {
	x := []byte(`{"x":1e9}`)
	units := newShape(1e9).units()
	for accumulator, want := range map[string]string{
		"":                               "null",
		pack(units-1, 50847534).String(): "null",
		pack(units, 50847534).String():   "50847534",
		pack(units, 1<<63).String():      `"9223372036854775808"`,
	} {
		got, err := New().Answer(x, []byte(accumulator))
		if err != nil || string(got) != want {
			t.Errorf("%s: %s, %v, want %s", accumulator, got, err, want)
		}
	}
	for _, accumulator := range []string{"x", "-1", "1.5", pack(1<<40, 0).String()} {
		if _, err := New().Answer(x, []byte(accumulator)); polymath.CodeOf(err) != polymath.Internal {
			t.Errorf("%s: %v", accumulator, err)
		}
	}
}

// A run that is cancelled while it builds the table for others leaves them
// theirs.
func TestCancelledBuilderHarmsNobody(t *testing.T) {
	f := New()
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	s := newShape(1e12)
	if _, err := f.table(cancelled, s); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled builder: %v", err)
	}
	task := function.Task{Input: []byte(`{"x":1e12}`), Interval: polymath.Interval{To: s.units()}, Progress: func(uint64) {}}
	if _, err := f.Run(context.Background(), task); err != nil {
		t.Errorf("after it: %v", err)
	}
	failed := &preparation{shape: s, ready: make(chan struct{}), err: context.Canceled}
	close(failed.ready)
	f.recent[0] = failed
	if _, err := f.table(context.Background(), s); err != nil {
		t.Errorf("beside it: %v", err)
	}
	f.recent[0] = &preparation{shape: s, ready: make(chan struct{})} // never ready
	if _, err := f.table(cancelled, s); !errors.Is(err, context.Canceled) {
		t.Errorf("waiting for one, cancelled: %v", err)
	}
}
