package functiontest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/function"
	"github.com/polymath-run/polymath/internal/function/input"
)

// counter counts its units. Each of its switches breaks one law.
type counter struct {
	forgetful    bool // plans differ
	uncanonical  bool // the canonical input plans otherwise
	crooked      bool // the cost table does not grow
	greedy       bool // takes every input
	rude         bool // refuses with another code
	longWinded   bool // repeats what it was sent
	deaf         bool // does not look at ctx
	hasty        bool // progress beyond the interval
	backwards    bool // progress falls
	sloppy       bool // an output that is no number
	bloated      bool // an output that is too long
	narrow       bool // has no answer of large outputs
	wrongExample bool

	plans int
}

func (c *counter) Describe() function.Description {
	d := function.Description{
		Name: "counter", Summary: "count units", Kind: function.Range, Unit: "a unit", Cost: "nothing",
		Params:  []function.Param{{Name: "units", Type: function.Integer, Doc: "how many", Required: true}},
		Example: function.Example{Args: "--units 7", Input: `{"units":7}`, Answer: "7"},
	}
	if c.wrongExample {
		d.Example.Answer = "8"
	}
	return d
}

func (c *counter) Plan(data []byte) ([]byte, polymath.Plan, error) {
	c.plans++
	o, err := input.Parse(data, c.Describe().Params)
	if err != nil {
		return nil, polymath.Plan{}, c.refuse(data, err)
	}
	units, err := o.Uint64("units", 0, 1000)
	if err != nil {
		return nil, polymath.Plan{}, c.refuse(data, err)
	}
	plan := polymath.Plan{Units: units, Reducer: polymath.Count, Costs: []polymath.CostPoint{{Unit: units, Micros: 5}}}
	if units == 0 {
		plan.Costs = nil
	}
	if c.forgetful {
		plan.LongestRun = uint32(c.plans)
	}
	if c.crooked {
		plan.Costs = append(plan.Costs, plan.Costs...)
	}
	if c.uncanonical {
		units++
	}
	return fmt.Appendf(nil, `{"units":%d}`, units), plan, nil
}

func (c *counter) refuse(data []byte, err error) error {
	switch {
	case c.greedy:
		return nil
	case c.rude:
		return fmt.Errorf("no: %v", err)
	case c.longWinded:
		return polymath.Errorf(polymath.InvalidArgument, "%v: %s", err, data)
	}
	return err
}

func (c *counter) Run(ctx context.Context, task function.Task) ([]byte, error) {
	if err := ctx.Err(); err != nil && !c.deaf {
		return nil, err
	}
	n := task.Interval.Len()
	task.Progress(n)
	if c.hasty {
		task.Progress(n + 1)
	}
	if c.backwards {
		task.Progress(0)
	}
	if c.sloppy {
		return fmt.Appendf(nil, "+%d", n), nil
	}
	if c.bloated {
		return []byte(strings.Repeat("1", polymath.MaxInlineBytes+1)), nil
	}
	return strconv.AppendUint(nil, n, 10), nil
}

func (c *counter) Answer(_, accumulator []byte) (json.RawMessage, error) {
	const most = 19 // digits: each of two lies may have so many, and their sum one more
	if c.narrow && len(accumulator) > most {
		return nil, errors.New("too long")
	}
	return accumulator, nil
}

// recorder keeps what a law reports. Fatalf ends the law by a panic.
type recorder struct{ reports []string }

type fatal struct{}

func (r *recorder) Helper() {}
func (r *recorder) Errorf(format string, args ...any) {
	r.reports = append(r.reports, fmt.Sprintf(format, args...))
}
func (r *recorder) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	panic(fatal{})
}

// tryLaws tries the laws on a function and gives what they report.
func tryLaws(c *counter) string {
	var r recorder
	law := func(check func()) {
		defer func() {
			if p := recover(); p != nil && p != (fatal{}) {
				panic(p)
			}
		}()
		check()
	}
	const sample = `{"units":7}`
	law(func() { describe(&r, c.Describe()) })
	law(func() { checkPlan(&r, c, sample) })
	law(func() { cancelled(&r, c, []string{sample}) })
	law(func() { refusals(&r, c) })
	law(func() { garbage(&r, c, sample, "") })
	law(func() { example(&r, c) })
	return strings.Join(r.reports, "\n")
}

func TestLawsHold(t *testing.T) {
	if got := tryLaws(&counter{}); got != "" {
		t.Errorf("a lawful function: %s", got)
	}
	Conformance(t, &counter{}, Samples{Inputs: []string{`{"units":100}`, `{"units":1}`, `{"units":0}`, `{"units":4}`}})
}

func TestBreachesAreReported(t *testing.T) {
	tests := []struct {
		name string
		c    *counter
		want string
	}{
		{"forgetful", &counter{forgetful: true}, "planned as"},
		{"uncanonical", &counter{uncanonical: true}, "the canonical"},
		{"crooked", &counter{crooked: true}, "cost table does not grow"},
		{"greedy", &counter{greedy: true}, "planned"},
		{"rude", &counter{rude: true}, "code internal"},
		{"long-winded", &counter{longWinded: true}, "an error of"},
		{"deaf", &counter{deaf: true}, "under an ended context returned <nil>"},
		{"hasty", &counter{hasty: true}, "progress 8 of [0,7)"},
		{"backwards", &counter{backwards: true}, "progress 0 of [0,7), after 7"},
		{"sloppy", &counter{sloppy: true}, "no whole number"},
		{"bloated", &counter{bloated: true}, "an output of 65537 bytes"},
		{"narrow", &counter{narrow: true}, "were let pass and have no answer"},
		{"wrong example", &counter{wrongExample: true}, "the description says 8"},
	}
	for _, tt := range tests {
		if got := tryLaws(tt.c); !strings.Contains(got, tt.want) {
			t.Errorf("%s: reported %.300q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestEveryCut(t *testing.T) {
	got := fmt.Sprint(everyCut(3))
	if want := "[[[0,3)] [[0,1) [1,3)] [[0,2) [2,3)] [[0,1) [1,2) [2,3)]]"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestMerge(t *testing.T) {
	tests := []struct {
		reducer polymath.Reducer
		outputs []string
		want    string // "!" for an error
	}{
		{polymath.Count, []string{"1", "2", "39"}, "42"},
		{polymath.Count, []string{"1", "-2"}, "!"},
		{polymath.Count, []string{""}, "!"},
		{polymath.Count, []string{"007"}, "!"},
		{polymath.Sum, []string{"1", "-2"}, "-1"},
		{polymath.Sum, []string{"18446744073709551615", "1"}, "18446744073709551616"},
		{polymath.Sum, nil, ""},
		{polymath.Min, []string{"", "5", "-3", "4"}, "-3"},
		{polymath.Max, []string{"", "5", "-3", "4"}, "5"},
		{polymath.Max, []string{"", ""}, ""},
		{polymath.Collect, []string{"a", "", "b"}, "ab"},
	}
	for _, tt := range tests {
		outputs := make([][]byte, len(tt.outputs))
		for i, o := range tt.outputs {
			outputs[i] = []byte(o)
		}
		got, err := Merge(tt.reducer, outputs)
		if (err != nil) != (tt.want == "!") || err == nil && string(got) != tt.want {
			t.Errorf("%v of %q: %q, %v", tt.reducer, tt.outputs, got, err)
		}
	}
}
