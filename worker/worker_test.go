package worker

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/function"
	"github.com/polymath-run/polymath/internal/function/remote"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func call(name string) Func {
	return Call(name, func(context.Context, json.RawMessage) (any, error) { return 1, nil })
}

// TestRefused: what no server would take is refused before one is asked.
func TestRefused(t *testing.T) {
	many := make([]Func, remote.MaxFunctions+1)
	for i := range many {
		many[i] = call(fmt.Sprintf("f%d", i))
	}
	for name, functions := range map[string][]Func{
		"none":                 nil,
		"too many":             many,
		"one twice":            {call("f"), call("f")},
		"a bad name":           {call("Big")},
		"a long summary":       {call("f").Summary(strings.Repeat("s", 201))},
		"a summary of bytes":   {call("f").Summary("\xff")},
		"a silence of an hour": {call("f").Silent(time.Hour)},
		"a unit of two days":   {call("f").Cost(48 * time.Hour)},
		"a range that collects": {Range("f", polymath.Collect, func(context.Context, Span) (int64, error) {
			return 0, nil
		})},
	} {
		if err := Run(t.Context(), Options{Server: "http://127.0.0.1:1"}, functions...); polymath.CodeOf(err) != polymath.InvalidArgument {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := Run(t.Context(), Options{Server: "http://127.0.0.1:1"}, call("f")); polymath.CodeOf(err) != polymath.Unavailable {
		t.Errorf("nobody there: %v", err)
	}
	if err := Run(t.Context(), Options{Server: "nonsense"}, call("f")); polymath.CodeOf(err) != polymath.InvalidArgument {
		t.Errorf("no URL: %v", err)
	}
}

// TestRounding: times are never rounded to nothing.
func TestRounding(t *testing.T) {
	f := call("f").Cost(1).Silent(1)
	if d := f.declaration; d.Micros != 1 || d.LongestRun != 1 {
		t.Errorf("%+v", d)
	}
	if d := call("f").Silent(1500 * time.Millisecond).declaration; d.LongestRun != 2 {
		t.Errorf("%+v", d)
	}
}

// run runs a part of a job as the loop of a worker does.
func run(t *testing.T, f Func, input string, from, to uint64) (string, error) {
	t.Helper()
	known, err := remote.New(f.declaration)
	if err != nil {
		t.Fatal(err)
	}
	out, err := f.run(t.Context(), known, function.Task{
		Input: []byte(input), Interval: polymath.Interval{From: from, To: to}, Progress: func(uint64) {},
	})
	return string(out), err
}

// TestParts: a part is the units it is given, whatever else the input has.
func TestParts(t *testing.T) {
	double := List("double", func(_ context.Context, item json.RawMessage) (any, error) {
		var n int
		err := json.Unmarshal(item, &n)
		return 2 * n, err
	})
	sum := Range("sum", Sum, func(_ context.Context, s Span) (n int64, err error) {
		for i := s.From; i <= s.To; i++ {
			n += int64(i)
		}
		return n, nil
	})
	for _, c := range []struct {
		f        Func
		input    string
		from, to uint64
		want     string
		fails    string
	}{
		{call("f"), `{}`, 0, 1, "1", ""},
		{double, `{"items":[1,2,3]}`, 1, 3, "1 4\n2 6\n", ""},
		{double, `{"items":[1,"x",3]}`, 0, 3, "", "element 1"},
		{double, `{}`, 0, 1, "", "items"},
		{sum, `{"from":"10","to":"20"}`, 0, 3, "33", ""}, // 10 + 11 + 12
		{sum, `[]`, 0, 3, "", "object"},
	} {
		got, err := run(t, c.f, c.input, c.from, c.to)
		if got != c.want || (err == nil) != (c.fails == "") || err != nil && !strings.Contains(err.Error(), c.fails) {
			t.Errorf("%s %s [%d, %d): %q, %v; want %q", c.f.declaration.Name, c.input, c.from, c.to, got, err, c.want)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	known := remote.Function{Declaration: double.declaration}
	if _, err := double.run(ctx, known, function.Task{Input: []byte(`{"items":[1]}`), Interval: polymath.Interval{To: 1}}); err == nil {
		t.Error("a part that was stopped went on")
	}
}
