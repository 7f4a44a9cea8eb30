package trial

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/function"
	"github.com/polymath-run/polymath/internal/function/functiontest"
)

func TestSleepConforms(t *testing.T) {
	functiontest.Conformance(t, Sleep{}, functiontest.Samples{
		Inputs:  []string{`{"units":0}`, `{"units":20,"duration":"0s"}`, `{"units":3,"duration":"1us"}`},
		Endless: `{"units":1e12,"duration":"1ms"}`,
	})
}

func TestFailConforms(t *testing.T) {
	functiontest.Conformance(t, Fail{}, functiontest.Samples{
		Inputs: []string{`{"units":0}`, `{"units":1e12,"at":[1e12]}`, `{"units":5,"at":[9,8,9],"how":"panic"}`},
	})
}

func FuzzSleepPlan(f *testing.F) {
	functiontest.Fuzz(f, Sleep{}, `{"units":1,"duration":"1h"}`, `{"units":1e12,"duration":"1.5s"}`)
}

func FuzzFailPlan(f *testing.F) {
	functiontest.Fuzz(f, Fail{}, `{"units":3,"at":[2,1,1],"how":"hang"}`)
}

func TestRefusals(t *testing.T) {
	for input, names := range map[string]string{
		`{"units":1,"duration":"61m"}`: "duration",
		`{"units":1000000000001}`:      "units",
	} {
		functiontest.Refused(t, Sleep{}, input, names)
	}
	for input, names := range map[string]string{
		`{"units":1,"at":[0,-1]}`:            "at[1]",
		`{"units":1,"at":[0],"how":"never"}`: "error, panic or hang",
	} {
		functiontest.Refused(t, Fail{}, input, names)
	}
}

func TestSleepTakesItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		if got := functiontest.Answer(t, Sleep{}, `{"units":7,"duration":"3s"}`); got != "7" {
			t.Errorf("%s units slept", got)
		}
		if took := time.Since(start); took != 21*time.Second {
			t.Errorf("7 units of 3 s took %v", took)
		}
	})
}

func TestSleepIsInterrupted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
		defer cancel()
		var seen uint64
		_, err := Sleep{}.Run(ctx, function.Task{
			Input:    []byte(`{"units":7,"duration":"3s"}`),
			Interval: polymath.Interval{From: 2, To: 7},
			Progress: func(done uint64) { seen = done },
		})
		if !errors.Is(err, context.DeadlineExceeded) || seen != 1 {
			t.Errorf("%v after %d units", err, seen)
		}
	})
}

// failing is a job of ten units of which 3 and 7 fail.
func failing(how string, units polymath.Interval) function.Task {
	return function.Task{
		Input:    []byte(`{"units":10,"at":[7,3],"how":"` + how + `"}`),
		Interval: units,
		Progress: func(uint64) {},
	}
}

func TestFailFailsWhereTold(t *testing.T) {
	tests := []struct {
		units polymath.Interval
		want  string // in the error; "" for none
	}{
		{polymath.Interval{From: 0, To: 10}, "unit 3"},
		{polymath.Interval{From: 3, To: 4}, "unit 3"},
		{polymath.Interval{From: 4, To: 8}, "unit 7"},
		{polymath.Interval{From: 4, To: 7}, ""},
		{polymath.Interval{From: 8, To: 10}, ""},
	}
	for _, tt := range tests {
		output, err := Fail{}.Run(t.Context(), failing(withError, tt.units))
		if tt.want == "" && (err != nil || len(output) == 0) {
			t.Errorf("%v: %q, %v", tt.units, output, err)
		}
		if tt.want != "" && (polymath.CodeOf(err) != polymath.JobFailed || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%v: %v, want %s", tt.units, err, tt.want)
		}
	}
}

func TestFailPanics(t *testing.T) {
	defer func() {
		if r := recover(); r == nil || !strings.Contains(r.(string), "unit 7") {
			t.Errorf("panic %v", r)
		}
	}()
	output, err := Fail{}.Run(t.Context(), failing(withPanic, polymath.Interval{From: 7, To: 8}))
	t.Errorf("no panic: %q, %v", output, err)
}

func TestFailHangsUntilItsContextEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		start := time.Now()
		_, err := Fail{}.Run(ctx, failing(withHang, polymath.Interval{From: 7, To: 8}))
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Hour {
			t.Errorf("%v after %v", err, time.Since(start))
		}
	})
}
