package worker

import (
	"context"
	"encoding/json"
	"errors"
	"runtime"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/function"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// odd is a function that does what its input says.
type odd struct{}

func (odd) Describe() function.Description { return function.Description{Name: "odd"} }

func (odd) Plan(input []byte) ([]byte, polymath.Plan, error) {
	return input, polymath.Plan{Units: 1, Reducer: polymath.Collect}, nil
}

func (odd) Run(ctx context.Context, task function.Task) ([]byte, error) {
	switch string(task.Input) {
	case "panic":
		panic("broken")
	case "large":
		return make([]byte, polymath.MaxInlineBytes+1), nil
	case "hang":
		task.Progress(3)
		<-ctx.Done()
		return nil, ctx.Err()
	default:
		return task.Input, nil
	}
}

func (odd) Answer(_, a []byte) (json.RawMessage, error) { return a, nil }

// ended are the works of a pool that have ended.
type ended chan *poolTask

func (e ended) post(v Event) { e <- v.(*poolTask) }

// start begins work that the input says.
func start(p *pool, name, input string) Work {
	ls := lease(1)
	ls.Function, ls.Input = name, []byte(input)
	return p.Start(&Task{Lease: ls})
}

func TestPool(t *testing.T) {
	over := make(ended)
	p := newPool(function.NewSet(odd{}), 1, over.post)
	defer p.close()
	run := func(name, input string) Outcome {
		start(p, name, input)
		return (<-over).outcome
	}
	if o := run("odd", "fine"); o.Err != nil || string(o.Output) != "fine" || o.Took <= 0 {
		t.Errorf("%s, %v, took %v", o.Output, o.Err, o.Took)
	}
	for input, want := range map[string]string{"panic": "panicked", "large": "ask for less"} {
		if o := run("odd", input); o.Err == nil || !strings.Contains(o.Err.Error(), want) {
			t.Errorf("%s: %v", input, o.Err)
		}
	}
	if o := run("even", ""); polymath.CodeOf(o.Err) != polymath.NotFound {
		t.Errorf("an unknown function: %v", o.Err)
	}
}

// TestPoolStop: what runs is asked to end, and what waits behind it never
// begins.
func TestPoolStop(t *testing.T) {
	over := make(ended)
	p := newPool(function.NewSet(odd{}), 1, over.post)
	defer p.close()
	runs, waits, last := start(p, "odd", "hang"), start(p, "odd", "panic"), start(p, "odd", "fine")
	for units := uint64(0); units != 3; units, _ = runs.Progress() {
		runtime.Gosched() // until it runs
	}
	if _, begun := waits.Progress(); begun || waits.Stop() || waits.Stop() {
		t.Error("what waits has begun")
	}
	if !runs.Stop() {
		t.Error("what runs has not begun")
	}
	if w := <-over; w != runs || !errors.Is(w.outcome.Err, context.Canceled) {
		t.Errorf("%v", w.outcome.Err)
	}
	if w := <-over; w != last || w.outcome.Err != nil {
		t.Errorf("%s, %v", w.task.Lease.Input, w.outcome.Err)
	}
}

// TestPoolLine: what was stopped before it began is not in the way of what comes
// after it, however much that is: Start never waits.
func TestPoolLine(t *testing.T) {
	over := make(ended)
	p := newPool(function.NewSet(odd{}), 1, over.post)
	defer p.close()
	runs := start(p, "odd", "hang")
	for range 3 {
		var line []Work
		for range maxInLine {
			line = append(line, start(p, "odd", "panic"))
		}
		for units := uint64(0); units != 3; units, _ = runs.Progress() {
			runtime.Gosched() // until it runs, and the line waits behind it
		}
		for _, w := range line {
			if w.Stop() {
				t.Fatal("what waits has begun")
			}
		}
	}
	runs.Stop()
	if w := <-over; w != runs {
		t.Error("another ended")
	}
}
