package worker

import (
	"context"
	"encoding/json"
	"errors"
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

type outcome struct {
	output []byte
	err    error
}

func TestPool(t *testing.T) {
	ended := make(chan outcome)
	p := newPool(function.NewSet(odd{}), 1, func(_ polymath.Token, output []byte, err error) { ended <- outcome{output, err} })
	defer p.close()
	run := func(name, input string) outcome {
		ls := lease(1)
		ls.Function, ls.Input = name, []byte(input)
		p.Start(&ls)
		return <-ended
	}
	if o := run("odd", "fine"); o.err != nil || string(o.output) != "fine" {
		t.Errorf("%s, %v", o.output, o.err)
	}
	for input, want := range map[string]string{"panic": "panicked", "large": "ask for less"} {
		if o := run("odd", input); o.err == nil || !strings.Contains(o.err.Error(), want) {
			t.Errorf("%s: %v", input, o.err)
		}
	}
	if o := run("even", ""); polymath.CodeOf(o.err) != polymath.NotFound {
		t.Errorf("an unknown function: %v", o.err)
	}
}

func TestPoolStop(t *testing.T) {
	ended := make(chan outcome)
	p := newPool(function.NewSet(odd{}), 1, func(_ polymath.Token, output []byte, err error) { ended <- outcome{output, err} })
	defer p.close()
	ls := lease(1)
	ls.Function, ls.Input = "odd", []byte("hang")
	p.Start(&ls)
	p.Stop(token(2)) // another
	p.Stop(token(1))
	if o := <-ended; !errors.Is(o.err, context.Canceled) {
		t.Errorf("%v", o.err)
	}
	if p.Progress(token(1)) != 0 {
		t.Error("progress of work that is over")
	}
}
