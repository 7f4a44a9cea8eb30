// Package functiontest holds the laws every function obeys, and checks them.
//
// The laws, each a test of its own:
//
//	plan       a plan is valid and the same every time, and the canonical
//	           input plans as itself
//	cuts       any cut of the units into intervals merges to the answer of
//	           running them in one piece
//	progress   is monotone and never beyond the interval
//	cancel     a Run whose context ends returns the context's error, with
//	           hours of work ahead
//	garbage    what a worker returned is refused, or has an answer
//	refusals   a bad input is an InvalidArgument error that names the field
//	example    the worked example of the description works
package functiontest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/function"
)

// Samples are the inputs the laws are tried on.
type Samples struct {
	// Inputs are valid and run whole in well under a second, in more than
	// one unit where that is possible.
	Inputs []string
	// Endless is a valid input with hours of work in it, "" if the function
	// cannot be asked for that much.
	Endless string
	// Contradiction is part of what Answer says of outputs that each could be
	// right and together are not; "" if there are none.
	Contradiction string
}

// Conformance checks every law.
func Conformance(t *testing.T, f function.Function, s Samples) {
	t.Helper()
	inputs := append([]string{f.Describe().Example.Input}, s.Inputs...)
	t.Run("describe", func(t *testing.T) { describe(t, f.Describe()) })
	t.Run("plan", func(t *testing.T) {
		for _, in := range inputs {
			checkPlan(t, f, in)
		}
	})
	t.Run("cuts", func(t *testing.T) {
		for _, in := range inputs {
			cuts(t, f, in)
		}
	})
	t.Run("garbage", func(t *testing.T) {
		for _, in := range inputs {
			garbage(t, f, in, s.Contradiction)
		}
	})
	t.Run("cancel", func(t *testing.T) { cancelled(t, f, inputs) })
	if s.Endless != "" {
		t.Run("endless", func(t *testing.T) { endless(t, f, s.Endless) })
	}
	t.Run("refusals", func(t *testing.T) { refusals(t, f) })
	t.Run("example", func(t *testing.T) { example(t, f) })
}

// Answer plans an input, runs it whole and gives the answer.
func Answer(t reporter, f function.Function, input string) string {
	t.Helper()
	canonical, plan := mustPlan(t, f, input)
	output := run(t, f, canonical, whole(plan))
	return answer(t, f, canonical, merge(t, plan.Reducer, [][]byte{output}))
}

// describe checks that a description is complete.
func describe(t reporter, d function.Description) {
	if d.Name == "" || d.Summary == "" || d.Unit == "" || d.Cost == "" {
		t.Errorf("the description has gaps: %+v", d)
	}
	if d.Kind != function.Range && d.Kind != function.List {
		t.Errorf("kind %q", d.Kind)
	}
	names := make(map[string]bool)
	for _, p := range d.Params {
		if p.Name == "" || p.Type == "" || p.Doc == "" || names[p.Name] || p.Required && p.Default != "" {
			t.Errorf("parameter %+v", p)
		}
		names[p.Name] = true
		if len(p.Choices) > 0 && p.Choices[0] != p.Default {
			t.Errorf("the first choice of %s is %s, and the default is %s", p.Name, p.Choices[0], p.Default)
		}
	}
}

// checkPlan checks the plan of a valid input.
func checkPlan(t reporter, f function.Function, input string) {
	canonical, plan := mustPlan(t, f, input)
	again, samePlan := mustPlan(t, f, input)
	if !bytes.Equal(canonical, again) || !equalPlans(plan, samePlan) {
		t.Errorf("%s: planned as %s, then as %s", input, canonical, again)
	}
	fixed, fixedPlan := mustPlan(t, f, string(canonical))
	if !bytes.Equal(canonical, fixed) || !equalPlans(plan, fixedPlan) {
		t.Errorf("%s: the canonical %s planned as %s", input, canonical, fixed)
	}
	if err := ValidPlan(canonical, plan); err != nil {
		t.Errorf("%s: %v", input, err)
	}
}

// ValidPlan says what is wrong with a plan, if anything.
func ValidPlan(canonical []byte, plan polymath.Plan) error {
	if len(canonical) > polymath.MaxInlineBytes || !json.Valid(canonical) {
		return errors.New("the canonical input is too long or no JSON")
	}
	if plan.Reducer.String() == "unknown" {
		return errors.New("the reducer is unknown")
	}
	if len(plan.Costs) > polymath.MaxCostPoints {
		return errors.New("the cost table is too long")
	}
	var last polymath.CostPoint
	for _, c := range plan.Costs {
		if c.Unit <= last.Unit || c.Micros <= last.Micros {
			return errors.New("the cost table does not grow")
		}
		last = c
	}
	if len(plan.Costs) > 0 && last.Unit != plan.Units {
		return errors.New("the cost table does not end with the units")
	}
	return nil
}

// fewUnits is up to how many units every cut there is, is tried.
const fewUnits = 5

// cuts runs an input whole, then cut in every way or at random, and compares
// the answers.
func cuts(t *testing.T, f function.Function, input string) {
	want := Answer(t, f, input)
	canonical, plan := mustPlan(t, f, input)
	try := func(t reporter, cut []polymath.Interval, order []int) {
		outputs := make([][]byte, len(cut))
		for _, i := range order {
			outputs[i] = run(t, f, canonical, cut[i])
		}
		if got := answer(t, f, canonical, merge(t, plan.Reducer, outputs)); got != want {
			t.Fatalf("%s: cut as %v the answer is %.200s, whole it is %.200s", input, cut, got, want)
		}
	}
	if plan.Units <= fewUnits {
		for _, cut := range everyCut(plan.Units) {
			backwards := order(len(cut))
			slices.Reverse(backwards)
			try(t, cut, backwards)
		}
		return
	}
	rapid.Check(t, func(t *rapid.T) {
		cut := drawCuts(t, plan.Units)
		try(t, cut, rapid.Permutation(order(len(cut))).Draw(t, "order"))
	})
}

// everyCut lists the ways to cut [0, units), which are 2^(units-1).
func everyCut(units uint64) (all [][]polymath.Interval) {
	if units == 0 {
		return [][]polymath.Interval{{{}}}
	}
	for ways := range uint64(1) << (units - 1) {
		var cut []polymath.Interval
		rest := polymath.Interval{To: units}
		for at := uint64(1); at < units; at++ {
			if ways>>(at-1)&1 != 0 {
				var head polymath.Interval
				head, rest = rest.Split(at - rest.From)
				cut = append(cut, head)
			}
		}
		all = append(all, append(cut, rest))
	}
	return all
}

func merge(t reporter, reducer polymath.Reducer, outputs [][]byte) []byte {
	t.Helper()
	merged, err := Merge(reducer, outputs)
	if err != nil {
		t.Fatalf("merge: %v", err)
	}
	return merged
}

// drawCuts cuts [0, units) into at most eight intervals.
func drawCuts(t *rapid.T, units uint64) []polymath.Interval {
	const most = 7
	var cut []polymath.Interval
	rest := polymath.Interval{To: units}
	for range rapid.IntRange(0, most).Draw(t, "cuts") {
		if rest.Len() < 2 {
			break
		}
		var head polymath.Interval
		head, rest = rest.Split(rapid.Uint64Range(1, rest.Len()-1).Draw(t, "length"))
		cut = append(cut, head)
	}
	return append(cut, rest)
}

// order is 0..n-1.
func order(n int) []int {
	list := make([]int, n)
	for i := range list {
		list[i] = i
	}
	return list
}

// cancelled runs with a context that ended before.
func cancelled(t reporter, f function.Function, inputs []string) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for _, in := range inputs {
		canonical, plan := mustPlan(t, f, in)
		task := function.Task{Input: canonical, Interval: whole(plan), Progress: func(uint64) {}}
		if _, err := f.Run(ctx, task); plan.Units > 0 && !errors.Is(err, context.Canceled) {
			t.Errorf("%s: Run under an ended context returned %v", in, err)
		}
	}
}

// endless runs hours of work and cancels it once it is under way: at the first
// progress, and as soon as it can be, in turn.
func endless(t reporter, f function.Function, input string) {
	canonical, plan := mustPlan(t, f, input)
	for _, atProgress := range []bool{true, false} {
		ctx, cancel := context.WithCancel(context.Background())
		task := function.Task{Input: canonical, Interval: whole(plan), Progress: func(uint64) {}}
		if atProgress {
			task.Progress = func(uint64) { cancel() }
		} else {
			go cancel()
		}
		if _, err := f.Run(ctx, task); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: cancelled, Run returned %v", input, err)
		}
		cancel()
	}
}

// example runs the worked example.
func example(t reporter, f function.Function) {
	e := f.Describe().Example
	if e.Args == "" {
		t.Errorf("the example has no command line")
	}
	var want bytes.Buffer
	if err := json.Compact(&want, []byte(e.Answer)); err != nil {
		t.Fatalf("the answer of the example is no JSON: %v", err)
	}
	if got := Answer(t, f, e.Input); got != want.String() {
		t.Errorf("%s gives %s, the description says %s", e.Input, got, want.String())
	}
}

// reporter is what *testing.T and *rapid.T have in common here.
type reporter interface {
	Helper()
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
}

func mustPlan(t reporter, f function.Function, input string) ([]byte, polymath.Plan) {
	t.Helper()
	canonical, plan, err := f.Plan([]byte(input))
	if err != nil {
		t.Fatalf("plan %s: %v", input, err)
	}
	return canonical, plan
}

// run runs an interval and watches its progress.
func run(t reporter, f function.Function, canonical []byte, units polymath.Interval) []byte {
	t.Helper()
	var last uint64
	task := function.Task{Input: canonical, Interval: units, Progress: func(done uint64) {
		if done < last || done > units.Len() {
			t.Fatalf("progress %d of %v, after %d", done, units, last)
		}
		last = done
	}}
	output, err := f.Run(context.Background(), task)
	if err != nil {
		t.Fatalf("run %v of %.200s: %v", units, canonical, err)
	}
	if len(output) > polymath.MaxInlineBytes {
		t.Fatalf("run %v of %.200s: an output of %d bytes", units, canonical, len(output))
	}
	return output
}

func answer(t reporter, f function.Function, canonical, accumulator []byte) string {
	t.Helper()
	got, err := f.Answer(canonical, accumulator)
	if err != nil {
		t.Fatalf("answer %.200s: %v", canonical, err)
	}
	if !json.Valid(got) {
		t.Fatalf("answer %.200s: %.200s is no JSON", canonical, got)
	}
	return string(got)
}

func whole(plan polymath.Plan) polymath.Interval {
	if plan.Units == math.MaxUint64 {
		panic("functiontest: a plan of 2^64-1 units")
	}
	return polymath.Interval{To: plan.Units}
}

func equalPlans(a, b polymath.Plan) bool {
	x, _ := json.Marshal(a)
	y, _ := json.Marshal(b)
	return bytes.Equal(x, y)
}
